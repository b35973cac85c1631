"""A fine-tuned encoder that answers, and what its tokenizer and positions allow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from beatingbert.checkpoints.weights import copy_checkpoint
from beatingbert.engines import onednn
from beatingbert.engines.encoder.batches import Encoded, encode, pad
from beatingbert.engines.encoder.dropout import quicken
from beatingbert.engines.encoder.settings import KEPT
from beatingbert.engines.encoder.trainer import masked_logits
from beatingbert.engines.protocol import EngineFacts, Workplace
from beatingbert.errors import CheckpointError
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.prediction import Prediction
from beatingbert.tasks.spec import Shape, Task

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
PREDICT_BATCH = 64  # questions per forward pass when answering; sorted by length, so little of it is padding


class EncoderClassifier:
    """A fine-tuned encoder that answers.

    Attributes:
        saved_in: the folder that holds its weights on disk; None before they are saved.
    """

    def __init__(
        self, model: Any, tokenizer: Any, task: Task, facts: EngineFacts, max_length: int, workplace: Workplace
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.facts = facts
        self.pad_id = padding_token(tokenizer)
        self.max_length = max_length
        self.saved_in: Path | None = None
        self._task = task
        self._workplace = workplace

    def keep(self, folder: Path) -> None:
        """The model as transformers saves it; a run's own is linked, not copied, where the file system can do that."""
        if self.saved_in is None:
            raise CheckpointError("an encoder is kept from its saved weights, and this one's have not been saved yet")
        own = self.saved_in.resolve().is_relative_to(self._workplace.folder.resolve())
        copy_checkpoint(self.saved_in, folder / KEPT, link=own)

    def made_to_answer(self) -> EncoderClassifier:
        """The same, its layers packed where that is faster; the model cannot be trained any more."""
        quicken(self.model)
        if onednn.pays(self.facts.device):
            onednn.pack(self.model, DTYPES[self.facts.precision])
        return self

    def label_number(self, example: Example) -> int:
        """The number that stands for the example's label."""
        return self._task.labels.index(example.label) if self._task.labels else int(example.label)

    def encoded(self, examples: Sequence[Example]) -> list[Encoded]:
        """Examples as token ids."""
        return self._encode([example.question for example in examples])

    def _encode(self, questions: Sequence[Question]) -> list[Encoded]:
        return encode(
            self.tokenizer,
            self._task,
            questions,
            max_length=self.max_length,
            token_types=has_token_types(self.model.config),
        )

    @torch.inference_mode()
    def predict(self, questions: Sequence[Question]) -> list[Prediction]:
        """The most probable label for each question, in the order given; batches are filled by length."""
        encoded = self._encode(questions)
        order = sorted(range(len(encoded)), key=lambda at: -encoded[at].length)
        device = next(self.model.parameters()).device
        dtype = DTYPES[self.facts.precision]
        self.model.eval()
        answers: dict[int, Prediction] = {}
        for start in range(0, len(order), PREDICT_BATCH):
            chosen = order[start : start + PREDICT_BATCH]
            batch = pad([encoded[at] for at in chosen], pad_id=self.pad_id, choice=self._task.shape is Shape.CHOICE)
            inputs = {name: tensor.to(device) for name, tensor in batch.items()}
            with torch.autocast(device.type, dtype=dtype, enabled=dtype is not torch.float32):
                logits = masked_logits(self.model, inputs)
            rows = torch.softmax(logits.float(), dim=-1).tolist()
            for at, row in zip(chosen, rows, strict=True):
                answers[at] = self._answer(questions[at], row, encoded[at].lost_tokens)
            self._workplace.progress("answering", len(answers), len(questions))
        return [answers[at] for at in range(len(questions))]

    def _answer(self, question: Question, row: Sequence[float], lost_tokens: int) -> Prediction:
        labels = self._task.labels_of(question)
        probabilities = dict(zip(labels, row[: len(labels)], strict=True))
        label = max(probabilities, key=probabilities.__getitem__)
        return Prediction(question_id=question.id, label=label, probabilities=probabilities, lost_tokens=lost_tokens)


def padding_token(tokenizer: Any) -> int:
    """The id to pad with: the tokenizer's own, else its end token, which no text holds either."""
    candidates = (tokenizer.pad_token_id, tokenizer.eos_token_id, 0)
    return next(int(candidate) for candidate in candidates if candidate is not None)


def has_token_types(config: Any) -> bool:
    """Whether a model tells the texts of a pair apart by type."""
    return (getattr(config, "type_vocab_size", 0) or 0) > 1


def longest_input(config: Any, tokenizer: Any) -> int:
    """Most tokens that a checkpoint can read: the smaller of what its positions and its tokenizer allow."""
    positions = getattr(config, "max_position_embeddings", None) or 512
    if config.model_type in ("roberta", "xlm-roberta", "camembert", "mpnet"):
        positions -= 2  # these models count positions from 2, so two of the table's rows are never used
    return min(int(positions), int(tokenizer.model_max_length))
