import random

import pytest

from beatingbert.report.plots.latency import pareto_front


def test_the_front_of_a_case_worked_by_hand() -> None:
    costs = [10, 1, 5, 5, 20, 7]
    gains = [90, 50, 80, 70, 90, 80]
    assert pareto_front(costs, gains) == [1, 2, 0]


@pytest.mark.parametrize("seed", range(20))
def test_exactly_those_whom_nobody_beats_are_on_the_front(seed: int) -> None:
    draw = random.Random(seed)
    points = [(draw.randint(1, 8), draw.randint(1, 8)) for _ in range(12)]

    def beaten(at: int) -> bool:
        cost, gain = points[at]
        return any(c <= cost and g >= gain and (c, g) != (cost, gain) for c, g in points)

    front = pareto_front([cost for cost, _ in points], [gain for _, gain in points])
    assert sorted(front) == [at for at in range(len(points)) if not beaten(at)]
    assert [points[at] for at in front] == sorted(points[at] for at in front)


def test_nobody_has_no_front() -> None:
    assert pareto_front([], []) == []
