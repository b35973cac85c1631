"""A short probe: one small cell of each engine and checkpoint that no record tells of, run for its costs alone."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from beatingbert.execution.protocol import Event, Executor
from beatingbert.experiments.planning import Planner
from beatingbert.experiments.suite.jobs import Terms, run_cells
from beatingbert.experiments.suite.load import SuiteCell
from beatingbert.experiments.suite.plan import Plan, plan_suite
from beatingbert.runs.record import RunRecord

TRAIN_ROWS, ANSWERED_ROWS = 64, 32


def probe(plan: Plan, executor: Executor, *, on_event: Callable[[Event], None]) -> list[RunRecord]:
    """Run the small cells and return their records, whose folders are gone again.

    Args:
        plan: whose cells are wanted; those that are estimated by rule of thumb are probed.
        executor: runs the small cells.
        on_event: told of each.
    """
    planner = Planner()
    small: dict[tuple[str, str], SuiteCell] = {}
    for one in plan.todo:
        kind = (one.cell.engine, one.config.model)
        if plan.costs[one.id].basis == "rule" and kind not in small:
            small[kind] = _shrink(one, planner)
    if not small:
        return []
    suite = dataclasses.replace(plan.suite, cells=tuple(small.values()))
    with tempfile.TemporaryDirectory(prefix="beatingbert-probe-") as scratch:
        run_cells(suite.cells, plan_suite(suite, Path(scratch)), executor, Terms(), on_event=on_event)
        return plan_suite(suite, Path(scratch)).records


def _shrink(one: SuiteCell, planner: Planner) -> SuiteCell:
    """The same cell on a few rows, for one epoch."""
    changes: dict[str, Any] = {"max_eval_samples": ANSWERED_ROWS}
    if one.config.needs_train:
        changes["max_samples"] = TRAIN_ROWS
        if getattr(one.config, "num_epochs", None) is not None or one.cell.engine == "lora":
            changes["num_epochs"] = 1
    config = dataclasses.replace(one.config, **changes)
    cell = planner.cell(config)
    return dataclasses.replace(one, id=cell.id, cell=cell, config=config, name=f"probe_{one.name}")
