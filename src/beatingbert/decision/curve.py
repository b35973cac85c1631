"""What labelled rows bring: learning curves from the rungs, where they cross a prompted model, what is to come.

All scores are on the development part. Bands are from redrawing its rows within classes, the same rows for
everybody, so they answer for other rows and not for other samples of train.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from beatingbert.decision.candidates import Candidate
from beatingbert.decision.trials import MEASURES, Judge, Metric, Trial
from beatingbert.statistics.confusion import UNPARSED
from beatingbert.statistics.crossing import rows_from_which
from beatingbert.statistics.intervals import Interval

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    IntArray = npt.NDArray[np.int64]
    FloatArray = npt.NDArray[np.float64]

LEVEL = 0.95
DRAWS = 400
ALONE = 5  # rows of a class that are redrawn among themselves; a single one would be the same row in every draw
FEWEST_SIZES = 3  # through which a curve of three numbers may be laid at all
LATEST_SIZES = 4  # that decide how it goes on
EXPONENTS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.3, 1.6, 2.0)


@dataclass(frozen=True, slots=True)
class Point:
    """The score with so many train rows; of a prompted model 0."""

    rows: int
    score: Interval


@dataclass(frozen=True, slots=True)
class Curve:
    """One candidate's scores, ascending by rows; a single point for a prompted one."""

    candidate: Candidate
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """Where a trained candidate overtakes the best prompted one.

    Attributes:
        prompted, trained: who is compared.
        kind: "crosses" within the data; "trained ahead" from the fewest rows that were tried on; "prompted ahead" to
            the last.
        rows: where they cross; None unless they do.
        low, high: the band around it; 0 stands for fewer than were tried on, infinity for more than there are.
        fewest, most: rows between which was looked.
    """

    prompted: str
    trained: str
    kind: Literal["crosses", "trained ahead", "prompted ahead"]
    rows: float | None
    low: float
    high: float
    fewest: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What more rows would probably bring, beyond what was measured: an extrapolation.

    Attributes:
        candidate: whose curve is continued.
        rows: of train, more than there are.
        score: with the band of the rows' chance; that the law holds on is not in it.
        now: the score with the rows that there are.
    """

    candidate: str
    rows: int
    score: Interval
    now: float


def curves_of(trials: Sequence[Trial], judge: Judge, *, seed: int) -> tuple[Curve, ...]:
    """One curve per candidate, in the order of their first trials; of two trials on as many rows the later counts."""
    curves = []
    for candidate in dict.fromkeys(trial.candidate for trial in trials):
        own = _latest_by_size([trial for trial in trials if trial.candidate is candidate])
        points = []
        for rows, trial in own.items():
            drawn = draw_scores([trial], judge, seed=seed)[:, 0]
            points.append(Point(rows, _interval(judge.score(trial), drawn)))
        curves.append(Curve(candidate, tuple(points)))
    return tuple(curves)


def find_crossing(trials: Sequence[Trial], judge: Judge, trained: Candidate, *, seed: int) -> Crossing | None:
    """Where `trained` overtakes the best prompted candidate for good; None where nobody was prompted.

    Between two sizes scores are laid on a line over the logarithm of the rows.
    """
    import numpy as np

    curve = _latest_by_size([trial for trial in trials if trial.candidate is trained])
    prompted = _best_prompted(trials, judge)
    if prompted is None or not curve or not trained.learns:
        return None
    sizes = np.array(list(curve), dtype=float)
    compared = [prompted, *curve.values()]
    ids = judge.common(compared)
    if len(ids) < 2:
        return None
    values = np.array([[judge.score(trial, ids) for trial in compared]])
    drawn = draw_scores(compared, judge, seed=seed, ids=ids)
    found = float(rows_from_which(sizes, values[:, 1:] - values[:, :1])[0])
    at = np.sort(rows_from_which(sizes, drawn[:, 1:] - drawn[:, :1]))
    low, high = (float(at[_place(share, len(at))]) for share in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    crosses = 0 < found < math.inf
    return Crossing(
        prompted=prompted.candidate.name,
        trained=trained.name,
        kind="crosses" if crosses else "trained ahead" if found == 0 else "prompted ahead",
        rows=found if crosses else None,
        low=min(low, found),
        high=max(high, found),
        fewest=int(sizes[0]),
        most=int(sizes[-1]),
    )


def look_ahead(
    trials: Sequence[Trial], judge: Judge, candidate: Candidate, *, times: Sequence[int] = (2, 4), seed: int
) -> tuple[Outlook, ...]:
    """The candidate's curve continued by a power law; nothing where there are too few sizes, or it does not rise.

    score(rows) = a - b rows^-c with a of at most 1, b from 0 on and c of `EXPONENTS`, by least squares over the latest
    sizes.

    Source: Hestness et al. (2017), Deep Learning Scaling is Predictable, Empirically, section 2; Viering and Loog
    (2023), The Shape of Learning Curves, section 3.1, where this form with an asymptote does well on error rates.
    """
    import numpy as np

    curve = _latest_by_size([trial for trial in trials if trial.candidate is candidate])
    if not candidate.learns or candidate.is_constant or len(curve) < FEWEST_SIZES:
        return ()
    sizes, own = np.array(list(curve), dtype=float)[-LATEST_SIZES:], list(curve.values())[-LATEST_SIZES:]
    ids = judge.common(own)
    values = np.array([[judge.score(trial, ids) for trial in own]])
    if values[0, -1] <= values[0, 0]:
        return ()
    targets = np.array([factor * sizes[-1] for factor in times])
    point = continue_curve(sizes, values, targets)[0]
    drawn = continue_curve(sizes, draw_scores(own, judge, seed=seed, ids=ids), targets)
    now = float(values[0, -1])
    return tuple(
        Outlook(candidate=candidate.name, rows=int(rows), score=_interval(max(now, float(value)), column), now=now)
        for rows, value, column in zip(targets, point, drawn.T, strict=True)
    )


def continue_curve(sizes: FloatArray, scores: FloatArray, targets: FloatArray) -> FloatArray:
    """Power laws through scores of shape (draws, sizes), read at `targets`; shape (draws, targets).

    For each exponent the other two numbers follow by linear least squares, so all draws are done at once and none can
    fail to converge.
    """
    import numpy as np

    best = np.full(len(scores), np.inf)
    found = np.repeat(scores[:, -1:], len(targets), axis=1)
    for exponent in EXPONENTS:
        x, ahead = sizes**-exponent, targets**-exponent
        centred = x - x.mean()
        slope = (scores * centred).sum(axis=1) / (centred**2).sum()
        b = np.maximum(0.0, -slope)
        a = scores.mean(axis=1) + b * x.mean()
        over = a > 1
        b = np.where(over, np.maximum(0.0, ((1 - scores) * x).sum(axis=1) / (x**2).sum()), b)
        a = np.where(over, 1.0, a)
        miss = ((scores - (a[:, None] - b[:, None] * x)) ** 2).sum(axis=1)
        better = miss < best - 1e-15
        best = np.where(better, miss, best)
        found = np.where(better[:, None], a[:, None] - b[:, None] * ahead, found)
    return found


def draw_scores(trials: Sequence[Trial], judge: Judge, *, seed: int, ids: Sequence[str] | None = None) -> FloatArray:
    """Scores on redrawn development rows, shape (`DRAWS`, trials); a draw has the same rows for all trials.

    Rows are redrawn within their class, those of small classes within all of these together.
    """
    import numpy as np

    chosen = judge.common(trials) if ids is None else ids
    gold, *answers = judge.codes(chosen, *trials)
    classes = int(gold.max()) + 1
    generator = np.random.default_rng(seed)
    pools = _pools(gold)
    places = np.empty((DRAWS, len(gold)), dtype=np.int64)
    start = 0
    for pool in np.unique(pools):
        own = np.flatnonzero(pools == pool)
        places[:, start : start + len(own)] = own[generator.integers(len(own), size=(DRAWS, len(own)))]
        start += len(own)
    cells = classes * (classes + 1)
    offsets = np.arange(DRAWS)[:, None] * cells
    columns = []
    for answered in answers:
        flat = gold * (classes + 1) + np.where(answered == UNPARSED, classes, answered)
        tallies = np.bincount((flat[places] + offsets).ravel(), minlength=DRAWS * cells)
        columns.append(_measure(judge.metric, tallies.reshape(DRAWS, classes, classes + 1)))
    scores: FloatArray = np.stack(columns, axis=1)
    return scores


def _pools(gold: IntArray) -> IntArray:
    """Each row's pool, within which it is redrawn: its class, or -1 for the small classes together.

    Where these have fewer than `ALONE` rows between them, the next larger class joins them.
    """
    import numpy as np

    counts = np.bincount(gold)
    pooled: list[int] = []
    for code in np.argsort(counts, kind="stable").tolist():
        held = int(counts[pooled].sum())
        if counts[code] < ALONE or 0 < held < ALONE:
            pooled.append(code)
    return np.where(np.isin(gold, pooled), -1, gold)


def _measure(metric: Metric, confusion: IntArray) -> FloatArray:
    """The metric of each draw, shape (draws,); macro-F1 of the classes that the draw has.

    In a draw from a pool a class may have no row, which says nothing of how well it is told; its F1 counts as 0 in the
    mean over all classes.
    """
    import numpy as np

    found = MEASURES[metric](confusion)
    if metric != "macro_f1":
        return found
    present = (confusion.sum(axis=-1) > 0).sum(axis=-1)
    means: FloatArray = found * confusion.shape[-2] / np.maximum(present, 1)
    return means


def best_learner(trials: Sequence[Trial], judge: Judge) -> Candidate | None:
    """The trained candidate with the best score on the most rows that any was trained on."""
    learners = [trial for trial in trials if trial.candidate.learns and not trial.candidate.is_constant]
    if not learners:
        return None
    most = max(trial.rows for trial in learners)
    return max((one for one in learners if one.rows == most), key=judge.score).candidate


def _best_prompted(trials: Sequence[Trial], judge: Judge) -> Trial | None:
    found: dict[Candidate, Trial] = {one.candidate: one for one in trials if not one.candidate.learns}
    if not found:
        return None
    ids = judge.common(list(found.values()))
    return max(found.values(), key=lambda trial: judge.score(trial, ids or None))


def _latest_by_size(trials: Sequence[Trial]) -> dict[int, Trial]:
    latest = {trial.rows if trial.candidate.learns else 0: trial for trial in trials}
    return dict(sorted(latest.items()))


def _interval(value: float, drawn: FloatArray) -> Interval:
    import numpy as np

    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    return Interval(value, min(low, value), max(high, value), LEVEL)


def _place(share: float, count: int) -> int:
    return min(count - 1, max(0, round(share * (count - 1))))
