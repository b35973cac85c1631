"""The ladder: everybody on few rows, the better half on four times as many, until the best have seen all rows.

Successive halving (Jamieson and Talwalkar, 2016, Non-stochastic Best Arm Identification and Hyperparameter
Optimization, algorithm 1) with train rows as the resource and the development part as the judge. Learning curves cross,
which halving by itself does not know; so the best of each way of answering stays whatever its place, and nobody is
judged on a sample on which it has learnt nothing yet. The baselines, which cost next to nothing, climb to the top.
Time that is left there goes to the best of those that were trained for less than they could be.

Knows candidates, sizes and seconds, nothing of engines: whoever calls it makes the trials.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from beatingbert.decision.budget import Budget
from beatingbert.decision.candidates import ALWAYS, BY_PASSES, Candidate
from beatingbert.decision.climb import Climb, Left, Watch
from beatingbert.decision.costs import CostModel
from beatingbert.decision.halving import halve, hopeless
from beatingbert.decision.plans import Plan, Planner
from beatingbert.decision.trials import Judge, Trial
from beatingbert.errors import BeatingBertError
from beatingbert.report.text import duration

STEP = 4  # each rung has so many times the rows of the one below
MOST_RUNGS = 5
FEWEST_ROWS = 32
EARLY_SHARE = 0.45  # of the time, for all rungs but the last
ONE_SHARE = 0.4  # of what is left of that, for one trial
BASELINE_SHARE = 0.1  # of the time left, for a trial of a baseline below the top
CHEAP_SHARE = 0.05  # of the time left: whoever takes less goes first
PROBED_ROWS = 48  # and answers: of a trial whose only use is to tell how long larger ones take
PROBED_ANSWERS = 24
PROBING_SHARE = 0.12  # of the time, for all such trials together
PROBE_SHARE = 0.1  # of the time left, for one of them where less is free


class Attempt(Protocol):
    """Makes one trial."""

    def __call__(self, plan: Plan, *, deadline: float, accept: Callable[[Trial], bool]) -> Trial:
        """Fit and answer as planned until the `deadline`; a training stops early enough for the answers.

        The candidate's earlier classifier stays in its place where this fails or is interrupted, or where `accept` says
        no to what it gave.
        """


def rungs(rows: int, classes: int) -> tuple[int, ...]:
    """Train rows of each rung, smallest first: all of them, a quarter, a sixteenth, ...

    The smallest holds `FEWEST_ROWS` and a row of each class; there are `MOST_RUNGS` at most.
    """
    sizes = [rows]
    while len(sizes) < MOST_RUNGS and sizes[-1] // STEP >= max(FEWEST_ROWS, classes):
        sizes.append(sizes[-1] // STEP)
    return tuple(reversed(sizes))


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
        self._planner = Planner(costs, rows=sizes[-1], development=len(judge.gold), classes=classes)
        self._budget = budget
        self._reserve = reserve
        self._watch = watch
        self._early = EARLY_SHARE * (budget.left - reserve(candidates))
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
            self._train_longer()
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
            return self._planner.in_full(candidate, size)

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
        return candidate.engine not in BY_PASSES or self._teaches(size)

    def _teaches(self, size: int) -> bool:
        return size >= max(200, 5 * self._classes)

    def _try(self, candidate: Candidate, size: int, *, top: bool) -> None:
        """One trial, if there is time for it."""
        before = self.climb.latest(candidate)
        if top and not candidate.learns and before is not None and (why := self._hopeless(before)):
            self._leave(candidate, why)
            return
        plan = self._plan(candidate, size if candidate.learns else self.climb.sizes[0], top)
        if not plan.fits and self._probe(candidate, plan.room):
            plan = self._plan(candidate, plan.rows, top)
        tried = 0 if before is None else before.rows
        while top and candidate.learns and not plan.fits and plan.rows // 2 >= size // STEP and plan.rows // 2 > tried:
            plan = self._plan(candidate, plan.rows // 2, top)  # better half of the rows than none of the candidate
        if not any(candidate is one for one in self._alive):
            return  # it failed while it was probed
        if top and not candidate.learns and before is not None and (len(before.answers) >= plan.asked or not plan.fits):
            return
        if not plan.fits:
            if top or plan.expected > self._budget.left:
                self._leave(candidate, _no_time(self._plan(candidate, size, top)), out_of_time=True)
            return
        self._watch.begins(candidate, plan.rows, plan.expected, self._budget.left)
        trial = self._make(plan, early=not top)
        if trial is not None:
            self.climb.trials.append(trial)
            self._watch.ends(trial, self._judge.score(trial))
            if top:
                self._on_top.append(candidate)

    def _train_longer(self) -> None:
        """Give what time is left to those at the top that learnt from less than they could, the best of them first."""
        trials = {one: trial for one in self._on_top if (trial := self.climb.latest(one)) is not None}
        for candidate in sorted(trials, key=lambda one: -self._judge.score(trials[one])):
            plan = self._planner.longer(trials[candidate], self._budget.left - self._reserve(self._on_top))
            if plan is None:
                continue
            self._watch.begins(candidate, plan.rows, plan.expected, self._budget.left)
            no_worse = partial(self._is_no_worse, than=trials[candidate])
            try:
                trial = self._carry_out(plan, no_worse)
            except BeatingBertError:
                continue  # what it had learnt before still stands
            kept = no_worse(trial)
            self._watch.ends(trial, self._judge.score(trial), kept=kept)
            if kept:
                self.climb.trials.append(trial)

    def _is_no_worse(self, trial: Trial, than: Trial) -> bool:
        """On the rows that both answered, which are all that the earlier one answered."""
        ids = self._judge.common([trial, than])
        return len(ids) == len(than.answers) and self._judge.score(trial, ids) >= self._judge.score(than, ids)

    def _plan(self, candidate: Candidate, rows: int, top: bool) -> Plan:
        """The trial that there is time for, or the least of it where there is time for none."""
        room = self._budget.left - self._reserve([*self._on_top, candidate] if top else self._alive)
        if not top:  # baselines have a share of their own, lest they take that of the others
            baseline = candidate.engine in ALWAYS
            room = min(room, BASELINE_SHARE * self._budget.left if baseline else ONE_SHARE * max(0.0, self._early))
        return self._planner.plan(candidate, rows, room, whole=top)

    def _probe(self, candidate: Candidate, room: float) -> bool:
        """Whether a very small trial was made, which tells how long larger ones take better than any arithmetic."""
        if self._planner.knows(candidate) or not candidate.checkpoint:
            return False
        room = max(room, PROBE_SHARE * self._budget.left)
        plan = self._planner.probe(candidate, min(PROBED_ROWS, self.climb.sizes[-1]), PROBED_ANSWERS, room)
        if not plan.fits or self._probing > PROBING_SHARE * self._budget.seconds:
            return False
        begun = self._budget.spent
        made = self._make(plan, early=False)
        self._probing += self._budget.spent - begun
        return made is not None

    def _make(self, plan: Plan, *, early: bool) -> Trial | None:
        """Let the trial be made; None where it fails, and then the candidate has left."""
        candidate, begun = plan.candidate, self._budget.spent
        try:
            return self._carry_out(plan)
        except BeatingBertError as error:
            self._leave(candidate, " ".join(str(error).split()))
            return None
        finally:
            if early and candidate.engine not in ALWAYS:
                self._early -= self._budget.spent - begun

    def _carry_out(self, plan: Plan, accept: Callable[[Trial], bool] = lambda trial: True) -> Trial:
        """Make the trial and learn what it took."""
        trial = self._attempt(plan, deadline=self._budget.moment(plan.room), accept=accept)
        self._planner.observe(plan, trial.spent, share=trial.share, answered=len(trial.answers))
        return trial

    def _hopeless(self, trial: Trial) -> str | None:
        rivals = [found for one in self._on_top if (found := self.climb.latest(one)) is not None]
        return hopeless(trial, rivals, self._judge)

    def _halve(self, size: int) -> None:
        judged = [one for one in self._alive if not one.learns or one.is_constant or self._teaches(size)]
        tried = {one: trial for one in judged if (trial := self.climb.latest(one)) is not None}
        for candidate, reason in halve(tried, size, self._judge).items():
            self._leave(candidate, reason)

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


def _no_time(plan: Plan) -> str:
    what = f"with {plan.rows:,} rows" if plan.candidate.learns else "to be asked"
    fewest = f" and {plan.candidate.epochs[0]} epochs" if plan.candidate.epochs else ""
    takes, had = duration(max(plan.expected, 0.1)), duration(max(plan.room, 0.1))
    return f"would take about {takes} {what}{fewest}, and {had} were left for it"
