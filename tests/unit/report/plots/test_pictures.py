import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from beatingbert.report.contenders import Kind
from beatingbert.report.plots import style
from beatingbert.report.plots.confusion import draw_confusion
from beatingbert.report.plots.heatmap import draw_heatmap
from beatingbert.report.plots.latency import draw_latency
from beatingbert.report.plots.learning import draw_learning
from beatingbert.report.plots.points import Curve, Level, Point
from beatingbert.report.plots.reliability import draw_reliability
from beatingbert.report.plots.scores import draw_scores

HOSTILE = "$x_1$ <script> & モデル"
LOOKS = tuple(style.LOOKS.values())


def points(count: int) -> list[Point]:
    return [
        Point(
            name=f"{HOSTILE} {at}",
            look=LOOKS[at % 4],
            value=50 + at % 40,
            low=48 + at % 40,
            high=53 + at % 40,
            seeds=(49 + at % 40, 51 + at % 40),
            milliseconds=1.5 * 1.1**at,
        )
        for at in range(count)
    ]


def scores(count: int) -> Figure:
    return draw_scores(points(count), title=HOSTILE, axis="accuracy, %")


def latency(count: int) -> Figure:
    levels = [Level(name="majority", look=style.LOOKS[Kind.BASELINE], value=50)]
    return draw_latency(points(count), title=HOSTILE, axis="accuracy, %", levels=levels)


def learning(count: int) -> Figure:
    curves = [
        Curve(
            name=f"{HOSTILE} {at}",
            look=LOOKS[at % 4],
            sizes=(100, 1000, 5000)[: 1 + at % 3],
            scores=((60.0, 62.0), (70.0 + at,), (80.0, 81.0, 85.0))[: 1 + at % 3],
        )
        for at in range(count)
    ]
    levels = [Level(name=f"level {at}", look=LOOKS[1], value=75 + 0.1 * at) for at in range(count)]
    return draw_learning(curves, levels, title=HOSTILE, axis="accuracy, %")


def confusion(count: int) -> Figure:
    counts = np.random.default_rng(0).integers(0, 3000, (count, count + 1)).tolist()
    return draw_confusion([f"{HOSTILE} {at}" for at in range(count)], counts, title=(HOSTILE, "task"))


def heatmap(count: int) -> Figure:
    values = np.random.default_rng(0).random((count, count))
    values[0, -1] = np.nan
    return draw_heatmap([f"{HOSTILE} {at}" for at in range(count)], values, title=HOSTILE, bar="shared")


def reliability(count: int) -> Figure:
    bins = [
        {"low": at / 15, "high": (at + 1) / 15, "count": at % 4, "confidence": at / 15 + 0.01, "accuracy": (at % 4) / 4}
        for at in range(15)
    ]
    return draw_reliability(bins[:count], title=(HOSTILE, "task"), ece=0.1)


PICTURES = [scores, latency, learning, confusion, heatmap, reliability]


@pytest.mark.parametrize("count", [1, 3, 14, 30])
@pytest.mark.parametrize("picture", PICTURES)
def test_nothing_is_cut_off_or_wider_than_a_page_whatever_is_drawn(
    picture: Callable[[int], Figure], count: int, tmp_path: Path
) -> None:
    with style.drawing():
        figure = picture(count)
        png, svg = style.save(figure, tmp_path, "picture")
        inked = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert width <= style.PAGE
    assert -0.01 <= inked.x0
    assert inked.x1 <= width + 0.01
    assert -0.01 <= inked.y0
    assert inked.y1 <= height + 0.01
    with Image.open(png) as image:
        assert image.size == pytest.approx((width * style.PNG_DPI, height * style.PNG_DPI), abs=1)
    assert ET.parse(svg).getroot().tag.endswith("svg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["picture.png", "picture.svg"]


@pytest.mark.parametrize("picture", PICTURES)
def test_the_same_figure_gives_the_same_bytes_whatever_the_user_has_set(
    picture: Callable[[int], Figure], tmp_path: Path
) -> None:
    with style.drawing():
        first = [path.read_bytes() for path in style.save(picture(3), tmp_path, "a")]
    with mpl.rc_context({"font.size": 30, "lines.linewidth": 9}):
        with style.drawing():
            second = [path.read_bytes() for path in style.save(picture(3), tmp_path, "b")]
        assert mpl.rcParams["font.size"] == 30
    assert first == second


def test_text_in_an_svg_is_text_and_never_markup_or_a_formula(tmp_path: Path) -> None:
    with style.drawing():
        _, svg = style.save(scores(3), tmp_path, "a")
    texts = ["".join(one.itertext()).strip() for one in ET.parse(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert f"{HOSTILE} 0" in texts
    assert "<script>" not in svg.read_text(encoding="utf-8")


def test_all_text_has_one_size(tmp_path: Path) -> None:
    for picture in PICTURES:
        with style.drawing():
            _, svg = style.save(picture(3), tmp_path, "a")
        sizes = re.findall(r"font-size: ([\d.]+)px", svg.read_text(encoding="utf-8"))
        assert sizes
        assert {float(size) for size in sizes} == {style.POINTS}, picture.__name__


def test_more_contenders_than_a_page_holds_are_said_to_be_left_out() -> None:
    with style.drawing():
        figure = scores(60)
    assert figure.get_suptitle().endswith("best 40 of 60")
    assert len(figure.axes[0].get_yticks()) == 40


def test_the_best_contender_is_on_top() -> None:
    with style.drawing():
        axes = scores(5).axes[0]
    assert axes.get_yticklabels()[0].get_text() == f"{HOSTILE} 4"
    low, high = axes.get_ylim()
    assert low > high


def test_dots_that_have_no_room_for_names_get_numbers_and_a_key() -> None:
    with style.drawing():
        texts = [text.get_text() for text in latency(40).axes[0].texts]
    (key,) = (text for text in texts if "\n" in text)
    assert key.splitlines()[0].startswith("1  ")
    assert key.splitlines()[-1] == "and 10 without a number"
    assert "1" in texts


def test_the_diagonal_of_a_heat_map_and_missing_numbers_are_not_drawn_as_numbers() -> None:
    with style.drawing():
        axes = heatmap(3).axes[0]
    assert len(axes.texts) == 9 - 3 - 1


@pytest.mark.parametrize("normalised", [False, True])
def test_the_column_of_unparsed_replies_is_there_where_there_are_any(normalised: bool) -> None:
    for unparsed, columns in ((0, 2), (3, 3)):
        with style.drawing():
            figure = draw_confusion(["a", "b"], [[5, 0, unparsed], [1, 4, 0]], title=("m",), normalised=normalised)
        texts = [text.get_text() for text in figure.axes[0].texts]
        assert len(texts) == 2 * columns
        assert texts[-1 if columns == 2 else -2] == ("80.0" if normalised else "4")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.3, 40, ["0.5 ms", "1 ms", "2 ms"]), (80, 90_000, ["100 ms", "300 ms", "1,000 ms"]), (1e-3, 1e4, ["0.001 ms"])],
)
def test_log_ticks_are_said_as_a_reader_says_them(low: float, high: float, expected: list[str]) -> None:
    with style.drawing():
        figure = style.new_figure(style.PAGE, 3)
        axes = figure.add_subplot()
        axes.set_xscale("log")
        axes.set_xlim(low, high)
        style.plain_log_ticks(axes.xaxis, "ms")
        figure.draw_without_rendering()
        inside = [
            label.get_text()
            for tick, label in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
            if low <= tick <= high
        ]
    assert inside[: len(expected)] == expected
    assert len(inside) >= 2


def test_eight_lines_are_told_apart_and_the_first_of_a_kind_has_its_own_look() -> None:
    looks = [LOOKS[at % 4] for at in range(8)]
    given = style.tell_apart(looks)
    assert given[:4] == [(one.colour, one.marker) for one in LOOKS]
    assert len({colour for colour, _ in given}) == len({marker for _, marker in given}) == 8
    assert len(set(style.tell_apart([style.LOOKS[Kind.ENCODER]] * 8))) == 8


def test_numbers_are_written_in_the_ink_that_can_be_read() -> None:
    assert [style.ink_on(one) for one in ((1, 1, 1), (0, 0, 0), (1, 1, 0), (0, 0, 1), (0.5, 0.5, 0.5, 1))] == [
        *("black", "white", "black", "white", "black")
    ]


def test_a_long_text_loses_its_middle() -> None:
    assert style.shorten("a  b\nc", 10) == "a b c"
    assert style.shorten("abcdefghijklmnop", 10) == "abcdef…nop"
    assert len(style.shorten("x" * 50, 21)) == 21


def test_drawing_needs_no_window_system_and_no_state_that_others_share() -> None:
    look = """
import sys
from beatingbert.report.contenders import Kind
from beatingbert.report.plots import style
with style.drawing():
    figure = style.new_figure(3, 2)
    figure.add_subplot().plot([1, 2])
    figure.draw_without_rendering()
print("matplotlib.pyplot" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
