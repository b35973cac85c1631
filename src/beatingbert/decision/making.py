"""Making a decision: candidates climb the ladder, those at its top answer the test rows once, one is recommended."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from beatingbert.classifiers.kept import FOLDER, keep_classifier
from beatingbert.decision.bench import REFITS, Bench
from beatingbert.decision.budget import Budget
from beatingbert.decision.candidates import Candidate
from beatingbert.decision.choice import Finalist, as_finalist, choose, pareto_front
from beatingbert.decision.climb import Climb, Left, Watch
from beatingbert.decision.costs import CostModel, Effort, judged_on
from beatingbert.decision.curve import best_learner, curves_of, find_crossing, look_ahead
from beatingbert.decision.decision import Decision
from beatingbert.decision.entrants import admit, reckon, require_decidable
from beatingbert.decision.finals import answer_test
from beatingbert.decision.grounds import Timing
from beatingbert.decision.ladder import Ladder, rungs
from beatingbert.decision.second_look import SecondLook, look_again
from beatingbert.decision.trials import Judge
from beatingbert.decision.wishes import Wishes
from beatingbert.errors import BeatingBertError, SettingsError
from beatingbert.progress import Progress, silent
from beatingbert.prompts.template import load_template
from beatingbert.report.text import duration
from beatingbert.tasks.example import Example
from beatingbert.tasks.spec import Task
from beatingbert.tasks.splits import Splits

AFTERWARDS_SHARE = 0.06  # of the budget, for the second look and for writing everything down
ANSWERING_SHARE = 0.3  # of the budget, that answering the test rows may be kept free for at most
OVERRUN = 1.1  # by which a final answer may miss the budget
LAST_FIT_SHARE = 0.35  # of what learning took; four strengths and more have been tried, and texts are read already
FINAL_SECONDS = 4.0  # that each final takes besides loading and answers: a process of its own, and latency


@dataclass(slots=True, kw_only=True)
class Making:
    """A decision in the making.

    Attributes:
        task, splits: the data; `splits.evaluation` is read at the end and not before.
        wishes: what is asked.
        candidates: who takes part.
        folder: fresh; whatever is made lies there.
        budget: the time, which is running.
        watch: hears how the ladder is climbed.
        progress: told while engines work.
        findings: what was noticed about the data, a sentence each.
        apart: whether each finalist answers in a process of its own, where its memory is its own.
    """

    task: Task
    splits: Splits
    wishes: Wishes
    candidates: Sequence[Candidate]
    folder: Path
    budget: Budget
    watch: Watch
    progress: Progress = silent
    findings: Sequence[str] = ()
    apart: bool = True

    def decide(self) -> Decision:
        """Make it, and write it down.

        Raises:
            TooFewExamplesError: too few rows or labels, or too many labels.
            SettingsError: nobody could be tried under this budget and these limits; nothing is left behind.
        """
        require_decidable(self.task.labels, self.splits)
        judge = Judge(self.splits.development, self.wishes.metric)
        prompt_sha256 = load_template(self.task).sha256
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            able, left = admit(self.candidates, self.wishes.limits, self.budget, self.progress)
            for one in left:
                self.watch.leaves(one.candidate, one.reason)
            costs = reckon(able, self.task.labels, self.splits.train)
            bench = Bench(
                self.task,
                self.splits.train,
                self.splits.development,
                provenance=self.splits.provenance,
                runs=self.folder / "runs",
                prompt_sha256=prompt_sha256,
                metric=self.wishes.metric,
                limits=self.wishes.limits,
                seed=self.wishes.seed,
                progress=self.progress,
                clock=self.budget.clock,
            )
            climb = self._climb(able, judge, bench, costs)
            climb.left[:0] = left
            self._require_somebody(climb)
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        finalists, stopped = self._finals(climb, judge, bench, costs)
        return self._conclude(climb, judge, bench, finalists, stopped=climb.stopped or stopped)

    def _test(self) -> list[Example]:
        return next(iter(self.splits.evaluation.values()), [])

    def _climb(self, able: Sequence[Candidate], judge: Judge, bench: Bench, costs: CostModel) -> Climb:
        tests = len(self._test())

        def reserve(alive: Sequence[Candidate]) -> float:
            answering = sum(
                _final_seconds(costs, one, tests) + _last_fit_seconds(costs, one, len(self.splits.train))
                for one in alive
                if one.learns
            )
            most = ANSWERING_SHARE * self.budget.seconds
            return AFTERWARDS_SHARE * self.budget.seconds + min(most, answering)

        classes = len(self.task.labels)
        ladder = Ladder(
            able,
            sizes=rungs(len(self.splits.train), classes),
            classes=classes,
            judge=judge,
            attempt=bench.attempt,
            costs=costs,
            budget=self.budget,
            reserve=reserve,
            watch=self.watch,
        )
        return ladder.run()

    def _require_somebody(self, climb: Climb) -> None:
        if any(not one.is_constant for one in climb.finalists):
            return
        if climb.stopped:
            raise KeyboardInterrupt
        told = "; ".join(f"{one.candidate.name}: {one.reason}" for one in climb.left)
        raise SettingsError(
            f"nobody could be tried within {duration(self.budget.seconds)} and the limits, so nothing is decided. "
            f"{told}. "
            "Raise --budget or the limits"
        )

    def _finals(self, climb: Climb, judge: Judge, bench: Bench, costs: CostModel) -> tuple[list[Finalist], bool]:
        """Let those at the top answer what is reported; returns them, and whether this was interrupted."""
        found: list[Finalist] = []
        try:
            for place, candidate in enumerate(climb.finalists):
                takes = _final_seconds(costs, candidate, len(self._test()))
                able = [one for one in found if not one.candidate.is_constant]
                if able and takes > self.budget.left + (OVERRUN - 1) * self.budget.seconds:
                    reason = f"got to the end, but answering the test rows would take about {duration(takes)}"
                    climb.left.append(Left(candidate, reason))
                    self.watch.leaves(candidate, reason)
                    continue
                try:
                    coming = sum(_final_seconds(costs, one, len(self._test())) for one in climb.finalists[place:])
                    # Should it take longer than that, the second look, which comes last, has less time or none.
                    if not climb.stopped and self._last_fit(candidate, climb, costs) <= self.budget.left - coming:
                        bench.refit(candidate)
                    found.append(self._final(candidate, climb, judge, bench))
                except BeatingBertError as error:
                    reason = f"got to the end, but failed on the test rows: {' '.join(str(error).split())}"
                    climb.left.append(Left(candidate, reason))
                    self.watch.leaves(candidate, reason)
        except KeyboardInterrupt:
            return found, True
        if not found:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise SettingsError(f"nobody could answer the test rows. {'; '.join(one.reason for one in climb.left)}")
        return found, False

    def _last_fit(self, candidate: Candidate, climb: Climb, costs: CostModel) -> float:
        """Seconds of the last fit; on few rows only some development rows have been read, so the others are to come."""
        trial = climb.latest(candidate)
        assert trial is not None
        development = len(self.splits.development)
        judged = judged_on(trial.rows, all_rows=len(self.splits.train), development=development)
        return _last_fit_seconds(costs, candidate, trial.rows, unread=development - judged)

    def _final(self, candidate: Candidate, climb: Climb, judge: Judge, bench: Bench) -> Finalist:
        trial = climb.latest(candidate)
        assert trial is not None
        record, predictions = answer_test(
            bench.built[candidate],
            name=candidate.name,
            task=self.task,
            evaluation=self.splits.evaluation,
            apart=self.apart,
        )
        return as_finalist(
            candidate,
            record,
            next(iter(predictions.values())),
            development=judge.score(trial),
            limits=self.wishes.limits,
            prices=self.wishes.prices,
        )

    def _conclude(
        self, climb: Climb, judge: Judge, bench: Bench, finalists: Sequence[Finalist], *, stopped: bool
    ) -> Decision:
        wishes, examples = self.wishes, self._test()
        choice = choose(
            finalists,
            examples=examples,
            labels=self.task.labels,
            metric=wishes.metric,
            margin=wishes.margin,
            seed=wishes.seed,
        )
        chosen = choice.recommended.candidate if choice.recommended is not None else None
        learner = chosen if chosen is not None and chosen.learns else best_learner(climb.trials, judge)
        seed = wishes.seed
        classifier = None if choice.recommended is None else self._keep(choice.recommended, bench)
        second_look = None if stopped else self._second_look(climb, judge, bench)
        for candidate in self.candidates:
            if all(one.candidate is not candidate for one in finalists):
                bench.forget(candidate)
        test = next(iter(self.splits.evaluation))
        decision = Decision(
            title=self.task.title,
            labels=self.task.labels,
            metric=wishes.metric,
            margin=wishes.margin,
            limits=wishes.limits,
            rows={
                "train": len(self.splits.train),
                "development": len(self.splits.development),
                test: len(examples),
            },
            test=test,
            finalists=tuple(finalists),
            choice=choice,
            front=tuple(pareto_front(finalists, wishes.metric)),
            left=tuple(climb.left),
            curves=curves_of(climb.trials, judge, seed=seed),
            crossing=None if learner is None else find_crossing(climb.trials, judge, learner, seed=seed),
            outlook=() if learner is None else look_ahead(climb.trials, judge, learner, seed=seed),
            second_look=second_look,
            timing=Timing(budget=self.budget.seconds, spent=self.budget.spent, downloading=self.budget.downloading),
            currency=wishes.prices.currency,
            prices=wishes.prices.source,
            partial=stopped,
            folder=self.folder,
            classifier=classifier,
            findings=tuple(self.findings),
        )
        decision.save()
        return decision

    def _keep(self, one: Finalist, bench: Bench) -> Path:
        """Leave the recommended one where it can be put to work."""
        built = bench.built[one.candidate]
        return keep_classifier(
            built.fitted.classifier,
            self.folder / FOLDER,
            self.task,
            cell=built.cell,
            scores=one.record.scores,
            development=built.splits.development,
        )

    def _second_look(self, climb: Climb, judge: Judge, bench: Bench) -> SecondLook | None:
        """By the best candidate that is fitted quickly enough; None where there is no time for any."""
        able = [
            (judge.score(trial), candidate, trial)
            for candidate in bench.built
            if candidate.engine in ("embedding", "linear") and (trial := climb.latest(candidate)) is not None
        ]
        rows = [*self.splits.train, *self.splits.development]
        for _, candidate, trial in sorted(able, key=lambda one: -one[0]):
            if 1.5 * trial.spent.learn * len(rows) / max(1, trial.rows) <= self.budget.left:
                return look_again(
                    rows,
                    partial(bench.engine, candidate),
                    by=candidate.name,
                    seed=self.wishes.seed,
                    progress=self.progress,
                )
        return None


def _last_fit_seconds(costs: CostModel, candidate: Candidate, rows: int, *, unread: int = 0) -> float:
    """What fitting once more takes, see `Bench.refit`: a part of the trial's, in which several strengths were tried."""
    if candidate.engine not in REFITS:
        return 0.0
    one, other = (costs.expect(candidate, Effort(rows=count, passes=1, answers=0)).learn for count in (rows, unread))
    return LAST_FIT_SHARE * one + other


def _final_seconds(costs: CostModel, candidate: Candidate, rows: int) -> float:
    return costs.expect(candidate, Effort(rows=0, passes=0, answers=rows)).total + FINAL_SECONDS
