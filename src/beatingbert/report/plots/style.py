"""How every picture looks, and how it is saved: paper widths, one font size, colours that everyone can tell apart.

Colours are Okabe and Ito's and never the only sign: markers and line styles say the same. Texts come from data and
file names, so nothing in them is read as a formula. The same figure gives the same bytes.

matplotlib's object-oriented side alone is used: no window system, no state that two reports could share.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beatingbert.report.contenders import Kind

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

COLUMN, PAGE = 3.3, 6.9
"""Widths in inches: one column of a paper, and its whole page."""

POINTS = 8
"""Size of all text, in points; nothing is smaller than 7."""

BOLD_CHARACTER = 0.078
"""Inches that a character of a title takes in the mean, and a little more."""

PNG_DPI = 200

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY = "#6E6E6E"
"""Okabe and Ito (2008), jfly.uni-koeln.de/color, with a grey."""

LINES = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK, GREY)  # yellow does not show on white
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")

RC: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so every machine draws the same
    "font.size": POINTS,
    "figure.titlesize": POINTS,
    "axes.labelsize": POINTS,
    "axes.linewidth": 0.6,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.5,
    "xtick.labelsize": POINTS,
    "ytick.labelsize": POINTS,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "legend.fontsize": POINTS,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "lines.markersize": 4.5,
    "text.parse_math": False,
    "svg.fonttype": "none",  # text stays text: it can be searched, and edited
    "svg.hashsalt": "beatingbert",  # names inside the file do not change from run to run
    "figure.dpi": 100,
}


@dataclass(frozen=True, slots=True)
class Look:
    """How one kind of contender is drawn.

    Attributes:
        name: as the legend has it.
        colour, marker: matplotlib's.
    """

    name: str
    colour: str
    marker: str


LOOKS = {
    Kind.ENCODER: Look(Kind.ENCODER.words, BLUE, "o"),
    Kind.PROMPTED: Look(Kind.PROMPTED.words, VERMILLION, "s"),
    Kind.ADAPTED: Look(Kind.ADAPTED.words, GREEN, "D"),
    Kind.BASELINE: Look(Kind.BASELINE.words, GREY, "^"),
}


@contextmanager
def drawing() -> Iterator[None]:
    """All of a picture is drawn and saved inside; settings of the user's own do not reach it, nor it them."""
    import matplotlib as mpl

    with mpl.rc_context(), warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes; the SVG still holds its text.
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font")
        mpl.rcdefaults()
        mpl.rcParams.update(RC)  # type: ignore[arg-type]  # the names are checked when they are set
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches, laid out so that nothing is cut."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, folder: Path, name: str, *, formats: tuple[str, ...] = ("png", "svg")) -> list[Path]:
    """Write `name.png` and `name.svg`, each beside and then renamed; the files carry no date and no program version.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for ending in formats:
        path = folder / f"{name}.{ending}"
        beside = folder / f"{name}.{ending}.part"
        metadata = {"Software": None} if ending == "png" else {"Date": None, "Creator": None}
        figure.savefig(beside, format=ending, dpi=PNG_DPI, metadata=metadata)
        beside.replace(path)
        paths.append(path)
    return paths


def shorten(text: str, most: int) -> str:
    """The text on one line, with its middle left out where it is longer than `most` characters."""
    text = " ".join(text.split())
    if len(text) <= most:
        return text
    front = (most - 1) * 2 // 3
    return f"{text[:front]}…{text[len(text) - (most - 1 - front) :]}"


def ink_on(colour: Sequence[float]) -> str:
    """Black or white, whichever can be read better on a colour.

    Args:
        colour: red, green and blue, 0 to 1; more values are ignored.
    Source: contrast ratio of WCAG 2.1, section 1.4.3.
    """
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in colour[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    # Both contrasts are the same at this luminance: (1 + .05) / (L + .05) = (L + .05) / .05.
    return "black" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "white"


def tell_apart(looks: Sequence[Look]) -> list[tuple[str, str]]:
    """A colour and a marker for each of at most eight lines: the first of a kind has its kind's own."""
    given: list[tuple[str, str]] = []
    own = {(one.colour, one.marker) for one in looks}
    colours = [colour for colour in LINES if colour not in {colour for colour, _ in own}]
    markers = [marker for marker in MARKERS if marker not in {marker for _, marker in own}]
    for look in looks:
        first = (look.colour, look.marker)
        given.append(first if first not in given else (colours.pop(0), markers.pop(0)))
    return given


def set_title(figure: Figure, *lines: str) -> None:
    """The title over the whole width, at the left; a line that is too long loses its middle."""
    most = int(figure.get_size_inches()[0] / BOLD_CHARACTER)
    # Unlike an axes' title it may begin left of the axes, so a narrow picture has room for a name.
    figure.suptitle("\n".join(shorten(line, most) for line in lines), x=0.01, ha="left", fontweight="bold")


def show_looks_below(figure: Figure, looks: set[Look]) -> None:
    """A legend of the kinds that occur, in a fixed order, below the picture."""
    from matplotlib.lines import Line2D

    shown = [look for look in LOOKS.values() if look in looks]
    handles = [Line2D([], [], color=one.colour, marker=one.marker, linestyle="", label=one.name) for one in shown]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), handletextpad=0.1, columnspacing=1.2)


def plain_log_ticks(axis: Axis, unit: str) -> None:
    """Ticks of a logarithmic axis as a reader says them: 0.5, 20, 3,000; only powers of ten where there are many."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    low, high = axis.get_view_interval()
    decades = math.log10(high / low)
    steps = (1.0, 2.0, 5.0) if decades < 2.5 else (1.0, 3.0) if decades < 4 else (1.0,)
    behind = f" {unit}" if unit else ""
    axis.set_major_locator(LogLocator(base=10, subs=steps, numticks=20))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{_plain(value)}{behind}"))


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def lay_out(figure: Figure) -> None:
    """Give everything its place now, and keep it there: what is measured afterwards stays true."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
