"""The ladder: everybody on few rows, the better half on four times as many, until the best have seen all rows.

Successive halving (Jamieson and Talwalkar, 2016, Non-stochastic Best Arm Identification and Hyperparameter
Optimization, algorithm 1) with train rows as the resource and the development part as the judge. Learning curves cross,
which halving by itself does not know; so the best of each way of answering stays whatever its place, and nobody is
judged on a sample on which it has learnt nothing yet. The baselines, which cost next to nothing, climb to the top.

Knows candidates, sizes and seconds, nothing of engines: whoever calls it makes the trials.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from beatingbert.decision.budget import Budget
from beatingbert.decision.candidates import ALWAYS, BY_PASSES, Candidate
from beatingbert.decision.costs import CostModel, Effort, judged_on
from beatingbert.decision.trials import METRIC_NAMES, Judge, Trial
from beatingbert.errors import BeatingBertError
from beatingbert.report.text import duration

STEP = 4  # each rung has so many times the rows of the one below
MOST_RUNGS = 5
FEWEST_ROWS = 32
PASSED_ROWS = 12_000  # rows times passes that a training gets where its limits allow
EARLY_SHARE = 0.45  # of the time, for all rungs but the last
ONE_SHARE = 0.4  # of what is left of that, for one trial
BASELINE_SHARE = 0.1  # of the time left, for a trial of a baseline below the top
CHEAP_SHARE = 0.05  # of the time left: whoever takes less goes first
PROBED_ROWS = 48  # and answers: of a trial whose only use is to tell how long larger ones take
PROBED_ANSWERS = 24
PROBING_SHARE = 0.12  # of the time, for all such trials together
FEWEST_ASKED = 50
HOPELESS = 0.15  # behind the best, on `FEWEST_ASKED` rows or more: three standard errors of an accuracy on 100
MOST_ASKED_EARLY = 200  # development rows that a prompted model answers before it has earned more


class Attempt(Protocol):
    """Makes one trial."""

    def __call__(self, candidate: Candidate, *, rows: int, epochs: int | None, asked: int, deadline: float) -> Trial:
        """Fit on `rows` train rows and answer `asked` development rows; a training stops at the `deadline`."""


class Watch:
    """Hears how the ladder is climbed; this one does nothing with it."""

    def begins(self, candidate: Candidate, rows: int, expected: float, left: float) -> None:
        """A trial begins that is expected to take so many seconds."""

    def ends(self, trial: Trial, score: float) -> None:
        """It has ended."""

    def leaves(self, candidate: Candidate, reason: str) -> None:
        """A candidate takes no further part."""


@dataclass(frozen=True, slots=True)
class Left:
    """A candidate that takes no further part, and why."""

    candidate: Candidate
    reason: str


@dataclass(slots=True, kw_only=True)
class Climb:
    """What came of it.

    Attributes:
        sizes: rows of each rung.
        trials: in the order in which they were made.
        left: who left the ladder, or was never on it, and why.
        finalists: who got to its top, best first on the development part.
        stopped: whether it was interrupted.
    """

    sizes: tuple[int, ...]
    trials: list[Trial] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    finalists: list[Candidate] = field(default_factory=list)
    stopped: bool = False

    def latest(self, candidate: Candidate) -> Trial | None:
        """The candidate's last trial."""
        return next((one for one in reversed(self.trials) if one.candidate is candidate), None)


def rungs(rows: int, classes: int) -> tuple[int, ...]:
    """Train rows of each rung, smallest first: all of them, a quarter, a sixteenth, ...

    The smallest holds `FEWEST_ROWS` and a row of each class; there are `MOST_RUNGS` at most.
    """
    sizes = [rows]
    while len(sizes) < MOST_RUNGS and sizes[-1] // STEP >= max(FEWEST_ROWS, classes):
        sizes.append(sizes[-1] // STEP)
    return tuple(reversed(sizes))


def passes(candidate: Candidate, rows: int) -> int | None:
    """How often a training goes over its rows where time is no matter; None where nothing is trained by passes."""
    if candidate.epochs is None:
        return None
    fewest, most = candidate.epochs
    return max(fewest, min(most, -(-PASSED_ROWS // rows)))


class Ladder:
    """Climbs.

    Args:
        candidates: who takes part.
        sizes: rows of each rung, from `rungs`.
        classes: how many there are.
        judge: scores trials.
        attempt: makes them.
        costs: says what they will take.
        budget: what there is.
        reserve: seconds to keep for what comes after, given who is still there.
        watch: hears how it goes.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        *,
        sizes: tuple[int, ...],
        classes: int,
        judge: Judge,
        attempt: Attempt,
        costs: CostModel,
        budget: Budget,
        reserve: Callable[[Sequence[Candidate]], float],
        watch: Watch,
    ) -> None:
        self._alive = list(candidates)
        self._classes = classes
        self._judge = judge
        self._attempt = attempt
        self._costs = costs
        self._budget = budget
        self._reserve = reserve
        self._watch = watch
        self._early = EARLY_SHARE * (budget.left - reserve(candidates))
        self._loaded: set[str] = set()
        self._on_top: list[Candidate] = []
        self._probing = 0.0  # seconds
        self._stranded: list[Candidate] = []  # on their way, when the time for the next rung was gone
        self.climb = Climb(sizes=sizes)

    def run(self) -> Climb:
        """Climb to the top, or as far as the time or Ctrl-C allows."""
        climb = self.climb
        try:
            for size in climb.sizes:
                self._rung(size, top=size == climb.sizes[-1])
        except KeyboardInterrupt:
            climb.stopped = True
        climb.finalists = self._finalists()
        return climb

    def _rung(self, size: int, *, top: bool) -> None:
        for candidate in self._order(top):
            if not top and not self._enters(candidate, size):
                continue
            if not candidate.learns and self.climb.latest(candidate) is not None and not top:
                continue  # more rows make no difference to whoever learns from none
            self._try(candidate, size, top=top)
        if not top:
            self._halve(size)

    def _order(self, top: bool) -> list[Candidate]:
        """Below the top the cheapest first; at the top the cheap ones, then the most promising."""
        size = self.climb.sizes[-1 if top else 0]

        def seconds(candidate: Candidate) -> float:
            return self._costs.expect(candidate, self._effort(candidate, size, passes(candidate, size), None)).total

        if not top:
            return sorted(self._alive, key=seconds)

        def promise(candidate: Candidate) -> tuple[bool, float]:
            takes, trial = seconds(candidate), self.climb.latest(candidate)
            if takes <= CHEAP_SHARE * self._budget.left:
                return False, takes
            return True, -self._judge.score(trial) if trial is not None else 1.0

        return sorted(self._alive, key=promise)

    def _enters(self, candidate: Candidate, size: int) -> bool:
        """Whether so few rows teach it anything: a fresh head knows nothing of any class."""
        return candidate.engine not in BY_PASSES or size >= max(200, 5 * self._classes)

    def _try(self, candidate: Candidate, size: int, *, top: bool) -> None:
        """One trial, if there is time for it."""
        before = self.climb.latest(candidate)
        if top and not candidate.learns and before is not None and (why := self._hopeless(before)):
            self._leave(candidate, why)
            return
        rows = size if candidate.learns else self.climb.sizes[0]
        room, epochs, asked, expected = self._plan(candidate, rows, top)
        if expected > room and self._probe(candidate, room):
            room, epochs, asked, expected = self._plan(candidate, rows, top)
        tried = 0 if before is None else before.rows
        while top and candidate.learns and expected > room and rows // 2 >= size // STEP and rows // 2 > tried:
            rows //= 2  # better half of the rows than none of the candidate
            room, epochs, asked, expected = self._plan(candidate, rows, top)
        if not any(candidate is one for one in self._alive):
            return  # it failed while it was probed
        if top and not candidate.learns and before is not None and (len(before.answers) >= asked or expected > room):
            return
        if expected > room:
            if top or expected > self._budget.left:
                room, _, _, expected = self._plan(candidate, size, top)
                self._leave(candidate, _no_time(candidate, size, expected, room), out_of_time=True)
            return
        self._watch.begins(candidate, rows, expected, self._budget.left)
        trial = self._make(candidate, rows, epochs, asked, room, top)
        if trial is not None:
            self.climb.trials.append(trial)
            self._watch.ends(trial, self._judge.score(trial))
            if top:
                self._on_top.append(candidate)

    def _plan(self, candidate: Candidate, rows: int, top: bool) -> tuple[float, int | None, int, float]:
        """Seconds that the trial may take, passes and answers that fit into them, and seconds that it is to take."""
        room = self._budget.left - self._reserve([*self._on_top, candidate] if top else self._alive)
        if not top:  # baselines have a share of their own, lest they take that of the others
            room = min(room, BASELINE_SHARE * self._budget.left if candidate.engine in ALWAYS else self._one_share())
        asked, epochs = self._asked(candidate, room, top), passes(candidate, rows)
        expected = self._costs.expect(candidate, self._effort(candidate, rows, epochs, asked)).total
        while epochs is not None and candidate.epochs is not None and expected > room and epochs > candidate.epochs[0]:
            epochs -= 1
            expected = self._costs.expect(candidate, self._effort(candidate, rows, epochs, asked)).total
        return room, epochs, asked, expected

    def _one_share(self) -> float:
        return ONE_SHARE * max(0.0, self._early)

    def _probe(self, candidate: Candidate, room: float) -> bool:
        """Whether a very small trial was made, which tells how long larger ones take better than any arithmetic."""
        if self._costs.knows(candidate) or not candidate.checkpoint:
            return False
        rows, epochs = min(PROBED_ROWS, self.climb.sizes[-1]), None if candidate.epochs is None else 1
        expected = self._costs.expect(candidate, self._effort(candidate, rows, epochs, PROBED_ANSWERS)).total
        if expected > max(room, 0.1 * self._budget.left) or self._probing > PROBING_SHARE * self._budget.seconds:
            return False
        begun = self._budget.spent
        made = self._make(candidate, rows, epochs, PROBED_ANSWERS, max(room, 0.1 * self._budget.left), True)
        self._probing += self._budget.spent - begun
        return made is not None

    def _make(
        self, candidate: Candidate, rows: int, epochs: int | None, asked: int, room: float, top: bool
    ) -> Trial | None:
        """Let the trial be made and learn what it took; None where it fails, and then the candidate has left."""
        effort, begun = self._effort(candidate, rows, epochs, asked), self._budget.spent
        try:
            deadline = self._budget.moment(room)
            trial = self._attempt(candidate, rows=rows, epochs=epochs, asked=asked, deadline=deadline)
        except (BeatingBertError, MemoryError) as error:
            self._leave(candidate, " ".join(str(error).split()) or "the machine's memory does not hold it")
            return None
        finally:
            if not top and candidate.engine not in ALWAYS:
                self._early -= self._budget.spent - begun
        self._loaded.add(_weights_of(candidate))
        judged = round((effort.answers - asked) * trial.share)
        done = replace(effort, passes=effort.passes * trial.share, answers=judged + len(trial.answers))
        self._costs.observe(candidate, done, trial.spent)
        return trial

    def _hopeless(self, trial: Trial) -> str | None:
        """Why a prompted model need not be asked any more; None where it may still be among the best."""
        if not self._on_top:
            return None
        latest = {one: found for one in self._on_top if (found := self.climb.latest(one)) is not None}
        ids = self._judge.common([trial, *latest.values()])
        if len(ids) < FEWEST_ASKED:
            return None
        scores = {one: self._judge.score(found, ids) for one, found in latest.items()}
        best = max(scores, key=lambda one: scores[one])
        scores[trial.candidate] = self._judge.score(trial, ids)
        if scores[trial.candidate] + HOPELESS >= scores[best]:
            return None
        return self._behind(trial.candidate, best, scores, trial.rows)

    def _asked(self, candidate: Candidate, room: float, top: bool) -> int:
        """How many development rows it answers: all, or as many as time allows."""
        rows = len(self._judge.gold)
        one = self._costs.expect(candidate, Effort(rows=0, passes=0, answers=1, loads=False)).answer
        most = rows if top or candidate.learns else min(rows, MOST_ASKED_EARLY)
        return max(min(most, FEWEST_ASKED), min(most, int(0.6 * max(0.0, room) / max(one, 1e-9))))

    def _effort(self, candidate: Candidate, rows: int, epochs: int | None, asked: int | None) -> Effort:
        all_asked = len(self._judge.gold)
        held_out = judged_on(rows, all_rows=self.climb.sizes[-1], development=all_asked)
        judged = held_out * (epochs or 0)
        read = held_out if candidate.engine == "embedding" else 0  # as often as a row of train: once
        return Effort(
            rows=rows + read if candidate.learns else 0,
            passes=epochs or 1,
            answers=judged + (all_asked if asked is None else asked),
            loads=candidate.engine in BY_PASSES or _weights_of(candidate) not in self._loaded,
        )

    def _halve(self, size: int) -> None:
        """Keep the better half of those that can be judged, and the best of each way of answering."""
        tried = {one: trial for one in self._alive if (trial := self.climb.latest(one)) is not None}
        judged = {
            one: trial
            for one, trial in tried.items()
            if one.engine not in ALWAYS and (trial.rows == size or not one.learns)
        }
        if len(judged) < 2:
            return
        ids = self._judge.common(list(judged.values()))
        scores = {one: self._judge.score(trial, ids) for one, trial in judged.items()}
        floor = max((self._judge.score(t, ids) for one, t in tried.items() if one.is_constant), default=0.0)
        ranked = sorted(judged, key=lambda one: -scores[one])
        kept = set(map(id, ranked[: -(-len(ranked) // 2)]))
        seen: set[str] = set()
        for one in ranked:
            if one.engine not in seen or (scores[one] <= floor and one.learns):
                kept.add(id(one))
            seen.add(one.engine)
        for one in ranked:
            if id(one) not in kept:
                self._leave(one, self._behind(one, ranked[0], scores, judged[one].rows))

    def _behind(self, one: Candidate, best: Candidate, scores: dict[Candidate, float], rows: int) -> str:
        name = METRIC_NAMES[self._judge.metric]
        sample = f"after {rows:,} rows" if one.learns else "as it is"
        return f"{sample} {name} {100 * scores[one]:.1f} on development, where {best.name} had {100 * scores[best]:.1f}"

    def _leave(self, candidate: Candidate, reason: str, *, out_of_time: bool = False) -> None:
        self._alive = [one for one in self._alive if one is not candidate]
        if out_of_time:
            self._stranded.append(candidate)
        self.climb.left.append(Left(candidate, reason))
        self._watch.leaves(candidate, reason)

    def _finalists(self) -> list[Candidate]:
        """Those at the top; where nobody got there, those that had been tried and were still on their way."""
        latest = {
            one: trial for one in (*self._alive, *self._stranded) if (trial := self.climb.latest(one)) is not None
        }
        top = [one for one in self._alive if one in latest and (not one.learns or one in self._on_top)]
        reached = top if any(one.learns and not one.is_constant for one in top) else list(latest)
        self.climb.left = [one for one in self.climb.left if all(one.candidate is not other for other in reached)]
        return sorted(reached, key=lambda one: -self._judge.score(latest[one]))


def _weights_of(candidate: Candidate) -> str:
    """What is loaded once and shared; whoever trains weights loads them anew every time."""
    return f"{candidate.engine} {candidate.checkpoint}"


def _no_time(candidate: Candidate, rows: int, expected: float, room: float) -> str:
    what = f"with {rows:,} rows" if candidate.learns else "to be asked"
    fewest = f" and {candidate.epochs[0]} epochs" if candidate.epochs else ""
    takes, had = duration(max(expected, 0.1)), duration(max(room, 0.1))
    return f"would take about {takes} {what}{fewest}, and {had} were left for it"
