import random
from itertools import combinations, pairwise

import numpy as np
import pytest
from matplotlib.text import Annotation
from scipy.optimize import minimize

from beatingbert.report.plots import style
from beatingbert.report.plots.labels import Box, extent_of, place_names, spread


def placed(count: int, seed: int) -> tuple[list[Box], list[Box], Box, list[str]]:
    """The boxes of names that were placed, of the dots and of the axes, and the names that were left out."""
    draw = random.Random(seed)
    positions = [(draw.random(), draw.random()) for _ in range(count)]
    with style.drawing():
        figure = style.new_figure(style.PAGE, 3.0)
        axes = figure.add_subplot()
        axes.set(xlim=(-0.1, 1.1), ylim=(-0.1, 1.1))
        style.lay_out(figure)
        names = [f"name {at} (of a model)" for at in range(count)]
        left_out = place_names(axes, names, positions, size=5, colours=[style.BLACK] * count)
        names_boxes = [extent_of(one) for one in axes.texts if isinstance(one, Annotation)]
        pixels = axes.transData.transform(positions).tolist()
        frame = axes.get_window_extent()
    dots = [Box(x - 3, y - 3, x + 3, y + 3) for x, y in pixels]
    return names_boxes, dots, Box(frame.x0, frame.y0, frame.x1, frame.y1), left_out


@pytest.mark.parametrize("count", [1, 8, 25, 60])
def test_no_name_lies_on_another_on_a_dot_or_outside(count: int) -> None:
    names, dots, frame, left_out = placed(count, seed=count)
    assert len(names) + len(left_out) == count
    assert names
    assert not any(one.meets(other) for one, other in combinations(names, 2))
    assert not any(name.meets(dot) for name in names for dot in dots)
    assert all(frame.holds(name) for name in names)


def test_few_names_all_find_room_and_the_first_ones_are_served_first() -> None:
    assert placed(6, seed=1)[3] == []
    left_out = placed(60, seed=60)[3]
    assert left_out
    assert "name 0 (of a model)" not in left_out


def test_heights_far_enough_apart_stay_where_they_are() -> None:
    assert spread([3.0, 1.0, 2.0], 0.5, low=0, high=4) == [3.0, 1.0, 2.0]
    assert spread([], 1, low=0, high=1) == []


def test_two_at_one_height_are_pushed_apart_evenly() -> None:
    assert spread([2.0, 2.0], 1.0, low=0, high=4) == [1.5, 2.5]
    assert spread([0.0, 0.0], 1.0, low=0, high=4) == [0.0, 1.0]
    assert spread([4.0, 4.0], 1.0, low=0, high=4) == [3.0, 4.0]


@pytest.mark.parametrize("seed", range(8))
def test_heights_are_the_nearest_ones_that_keep_the_gap(seed: int) -> None:
    draw = random.Random(seed)
    wanted = sorted(draw.uniform(0, 10) for _ in range(7))
    found = spread(wanted, 1.0, low=0, high=10)
    gaps = {"type": "ineq", "fun": lambda heights: np.diff(heights) - 1.0}
    start = np.linspace(0, 10, 7)
    best = minimize(lambda heights: ((heights - wanted) ** 2).sum(), start, bounds=[(0, 10)] * 7, constraints=[gaps])
    assert best.success
    assert found == pytest.approx(best.x, abs=1e-3)


def test_where_there_is_no_room_the_gap_is_kept_and_the_bounds_are_not() -> None:
    found = spread([1.0] * 5, 1.0, low=0, high=2)
    assert all(high - low == pytest.approx(1.0) for low, high in pairwise(sorted(found)))
    assert sum(found) / 5 == 1.0
