"""Requests that come at once, answered together by one worker thread.

The worker takes whatever waits when it becomes free. So a lone request waits for nobody, and under load batches grow by
themselves until the queue is full, when further requests are turned away.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from beatingbert.errors import BeatingBertError
from beatingbert.tasks.example import Question
from beatingbert.tasks.prediction import Prediction

STOPPING = "the server is stopping"

Answer = Callable[[Sequence[Question]], list[Prediction]]


class BusyError(BeatingBertError):
    """So many questions wait that no more are taken."""


class ClosedError(BeatingBertError):
    """Nothing more is taken or begun, because the worker is being stopped."""


class Batcher:
    """Answers groups of questions in the order in which they come.

    Args:
        answer: one prediction per question; called from one thread only.
        most_together: questions in one call at most, unless one group alone has more.
        most_waiting: questions that may wait at most.
    """

    def __init__(self, answer: Answer, *, most_together: int, most_waiting: int) -> None:
        self._answer = answer
        self._most_together = most_together
        self._most_waiting = most_waiting
        self._groups: queue.SimpleQueue[_Group | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waiting = 0
        self._closed = False
        self._worker = threading.Thread(target=self._work, name="beatingbert-answers", daemon=True)
        self._worker.start()

    @property
    def waiting(self) -> int:
        """Questions that have been taken and not answered yet."""
        return self._waiting

    @property
    def is_alive(self) -> bool:
        """Whether questions are taken."""
        return self._worker.is_alive() and not self._closed

    def submit(self, questions: Sequence[Question]) -> Future[list[Prediction]]:
        """Hand a group in; its answers come with the future, or a `ClosedError` where it waited when the end came.

        Raises:
            BusyError: too many wait already.
            ClosedError: nothing is taken any more.
        """
        with self._lock:
            if self._closed:
                raise ClosedError(STOPPING)
            if self._waiting + len(questions) > self._most_waiting:
                raise BusyError(f"{self._waiting} texts wait already, of {self._most_waiting} that may")
            self._waiting += len(questions)
            group = _Group(list(questions))
            self._groups.put(group)
        return group.future

    def close(self, *, patience_seconds: float | None = None) -> None:
        """Take nothing more, finish what has been begun, refuse what waits, and end the worker.

        Args:
            patience_seconds: waited at most for what has been begun; None: until it is done.
        """
        with self._lock:
            if not self._closed:
                self._closed = True
                self._groups.put(None)
        self._worker.join(patience_seconds)

    def _work(self) -> None:
        after: _Group | None = None
        while True:
            first = after if after is not None else self._groups.get()
            if first is None:
                return
            groups, after, ended = self._gather(first)
            begun = [group for group in groups if self._begins(group)]
            if begun:
                self._serve(begun)
            if ended:
                return

    def _gather(self, first: _Group) -> tuple[list[_Group], _Group | None, bool]:
        """What waits, up to the limit; the group that did not fit; and whether the end has come."""
        groups, count = [first], len(first.questions)
        while True:
            try:
                following = self._groups.get_nowait()
            except queue.Empty:
                return groups, None, False
            if following is None:
                return groups, None, True
            if count + len(following.questions) > self._most_together:
                return groups, following, False
            groups.append(following)
            count += len(following.questions)

    def _begins(self, group: _Group) -> bool:
        """Whether the group is to be answered: someone still waits for it, and the worker is not being stopped.

        From here on nobody can cancel its future.
        """
        is_wanted = group.future.set_running_or_notify_cancel()
        if is_wanted and not self._closed:
            return True
        self._finish(group)
        if is_wanted:
            group.future.set_exception(ClosedError(STOPPING))
        return False

    def _serve(self, groups: list[_Group]) -> None:
        """Answer groups together; if that fails, each alone, so that one bad text is only its own sender's problem."""
        together = [question for group in groups for question in group.questions]
        try:
            answers = self._answer(together)
        except Exception as error:
            if len(groups) > 1:
                for group in groups:
                    self._serve([group])
                return
            self._finish(groups[0])
            groups[0].future.set_exception(error)
            return
        start = 0
        for group in groups:
            stop = start + len(group.questions)
            self._finish(group)
            group.future.set_result(answers[start:stop])
            start = stop

    def _finish(self, group: _Group) -> None:
        with self._lock:
            self._waiting -= len(group.questions)


class _Group:
    """Questions that came together, and where their answers go."""

    def __init__(self, questions: list[Question]) -> None:
        self.questions = questions
        self.future: Future[list[Prediction]] = Future()
