"""What of a suite is done, what is left, and what that will cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from beatingbert.experiments.suite.estimate import SURENESS, Cost, Estimator
from beatingbert.experiments.suite.load import Suite, SuiteCell
from beatingbert.experiments.suite.stock import State, Stock, past_records, take_stock
from beatingbert.runs.record import RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A suite held against a store.

    Attributes:
        suite: whose cells they are.
        stock: what the store holds.
        states: cell id to how far it is.
        costs: cell id to what it will cost, for cells that are not done.
    """

    suite: Suite
    stock: Stock
    states: Mapping[str, State]
    costs: Mapping[str, Cost]

    @property
    def todo(self) -> list[SuiteCell]:
        """What a run would do, in the suite's order: grid minus store minus published; what failed is tried again."""
        return [one for one in self.suite.cells if self.states[one.id] is not State.DONE]

    def count(self, state: State) -> int:
        """How many cells are that far."""
        return sum(found is state for found in self.states.values())

    @property
    def records(self) -> list[RunRecord]:
        """The records of the suite's own cells that are done, in the suite's order."""
        return [self.stock.records[one.id] for one in self.suite.cells if one.id in self.stock.records]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Cells of one engine and checkpoint, for a table.

    Attributes:
        engine, model: whose cells.
        cells, done, failed, left: how many.
        seconds: of those not done, on one worker.
        memory_mib: of the largest of them.
        disk_mib: of all of them together.
        bases: what estimates are made of, with how many.
    """

    engine: str
    model: str
    cells: int
    done: int
    failed: int
    left: int
    seconds: float
    memory_mib: float
    disk_mib: float
    bases: Mapping[str, int]


def plan_suite(
    suite: Suite,
    store: Path,
    *,
    published: Path | None = None,
    past: Sequence[Path] = (),
    probed: Sequence[RunRecord] = (),
) -> Plan:
    """Hold a suite against a store.

    Args:
        suite: whose cells are wanted.
        store: the folder that holds their runs; it need not exist yet.
        published: a folder of published runs; their cells are done, too.
        past: further folders with records to estimate from.
        probed: records of a probe, to estimate from.
    """
    stock = take_stock(store, published)
    states = {one.id: stock.state_of(one) for one in suite.cells}
    todo = [one for one in suite.cells if states[one.id] is not State.DONE]
    costs = {}
    if todo:
        estimator = Estimator([*stock.records.values(), *past_records(*past), *probed])
        costs = {one.id: estimator.cost(one) for one in todo}
    return Plan(suite=suite, stock=stock, states=states, costs=costs)


def parts_of(plan: Plan) -> list[Part]:
    """The plan by engine and checkpoint, in the suite's order."""
    groups: dict[tuple[str, str], list[SuiteCell]] = {}
    for one in plan.suite.cells:
        groups.setdefault((one.cell.engine, one.config.model), []).append(one)
    return [_part(plan, engine, model, cells) for (engine, model), cells in groups.items()]


def _part(plan: Plan, engine: str, model: str, cells: Sequence[SuiteCell]) -> Part:
    states = Counter(plan.states[one.id] for one in cells)
    costs = [plan.costs[one.id] for one in cells if one.id in plan.costs]
    return Part(
        engine=engine,
        model=model,
        cells=len(cells),
        done=states[State.DONE],
        failed=states[State.FAILED],
        left=states[State.LEFT] + states[State.RUNNING],
        seconds=sum(cost.seconds for cost in costs),
        memory_mib=max((cost.memory_mib for cost in costs), default=0.0),
        disk_mib=sum(cost.disk_mib for cost in costs),
        bases=Counter(cost.basis for cost in costs),
    )


def uncertainty(plan: Plan) -> float:
    """How far off the time of the whole may be, as a factor: that of its parts, weighed by their seconds."""
    seconds = sum(cost.seconds for cost in plan.costs.values())
    return sum(SURENESS[cost.basis] * cost.seconds for cost in plan.costs.values()) / seconds if seconds else 1.0
