"""The encoder engine: a pretrained encoder, a fresh head, a few epochs."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForMultipleChoice, AutoModelForSequenceClassification, AutoTokenizer
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_MULTIPLE_CHOICE_MAPPING,
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
)

from beatingbert.checkpoints.device import best_device, choose_precision, set_threads
from beatingbert.checkpoints.reference import Checkpoint, resolve
from beatingbert.engines.encoder.batches import Encoded, encode, pad
from beatingbert.engines.encoder.settings import EncoderSettings
from beatingbert.engines.encoder.train import Collator, EncodedRows, fine_tune, masked_logits
from beatingbert.engines.hush import hushed
from beatingbert.engines.protocol import EngineFacts, Workplace
from beatingbert.errors import CheckpointError, TooFewExamplesError
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.prediction import Prediction
from beatingbert.tasks.spec import Shape, Task

VERSION = 2
PREDICT_BATCH = 64  # questions per forward pass when answering; sorted by length, so little of it is padding


class EncoderEngine:
    """Fine-tunes an encoder, or loads one that was fine-tuned before."""

    def __init__(self, settings: EncoderSettings, workplace: Workplace) -> None:
        self._settings = settings
        self._workplace = workplace

    def fit(self, train: Sequence[Example], *, development: Sequence[Example], seed: int) -> EncoderClassifier:
        """Fine-tune on `train`; the epoch that is best on `development` answers."""
        if self._settings.trained_model is not None:
            return self._load_trained(Path(self._settings.trained_model))
        task, settings, progress = self._workplace.task, self._settings, self._workplace.progress
        if len({example.label for example in train}) < 2 and task.labels:
            raise TooFewExamplesError(f"fine-tuning needs at least two labels in train, got {len(train)} rows of one")
        checkpoint = resolve(settings.checkpoint, progress=progress)
        torch.manual_seed(seed)  # the fresh head's weights
        classifier = self._load(checkpoint, fresh_head=True)
        rows = [classifier.encoded(part) for part in (train, development)]
        folder = self._workplace.folder / "model"
        started = time.perf_counter()
        numbers = [[classifier.label_number(example) for example in part] for part in (train, development)]
        with hushed():
            history, best_epoch = fine_tune(
                classifier.model,
                Collator(classifier.pad_id, task.shape is Shape.CHOICE),
                EncodedRows(rows[0], numbers[0]),
                EncodedRows(rows[1], numbers[1]) if development else None,
                settings,
                precision=classifier.facts.precision,
                folder=folder,
                seed=seed,
                progress=progress,
            )
        facts = classifier.facts
        facts.train_seconds = time.perf_counter() - started
        facts.history = history
        facts.notes |= {
            "best_epoch": best_epoch,
            "train_rows": len(train),
            "development_rows": len(development),
            "train_rows_truncated": sum(row.lost_tokens > 0 for row in rows[0]),
        }
        for name in ("best_model", "final_model"):
            classifier.tokenizer.save_pretrained(folder / name)
        return classifier

    def _load_trained(self, folder: Path) -> EncoderClassifier:
        config_file = folder / "config.json"
        if not config_file.is_file():
            inside = folder / "best_model"
            hint = f"; did you mean {str(inside)!r}?" if inside.is_dir() else ""
            raise CheckpointError(f"--model_path {str(folder)!r} holds no config.json, so it is no trained model{hint}")
        architectures = json.loads(config_file.read_text(encoding="utf-8")).get("architectures") or ["none"]
        head = "ForMultipleChoice" if self._workplace.task.shape is Shape.CHOICE else "ForSequenceClassification"
        if not architectures[0].endswith(head):
            raise CheckpointError(
                f"--model_path {str(folder)!r} is a {architectures[0]}, but task {self._workplace.task.name!r} needs a "
                f"model with a trained head (...{head}); train one with --mode train and give its best_model folder"
            )
        return self._load(resolve(str(folder), progress=self._workplace.progress), fresh_head=False)

    def _load(self, checkpoint: Checkpoint, *, fresh_head: bool) -> EncoderClassifier:
        task = self._workplace.task
        set_threads()
        device = best_device()
        started = time.perf_counter()
        config = AutoConfig.from_pretrained(checkpoint.path)
        choice = task.shape is Shape.CHOICE
        mapping = MODEL_FOR_MULTIPLE_CHOICE_MAPPING if choice else MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING
        if type(config) not in mapping:
            kind = "multiple-choice" if choice else "sequence-classification"
            raise CheckpointError(
                f"{checkpoint.reference!r} is a {config.model_type!r} model, and transformers has no {kind} "
                "head for it; choose an encoder, e.g. wheel:minilm-l6, bert-base-uncased or microsoft/deberta-v3-base"
            )
        if not choice:
            self._check_labels(config, checkpoint, fresh_head=fresh_head)
            config.num_labels = len(task.labels)
            config.id2label = dict(enumerate(task.labels))
            config.label2id = {label: number for number, label in enumerate(task.labels)}
        auto = AutoModelForMultipleChoice if choice else AutoModelForSequenceClassification
        with hushed():  # a fresh head is expected here, so its announcement would only worry
            tokenizer = AutoTokenizer.from_pretrained(checkpoint.path)
            # fp32 master weights whatever the file holds: training in fp16 by accident loses small updates
            model = auto.from_pretrained(checkpoint.path, config=config, dtype=torch.float32)
        # A decoder's head reads the last token that is no padding, so it must know which token we pad with.
        model.config.get_text_config().pad_token_id = padding_token(tokenizer)
        model.to(device).eval()
        facts = EngineFacts(
            load_seconds=time.perf_counter() - started,
            parameters=sum(weights.numel() for weights in model.parameters()),
            disk_bytes=checkpoint.disk_bytes,
            checkpoint={
                "reference": checkpoint.reference,
                "kind": checkpoint.kind,
                "revision": checkpoint.revision,
                "sha256": checkpoint.sha256,
            },
            device=device,
            precision=choose_precision(device, full=self._settings.full_precision, model_type=config.model_type),
        )
        longest = min(self._settings.max_length, longest_input(config, tokenizer))
        return EncoderClassifier(model, tokenizer, task, facts, longest, self._workplace)

    def _check_labels(self, config: Any, checkpoint: Checkpoint, *, fresh_head: bool) -> None:
        labels = self._workplace.task.labels
        if not fresh_head and [config.id2label.get(number) for number in range(config.num_labels)] != list(labels):
            raise CheckpointError(
                f"{checkpoint.reference!r} was trained for the labels {list(config.id2label.values())}, but task "
                f"{self._workplace.task.name!r} has {list(labels)}; evaluate it on the task it was trained for"
            )


def padding_token(tokenizer: Any) -> int:
    """The id to pad with: the tokenizer's own, else its end token, which no text holds either."""
    candidates = (tokenizer.pad_token_id, tokenizer.eos_token_id, 0)
    return next(int(candidate) for candidate in candidates if candidate is not None)


def longest_input(config: Any, tokenizer: Any) -> int:
    """Most tokens that a checkpoint can read: the smaller of what its positions and its tokenizer allow."""
    positions = getattr(config, "max_position_embeddings", None) or 512
    if config.model_type in ("roberta", "xlm-roberta", "camembert", "mpnet"):
        positions -= 2  # these models count positions from 2, so two of the table's rows are never used
    return min(int(positions), int(tokenizer.model_max_length))


class EncoderClassifier:
    """A fine-tuned encoder that answers."""

    def __init__(
        self, model: Any, tokenizer: Any, task: Task, facts: EngineFacts, max_length: int, workplace: Workplace
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.facts = facts
        self.pad_id = padding_token(tokenizer)
        self._task = task
        self._max_length = max_length
        self._workplace = workplace

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
            max_length=self._max_length,
            token_types=(getattr(self.model.config, "type_vocab_size", 0) or 0) > 1,
        )

    @torch.inference_mode()
    def predict(self, questions: Sequence[Question]) -> list[Prediction]:
        """The most probable label for each question, in the order given; batches are filled by length."""
        encoded = self._encode(questions)
        order = sorted(range(len(encoded)), key=lambda at: -encoded[at].length)
        device = next(self.model.parameters()).device
        dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.facts.precision)
        self.model.eval()
        answers: dict[int, Prediction] = {}
        for start in range(0, len(order), PREDICT_BATCH):
            chosen = order[start : start + PREDICT_BATCH]
            batch = pad([encoded[at] for at in chosen], pad_id=self.pad_id, choice=self._task.shape is Shape.CHOICE)
            inputs = {name: tensor.to(device) for name, tensor in batch.items()}
            with torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
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
