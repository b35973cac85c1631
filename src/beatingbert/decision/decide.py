"""From a table of one's own to a decision: what the command and the notebook ask for, checked before anything is read.

decision = decide(frame, text="message", label="topic", budget="10m")
decision.recommended    # 'MPNet frozen'
decision                # in a notebook: tables, sentences and the learning curve
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from beatingbert.decision.budget import Budget, read_budget
from beatingbert.decision.candidates import Candidate, read_candidates, refuse_same_folders
from beatingbert.decision.climb import Watch
from beatingbert.decision.decision import Decision
from beatingbert.decision.limits import Limits
from beatingbert.decision.making import Making
from beatingbert.decision.trials import MEASURES, Metric
from beatingbert.decision.wishes import Wishes
from beatingbert.errors import SettingsError, UnknownNameError
from beatingbert.progress import Progress, silent
from beatingbert.report.analysis import analyse
from beatingbert.report.prices import read_prices
from beatingbert.runs.store import SAFE_NAME
from beatingbert.tables.finding import Finding
from beatingbert.tasks.spec import Task
from beatingbert.tasks.splits import Splits

RESULTS_DIR = Path("results")
RUNS, REPORT = "runs", "report"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked besides the table; everything is checked on construction, so that nothing is begun in vain.

    Attributes:
        metric: what decides.
        budget: wall-clock time, e.g. "20m"; downloads do not count.
        max_latency_ms, max_memory_gb, max_model_mb: see `Limits`.
        candidates: a file of the form of `candidates.yaml`; None takes the shipped one.
        margin: up to which a difference does not matter, as a fraction.
        output_dir: a fresh folder; None makes one under results/.
        label_descriptions: a YAML or JSON file, label to what it means, or the mapping itself.
        prices: a price file as reports have it; None takes the shipped examples.
        seed: of every draw.
    """

    metric: Metric = "macro_f1"
    budget: str = "20m"
    max_latency_ms: float | None = None
    max_memory_gb: float | None = None
    max_model_mb: float | None = None
    candidates: Path | None = None
    margin: float = 0.01
    output_dir: Path | None = None
    label_descriptions: Path | Mapping[str, str] | None = None
    prices: Path | None = None
    seed: int = 99

    def __post_init__(self) -> None:
        read_budget(self.budget)
        if self.metric not in MEASURES:
            raise UnknownNameError("metric", self.metric, MEASURES)
        self.wishes()
        self.ladder()
        self.descriptions()
        out = self.output_dir
        if out is not None and out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise SettingsError(f"--output_dir {str(out)!r} is no empty folder; give a fresh one")

    def wishes(self) -> Wishes:
        """As the making of a decision wants them."""
        limits = Limits(
            max_latency_ms=self.max_latency_ms, max_memory_gb=self.max_memory_gb, max_model_mb=self.max_model_mb
        )
        prices = read_prices(self.prices)
        return Wishes(metric=self.metric, limits=limits, margin=self.margin, seed=self.seed, prices=prices)

    def ladder(self) -> tuple[Candidate, ...]:
        """Who takes part."""
        found = read_candidates(self.candidates)
        refuse_same_folders(found)
        return found

    def descriptions(self) -> dict[str, str]:
        """Label to what it means.

        Raises:
            SettingsError: the file is no mapping of texts.
        """
        given = self.label_descriptions
        data: Any = given or {}
        if isinstance(given, Path):
            import yaml

            try:
                data = yaml.safe_load(given.read_text(encoding="utf-8")) or {}
            except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
                told = " ".join(str(error).split())
                raise SettingsError(f"--label_descriptions {str(given)!r} cannot be read: {told}") from error
        if not isinstance(data, Mapping) or not all(isinstance(text, str) for text in data.values()):
            raise SettingsError("--label_descriptions holds one line 'label: what it means' for each label, as YAML")
        return {str(label): text for label, text in data.items()}

    def folder(self, name: str) -> Path:
        """Where everything of this decision lies."""
        if self.output_dir is not None:
            return self.output_dir
        about = name if SAFE_NAME.fullmatch(name) else "table"
        wanted = RESULTS_DIR / f"decide_{about}_{datetime.now().astimezone():%Y%m%d_%H%M%S}"
        place, number = wanted, 2
        while place.exists():
            place, number = wanted.with_name(f"{wanted.name}_{number}"), number + 1
        return place


def decide(
    data: Any,
    *,
    text: str | None = None,
    text_pair: str | None = None,
    label: str | None = None,
    group: str | None = None,
    test: Any = None,
    metric: Metric = "macro_f1",
    budget: str = "20m",
    max_latency_ms: float | None = None,
    max_memory_gb: float | None = None,
    max_model_mb: float | None = None,
    candidates: str | Path | None = None,
    margin: float = 0.01,
    output_dir: str | Path | None = None,
    label_descriptions: Mapping[str, str] | Path | None = None,
    seed: int = 99,
    progress: Progress = silent,
) -> Decision:
    """Which classifier for this table?

    Args:
        data: a data frame, or the path of a file or folder.
        text: column of the text; guessed where it is not named, like the next three.
        text_pair: column of a second text.
        label: column of the label.
        group: column whose equal values are not parted between learning and testing.
        test: rows that are only reported on, in the same form; a fifth of the table where there are none.
        metric: what decides: "accuracy", "macro_f1" or "mcc".
        budget: wall-clock time, e.g. "20m"; downloads do not count.
        max_latency_ms: of one question, 19 of 20 times.
        max_memory_gb: of answering.
        max_model_mb: on disk.
        candidates: file of candidates; None takes the shipped ladder.
        margin: up to which a difference does not matter, as a fraction.
        output_dir: a fresh folder; None makes one under results/.
        label_descriptions: label to what it means, or a YAML file of that.
        seed: of every draw.
        progress: called while work is done.

    Returns:
        The decision; a notebook shows it with its tables and its learning curve.

    Raises:
        UsageError: settings, a table or a file of candidates that cannot be worked with; nothing is left behind.
    """
    request = Request(
        metric=metric,
        budget=budget,
        max_latency_ms=max_latency_ms,
        max_memory_gb=max_memory_gb,
        max_model_mb=max_model_mb,
        candidates=None if candidates is None else Path(candidates),
        margin=margin,
        output_dir=None if output_dir is None else Path(output_dir),
        label_descriptions=label_descriptions,
        seed=seed,
    )
    from beatingbert.tables.divide import split_own
    from beatingbert.tables.look import look
    from beatingbert.tables.own import read_own

    time = Budget(read_budget(budget))
    looked = look(read_own(data, text=text, text_pair=text_pair, label=label, group=group, test=test))
    task, splits = split_own(looked.own, seed=seed, looked=looked, label_descriptions=request.descriptions() or None)
    return decide_rows(task, splits, request, budget=time, findings=sentences(looked.findings), progress=progress)


def decide_rows(
    task: Task,
    splits: Splits,
    request: Request,
    *,
    budget: Budget,
    findings: Sequence[str] = (),
    watch: Watch | None = None,
    progress: Progress = silent,
) -> Decision:
    """A decision for rows that are there, with the report page on its finalists' runs.

    Args:
        task: what the rows ask.
        splits: with a test part, which nobody sees before the end.
        request: what is asked.
        budget: the time, which is running.
        findings: what was noticed about the rows, a sentence each.
        watch: hears how the ladder is climbed.
        progress: called while work is done.
    """
    decision = Making(
        task=task,
        splits=splits,
        wishes=request.wishes(),
        candidates=request.ladder(),
        folder=request.folder(task.name),
        budget=budget,
        watch=watch or Watch(),
        progress=progress,
        findings=findings,
    ).decide()
    if decision.finalists:
        analyse(decision.folder / RUNS, decision.folder / REPORT, formats="html", margin=request.margin)
    return decision


def sentences(findings: Sequence[Finding]) -> tuple[str, ...]:
    """What was noticed about a table, a sentence each."""
    return tuple(f"{one.what}; {one.treatment}." for one in findings)
