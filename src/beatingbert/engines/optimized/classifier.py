"""A compiled program that answers questions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dspy.utils.exceptions import AdapterParseError

from beatingbert.checkpoints.kept import keep_checkpoint
from beatingbert.engines.llm.calibration import softmax
from beatingbert.engines.optimized.asking import Asker
from beatingbert.engines.optimized.program import Program, save_program
from beatingbert.engines.optimized.served import ServedVoice
from beatingbert.engines.optimized.settings import FOLDER
from beatingbert.engines.optimized.signature import LABEL
from beatingbert.engines.optimized.voice import Prompt, Said, Voice
from beatingbert.engines.protocol import EngineFacts, Workplace
from beatingbert.engines.served.account import seconds_together, usage_notes
from beatingbert.engines.served.client import Reply
from beatingbert.engines.served.engine import keep_access
from beatingbert.prompts.kept import keep_template
from beatingbert.tasks.example import Question
from beatingbert.tasks.prediction import Prediction


@dataclass(frozen=True, slots=True)
class Asked:
    """A question in the program's words."""

    question: Question
    prompt: Prompt
    lost_tokens: int


class ProgramClassifier:
    """Asks one model by one program; DSPy makes and reads the words, and is not asked to run anything.

    Args:
        program: instruction and demonstrations.
        asker: makes prompts.
        voice: the model.
        facts: for the record.
        workplace: told of progress.
    """

    def __init__(self, program: Program, asker: Asker, voice: Voice, facts: EngineFacts, workplace: Workplace) -> None:
        self.facts = facts
        self._program = program
        self._asker = asker
        self._voice = voice
        self._workplace = workplace
        self._signature = asker.form.signature(program.instruction)

    def keep(self, folder: Path) -> None:
        """The program, the prompt file that its words are from, and which model it asks: its name and hash."""
        keep_checkpoint(folder, self.facts.checkpoint)
        keep_template(folder, self.facts.template["name"], self.facts.template["text"])
        save_program(self._program, self._asker, folder / FOLDER, self._workplace.task.name)

    def predict(self, questions: Sequence[Question]) -> list[Prediction]:
        """One answer per question, in the order given."""
        told = partial(self._workplace.progress, "answering")
        return self._answer(questions, lambda prompts: self._voice.say(prompts, lambda done: told(done, len(prompts))))

    def _answer(self, questions: Sequence[Question], say: Callable[[Sequence[Prompt]], list[Said]]) -> list[Prediction]:
        asked = [self._ask(question) for question in questions]
        said = say([one.prompt for one in asked]) if asked else []
        return [self._read(one, reply) for one, reply in zip(asked, said, strict=True)]

    def _ask(self, question: Question) -> Asked:
        form = self._asker.form
        inputs = form.put(question)
        shown = self._program.before(inputs, form)
        fitting, lost = self._asker.fit(self._signature, shown, inputs)
        return Asked(question, self._asker.prompt(self._signature, shown, fitting), lost)

    def _read(self, asked: Asked, said: Said) -> Prediction:
        form = self._asker.form
        more: dict[str, Any] = {}
        word = said.answer
        if said.scores is None:
            word = self._parse(said.text)
        else:
            scores: dict[str, float] = {str(form.label(answer)): value for answer, value in said.scores.items()}
            more = {"probabilities": softmax(scores), "log_likelihoods": scores}
        written = said.scores is None or bool(said.replies)
        label = form.label(word)
        if label not in self._workplace.task.labels_of(asked.question):  # a letter that this question does not have
            label = None
        return Prediction(
            question_id=asked.question.id,
            label=label,
            reply=(said.replies[-1].text if said.replies else said.text) if written else None,
            prompt=said.shown,
            lost_tokens=asked.lost_tokens,
            **more,
        )

    def _parse(self, text: str) -> str | None:
        try:
            return str(self._asker.adapter.parse(self._signature, text)[LABEL])
        except AdapterParseError:
            return None


class ServedProgramClassifier(ProgramClassifier):
    """The same behind a server, whose answers are kept, as `KeepsAnswers` says."""

    def __init__(
        self, program: Program, asker: Asker, voice: ServedVoice, facts: EngineFacts, workplace: Workplace
    ) -> None:
        super().__init__(program, asker, voice, facts, workplace)
        self._served = voice
        self._replies: dict[Prompt, tuple[Reply, ...]] = {}

    def keep(self, folder: Path) -> None:
        """The same, and in which variable the server's key is."""
        super().keep(folder)
        keep_access(folder, self._workplace.access)

    def _answer(self, questions: Sequence[Question], say: Callable[[Sequence[Prompt]], list[Said]]) -> list[Prediction]:
        def remembering(prompts: Sequence[Prompt]) -> list[Said]:
            said = say(prompts)
            self._replies.update((prompt, one.replies) for prompt, one in zip(prompts, said, strict=True))
            return said

        predictions = super()._answer(questions, remembering)
        self.facts.notes |= usage_notes(list(self._replies.values()), self._served.desk, self._workplace.access)
        return predictions

    def seconds_alone(self, question: Question) -> float:
        """As `KeepsAnswers`."""
        self._answer([question], lambda prompts: self._served.say_by(prompts, self._served.desk.ask_alone))
        return sum(reply.seconds for reply in self._replies[self._ask(question).prompt])

    def seconds_together(self, questions: Sequence[Question]) -> float:
        """As `KeepsAnswers`; see `account.seconds_together`."""
        self._answer(questions, self._served.say)
        return seconds_together([self._replies[self._ask(question).prompt] for question in questions])
