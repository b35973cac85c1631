"""A fine-tuned encoder as an ONNX file, in fp32 or with weights rounded to 8 bits.

The file is torch's own export (`torch.onnx.export`, the exporter that torch keeps) and the rounding ONNX Runtime's own
(`quantize_dynamic`): 8-bit weights per output channel, activations rounded to 8 bits as they come. The full range of
8 bits is used (`reduce_range=False`), for which processors need AVX512-VNNI, AVX-VNNI or ARM's dot product: on older
ones sums of products may saturate, which the comparison on development rows would show.
"""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForMultipleChoice, AutoModelForSequenceClassification, AutoTokenizer

from beatingbert.engines.encoder.batches import encode, pad
from beatingbert.engines.encoder.classifier import has_token_types, longest_input, padding_token
from beatingbert.engines.encoder.runtime import MODEL, READING, require_onnx
from beatingbert.engines.encoder.settings import KEPT, EncoderSettings
from beatingbert.engines.hush import hushed
from beatingbert.errors import NotAvailableError
from beatingbert.tasks.example import Question
from beatingbert.tasks.spec import Shape, Task

OPSET = 20  # ONNX 1.15 (2023): the first with Gelu as one operation


class Logits(nn.Module):
    """The model's logits alone, from named inputs."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Shape (questions, labels or choices)."""
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
        if token_type_ids is not None:
            inputs["token_type_ids"] = token_type_ids
        logits: torch.Tensor = self.model(**inputs).logits
        return logits


def export(kept: Path, target: Path, settings: EncoderSettings, task: Task, *, int8: bool) -> None:
    """Write `model.onnx` and how questions are read for it.

    Args:
        kept: the classifier's folder.
        target: empty folder.
        settings: of the encoder.
        task: what it answers.
        int8: whether weights are rounded to 8 bits.

    Raises:
        MissingExtraError: the packages for it are not installed.
        NotAvailableError: torch cannot export this model.
    """
    require_onnx("onnx", "onnxscript", "onnxruntime")
    folder = kept / KEPT
    choice = task.shape is Shape.CHOICE
    auto = AutoModelForMultipleChoice if choice else AutoModelForSequenceClassification
    with hushed():
        tokenizer = AutoTokenizer.from_pretrained(folder)
        # Plain products in attention: the exported graph is smaller than that of torch's fused attention.
        model = auto.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    model.config.get_text_config().pad_token_id = padding_token(tokenizer)
    longest = min(settings.max_length, longest_input(model.config, tokenizer))
    reading = {
        "max_length": longest,
        "pad_id": padding_token(tokenizer),
        "token_types": has_token_types(model.config),
        "int8": int8,
    }
    inputs = _sample(task, tokenizer, reading)
    write_graph(model, inputs, target / MODEL)
    if int8:
        _round_weights(target / MODEL)
    (target / READING).write_text(json.dumps(reading, indent=2) + "\n", encoding="utf-8")


def write_graph(model: nn.Module, inputs: dict[str, torch.Tensor], path: Path) -> None:
    """Export for any number of questions, choices and tokens.

    Raises:
        NotAvailableError: torch cannot.
    """
    names = ("questions", "choices", "tokens") if inputs["input_ids"].dim() == 3 else ("questions", "tokens")
    sizes = dict.fromkeys(range(len(names)), torch.export.Dim.DYNAMIC)
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # of the exporter's own inner workings
            program = torch.onnx.export(
                Logits(model).eval(),
                (),
                kwargs=inputs,
                dynamic_shapes={name: dict(sizes) for name in inputs},
                input_names=list(inputs),
                output_names=["logits"],
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
            assert program is not None
            program.save(str(path))
    except (torch.onnx.errors.OnnxExporterError, RuntimeError, ValueError) as error:
        kind = type(getattr(model, "model", model)).__name__
        first = next(iter(str(error.__cause__ or error).strip().splitlines()), "no reason given")
        raise NotAvailableError(
            f"torch cannot export this {kind} to ONNX ({first:.200}); use the classifier as it is"
        ) from error


def _round_weights(path: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    whole = path.with_suffix(".fp32.onnx")
    path.rename(whole)
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)  # it advises, by the root logger, a preparation that is for pictures
    try:
        quantize_dynamic(whole, path, per_channel=True, reduce_range=False, weight_type=QuantType.QInt8)
    finally:
        logging.disable(before)
    whole.unlink()


def _sample(task: Task, tokenizer: Any, reading: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Two questions of different length, so that nothing is taken for fixed."""
    ending = f" {task.blank.mark} x" if task.blank is not None else ""
    choices = () if task.labels else ("one", "another", "a third one")
    questions = [
        Question(str(at), dict.fromkeys(task.text_fields, text + ending), choices)
        for at, text in enumerate(("a few words", "some more words than before"))
    ]
    rows = encode(tokenizer, task, questions, max_length=reading["max_length"], token_types=reading["token_types"])
    batch = pad(rows, pad_id=reading["pad_id"], choice=task.shape is Shape.CHOICE)
    batch.pop("choice_mask", None)
    return batch
