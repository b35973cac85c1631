"""What suite files run, as a page in Markdown: made from the files alone, the same on every machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from beatingbert.experiments.config import RunConfig
from beatingbert.experiments.suite.document import Complaints, Document, read_document
from beatingbert.experiments.suite.grid import Grid, Square

HEAD = """# What the suites run

<!-- Made by `python experiments/write_summary.py` from experiments/suites/; a test fails when it is stale. -->

`bash experiments/run_quick_test.sh` runs `quick`, `bash experiments/run_full_benchmark.sh` runs `full` (with
`--offline` it runs `full_offline`). Any suite runs with `beatingbert suite run NAME`, and `beatingbert suite plan NAME`
says what of it is done and what the rest would cost here. Give the same command again to go on with what was
interrupted.
"""
LENGTH = 512  # of an encoder's input, unless something else is asked for
COLUMNS = ("engine", "how", "checkpoints", "tasks", "train rows", "seeds", "cells")


def summarise(paths: Iterable[Path]) -> str:
    """The page.

    Args:
        paths: suite files, in the order in which they are told.

    Raises:
        SuiteError: a file that is no suite.
    """
    return "\n".join([HEAD, *(_section(path) for path in paths)])


def _section(path: Path) -> str:
    document, squares = _expand(path)
    rows: dict[tuple[str, str], list[Square]] = {}
    for square in squares:
        rows.setdefault((square.config.engine, how(square.config)), []).append(square)
    lines = [f"## {path.stem}: {len(squares):,} cells", "", document.about, ""]
    lines += ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * (len(COLUMNS) - 1) + " ---: |"]
    lines += [_row(engine, way, of) for (engine, way), of in rows.items()]
    return "\n".join(lines) + "\n"


def _expand(path: Path) -> tuple[Document, list[Square]]:
    document, complaints = read_document(path), Complaints(path)
    squares = Grid(document, complaints, {}).squares()
    complaints.raise_if_any()
    return document, squares


def how(config: RunConfig) -> str:
    """How a cell answers, in words; the settings that its kind is known by."""
    settings = config.engine_settings()
    shots = f"{settings['shots']}-shot" if settings.get("shots") else "zero-shot"
    if config.engine == "optimized":
        return f"{shots}, optimized by {settings['optimizer']}"
    if config.engine not in ("llm", "lora", "served"):
        told = [
            {"encoder": "fine-tuned", "linear": "trained"}.get(config.engine, ""),
            f"cut at {settings['max_length']}" if settings.get("max_length", LENGTH) != LENGTH else "",
            "selected on validation" if config.select_on == "validation" else "",
        ]
        return ", ".join(filter(None, told))
    told = [
        f"LoRA r{settings['rank']}" if config.engine == "lora" else shots,
        "demonstrations by label" if settings.get("shot_order") == "by_label" else "",
        "constrained" if settings["constrained"] else "written" if settings["answer_by"] == "generation" else "",
        f"{settings['calibration']} calibration" if settings.get("calibration", "none") != "none" else "",
        f"template {config.prompt_folder.name}" if config.prompt_folder else "",
        "without chat template" if settings.get("chat_template") == "never" else "",
    ]
    return ", ".join(filter(None, told))


def _row(engine: str, way: str, squares: Sequence[Square]) -> str:
    configs = [square.config for square in squares]
    models = dict.fromkeys(config.model for config in configs if config.model != engine)
    sizes = dict.fromkeys(_size(config) for config in configs)
    cells = (
        engine,
        way,
        ", ".join(f"`{model}`" for model in models),
        ", ".join(dict.fromkeys(config.task for config in configs)),
        ", ".join(sizes),
        ", ".join(dict.fromkeys(str(config.seed) for config in configs)),
        f"{len(squares):,}",
    )
    return "| " + " | ".join(cells) + " |"


def _size(config: RunConfig) -> str:
    if not config.needs_train:
        return "none"
    return "all" if config.max_samples is None else f"{config.max_samples:,}"
