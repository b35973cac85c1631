"""A language model that answers: by likelihood or in writing, calibrated or not."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from beatingbert.checkpoints.kept import keep_checkpoint
from beatingbert.engines.llm.calibration import Calibration, estimate, softmax
from beatingbert.engines.llm.choose import best, labels_by_rule, per_character
from beatingbert.engines.llm.generate import Writer
from beatingbert.engines.llm.likelihood import Scored, Scorer
from beatingbert.engines.llm.settings import LLMSettings
from beatingbert.engines.llm.wording import Asked, Wording
from beatingbert.engines.protocol import EngineFacts, Workplace
from beatingbert.prompts.kept import keep_prompt
from beatingbert.tasks.example import Question
from beatingbert.tasks.prediction import Prediction
from beatingbert.tasks.spec import Shape

ADAPTER, CALIBRATION = "adapter", "calibration.json"  # in the folder of a kept classifier
BETWEEN_PROMPTS = "\n--- or ---\n"  # where each choice has a prompt of its own, as they are kept


class LlmClassifier:
    """A language model that answers questions in the words of one template.

    Attributes:
        calibration: what is taken out of its label probabilities; None for nothing.
        adapter: folder of the adapter that has been put into the model, where there is one.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        wording: Wording,
        settings: LLMSettings,
        facts: EngineFacts,
        workplace: Workplace,
        seed: int,
    ) -> None:
        self.facts = facts
        self.model = model
        self.tokenizer = tokenizer
        self.wording = wording
        self._opening = tokenizer.decode(wording.bos) if wording.bos else ""
        self._settings = settings
        self._workplace = workplace
        self._seed = seed
        self.calibration: Calibration | None = None
        self.adapter: Path | None = None
        if settings.answer_by == "likelihood":
            facts.notes["scoring"] = {
                "log_likelihoods": "bare logits where every label is one token"
                if self._leaves_out_normaliser
                else "over the whole vocabulary",
                "reads_shared_prefix_once": self._scorer.is_packed,
                "max_tokens_per_pass": self._scorer.max_tokens,
            }

    @cached_property
    def _scorer(self) -> Scorer:
        return Scorer(
            self.model,
            self.tokenizer,
            bos=self.wording.bos,
            opening=self.wording.opening(),
            batch_size=self._settings.batch_size,
            normalise=not self._leaves_out_normaliser,
        )

    @cached_property
    def _writer(self) -> Writer:
        return Writer(
            self.model,
            self.tokenizer,
            bos=self.wording.bos,
            max_new_tokens=self._settings.max_new_tokens,
            seed=self._seed,
            temperature=self._settings.temperature,
            stop_at_line=not self.wording.chat,
            constrained=self._settings.constrained,
            batch_size=self._settings.batch_size,
        )

    def calibrate(self, source: Mapping[str, Sequence[Question]]) -> None:
        """Estimate the prompt's bias once, from questions by the part that they come from, and record it."""
        started = time.perf_counter()
        scored = self._scorer.score(
            [self.wording.ask(question) for part in source.values() for question in part],
            on_batch=lambda done, total: self._workplace.progress("calibrating", done, total),
        )
        self.calibration = estimate([one.log_likelihood for one in scored])
        self.facts.notes["calibration"] = {
            "kind": self._settings.calibration,
            "prior": dict(self.calibration.prior),
            "estimated_on": {part: len(questions) for part, questions in source.items()},
            "seed": self._seed,
            "seconds": time.perf_counter() - started,
        }

    def keep(self, folder: Path) -> None:
        """Which weights are asked in which words; weights of its own are an adapter's only."""
        keep_checkpoint(folder, self.facts.checkpoint)
        keep_prompt(folder, self.wording.template, self.wording.demonstrations)
        if self.calibration is not None:
            text = json.dumps({"prior": dict(self.calibration.prior)}, indent=2)
            (folder / CALIBRATION).write_text(text + "\n", encoding="utf-8")
        if self.adapter is not None:
            shutil.copytree(self.adapter, folder / ADAPTER)

    def predict(self, questions: Sequence[Question]) -> list[Prediction]:
        """One answer per question, in the order given."""
        asked = [self.wording.ask(question) for question in questions]
        if self._settings.answer_by == "generation":
            return self._by_generation(questions, asked)
        return self._by_likelihood(questions, asked)

    def _by_likelihood(self, questions: Sequence[Question], asked: Sequence[Asked]) -> list[Prediction]:
        scored = self._scorer.score(
            asked, on_batch=lambda done, total: self._workplace.progress("answering", done, total)
        )
        predictions = []
        for question, one, prompt in zip(questions, scored, asked, strict=True):
            scores = self._scores(one, question)
            if self.calibration is not None:
                scores = probabilities = self.calibration.probabilities(scores)
            else:
                probabilities = softmax(scores)
            predictions.append(
                Prediction(
                    question_id=question.id,
                    label=best(scores),
                    probabilities=probabilities,
                    log_likelihoods=one.log_likelihood,
                    labels_by_rule=self._labels_by_rule(one, question),
                    prompt=self._kept(prompt),
                    lost_tokens=prompt.lost_tokens,
                )
            )
        return predictions

    @property
    def _scores_endings(self) -> bool:
        return self._workplace.task.shape is Shape.CHOICE and not self.wording.template.lists_choices

    @property
    def _leaves_out_normaliser(self) -> bool:
        """Only where labels rank the same without: a bare logit cannot be divided by an ending's length."""
        return self._settings.rank_only and not self._scores_endings

    def _scores(self, scored: Scored, question: Question) -> dict[str, float]:
        """What is compared: log-likelihoods, of endings per character unless told otherwise."""
        by_length = self._scores_endings and not self.wording.template.fills_blank
        if by_length and self._settings.normalise_by == "characters":
            return per_character(scored.log_likelihood, question)
        return scored.log_likelihood

    def _labels_by_rule(self, scored: Scored, question: Question) -> dict[str, str] | None:
        if not self._scores_endings:
            return None
        return labels_by_rule(scored.log_likelihood, question, fills_blank=self.wording.template.fills_blank)

    def _kept(self, asked: Asked) -> str:
        """What the model read, for the record."""
        return BETWEEN_PROMPTS.join(self._opening + prompt for prompt in asked.prompts)

    def _by_generation(self, questions: Sequence[Question], asked: Sequence[Asked]) -> list[Prediction]:
        written = self._writer.write(
            asked,
            [question.id for question in questions],
            on_batch=lambda done, total: self._workplace.progress("answering", done, total),
        )
        return [
            Prediction(
                question_id=question.id,
                label=one.label,
                reply=one.text,
                prompt=self._kept(prompt),
                lost_tokens=prompt.lost_tokens,
            )
            for question, prompt, one in zip(questions, asked, written, strict=True)
        ]
