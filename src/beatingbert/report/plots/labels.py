"""Names beside what they name: no name lies on another, on a point, or outside the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

GAP = 4.0
"""Points between a dot and its name."""

REACHES = (1.0, 2.2)
"""How far away a name is tried, in gaps; farther away nobody would know whose it is."""

DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))
"""Right, left, above, below, and between."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels."""

    left: float
    bottom: float
    right: float
    top: float

    def meets(self, other: Box) -> bool:
        """Whether they share more than an edge."""
        return (
            self.left < other.right and other.left < self.right and self.bottom < other.top and other.bottom < self.top
        )

    def holds(self, other: Box) -> bool:
        """Whether the other lies inside."""
        return (
            self.left <= other.left
            and other.right <= self.right
            and self.bottom <= other.bottom
            and other.top <= self.top
        )


def place_names(
    axes: Axes,
    names: Sequence[str],
    positions: Sequence[tuple[float, float]],
    *,
    size: float,
    colours: Sequence[str],
    avoid: Sequence[Box] = (),
) -> list[str]:
    """Write each name where there is room for it, the first names first.

    The limits of the axes must be final, and its figure laid out: what is placed is measured in pixels.

    Args:
        axes: where to.
        names: in order of importance.
        positions: of the dots, in data coordinates.
        size: of the dots, in points.
        colours: of the names.
        avoid: what a name should not lie on either, unless there is no other room for it.

    Returns:
        Names for which there was no room; they are not written.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    scale = figure.dpi / 72
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]  # of the Agg canvas that a new figure has
    pixels = [(float(x), float(y)) for x, y in axes.transData.transform(list(positions))]
    half = size * scale / 2
    taken = [Box(x - half, y - half, x + half, y + half) for x, y in pixels]
    frame = axes.get_window_extent(renderer)
    inside = Box(frame.x0, frame.y0, frame.x1, frame.y1)
    left_out = []
    for name, (x, y), position, colour in zip(names, pixels, positions, colours, strict=True):
        text = axes.annotate(name, position, xytext=(0, 0), textcoords="offset points", va="bottom", color=colour)
        text.set_in_layout(False)
        extent = text.get_window_extent(renderer)
        around = (x, y), (extent.width, extent.height), half
        found = _find_room(*around, [*taken, *avoid], inside, scale) or _find_room(*around, taken, inside, scale)
        if found is None:
            text.remove()
            left_out.append(name)
            continue
        taken.append(found)
        text.xyann = ((found.left - x) / scale, (found.bottom - y) / scale)
    return left_out


def box_of(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> Box:
    """The box of a thin line, level or upright, between two points in data coordinates."""
    (left, bottom), (right, top) = axes.transData.transform([start, end]).tolist()
    return Box(left - 0.5, bottom - 0.5, right + 0.5, top + 0.5)


def extent_of(text: Text) -> Box:
    """The box of a text that is drawn."""
    extent = text.get_window_extent()
    return Box(extent.x0, extent.y0, extent.x1, extent.y1)


def _find_room(
    at: tuple[float, float],
    extent: tuple[float, float],
    half: float,
    taken: Sequence[Box],
    inside: Box,
    scale: float,
) -> Box | None:
    """The first free place round a dot."""
    x, y = at
    width, height = extent
    for reach in REACHES:
        away = half + reach * GAP * scale / 2
        for across, up in DIRECTIONS:
            left = x + across * away - (width if across < 0 else 0 if across > 0 else width / 2)
            bottom = y + up * away - (height if up < 0 else 0 if up > 0 else height / 2)
            box = Box(left, bottom, left + width, bottom + height)
            if inside.holds(box) and not any(box.meets(other) for other in taken):
                return box
    return None


def spread(wanted: Sequence[float], gap: float, *, low: float, high: float) -> list[float]:
    """Heights as near as can be to the wanted ones with at least `gap` between any two, in the order given.

    Neighbours that are too close are pushed apart evenly, as one block around their common middle. All lie between
    `low` and `high` if there is room for them.
    """

    def inside(middle: float, members: int) -> float:
        half = gap * (members - 1) / 2
        return (low + high) / 2 if low + half > high - half else min(max(middle, low + half), high - half)

    order = sorted(range(len(wanted)), key=lambda at: wanted[at])
    blocks: list[tuple[float, list[int]]] = []  # middle, members from the lowest
    for at in order:
        blocks.append((inside(wanted[at], 1), [at]))
        while len(blocks) > 1 and _top(blocks[-2], gap) + gap > _bottom(blocks[-1], gap):
            members = blocks[-2][1] + blocks[-1][1]
            # Least squares: the mean of where each member would put the block's middle.
            middle = sum(wanted[one] for one in members) / len(members)
            blocks[-2:] = [(inside(middle, len(members)), members)]
    placed = [0.0] * len(wanted)
    for block in blocks:
        for step, at in enumerate(block[1]):
            placed[at] = _bottom(block, gap) + step * gap
    assert all(placed[low] <= placed[high] for low, high in pairwise(order))
    return placed


def _bottom(block: tuple[float, list[int]], gap: float) -> float:
    return block[0] - gap * (len(block[1]) - 1) / 2


def _top(block: tuple[float, list[int]], gap: float) -> float:
    return block[0] + gap * (len(block[1]) - 1) / 2
