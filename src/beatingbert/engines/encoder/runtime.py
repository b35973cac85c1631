"""An exported encoder that answers by ONNX Runtime. Needs the model's tokenizer, and torch for nothing."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from beatingbert.cores import usable_cores
from beatingbert.engines.encoder.batches import encode, pad_arrays
from beatingbert.engines.encoder.settings import KEPT
from beatingbert.engines.hush import hushed
from beatingbert.engines.protocol import EngineFacts, Workplace
from beatingbert.errors import CheckpointError, MissingExtraError, NotAvailableError
from beatingbert.tasks.example import Question
from beatingbert.tasks.prediction import Prediction
from beatingbert.tasks.spec import Shape

MODEL, READING = "model.onnx", "reading.json"
BATCH = 32  # questions per pass, sorted by length; more gain nothing on a processor


def require_onnx(*packages: str) -> None:
    """See that what an export needs is installed.

    Raises:
        MissingExtraError: something is not.
    """
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"ONNX needs {', '.join(missing)}, which is not installed; get it with: pip install 'beatingbert[onnx]'"
        )


def restore_exported(kept: Path, target: Path, workplace: Workplace) -> OnnxClassifier:
    """The classifier that was exported into `target`; its tokenizer lies in the classifier's folder.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
        CheckpointError: the file cannot be read by this version of it.
    """
    require_onnx("onnxruntime")
    import onnxruntime
    from transformers import AutoTokenizer

    started = time.perf_counter()
    reading = json.loads((target / READING).read_text(encoding="utf-8"))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS") or usable_cores())
    options.log_severity_level = 3  # errors only
    try:
        session = onnxruntime.InferenceSession(str(target / MODEL), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own exceptions share no class of their own
        raise CheckpointError(
            f"{str(target / MODEL)!r} cannot be read by ONNX Runtime {onnxruntime.__version__}: {error}; export it anew"
        ) from error
    with hushed():
        tokenizer = AutoTokenizer.from_pretrained(kept / KEPT)
    facts = EngineFacts(
        load_seconds=time.perf_counter() - started,
        parameters=None,
        disk_bytes=(target / MODEL).stat().st_size,
        precision="int8" if reading["int8"] else "fp32",
    )
    return OnnxClassifier(session, tokenizer, reading, facts, workplace)


class OnnxClassifier:
    """A fine-tuned encoder behind ONNX Runtime.

    Args:
        session: of the exported model.
        tokenizer: the model's own.
        reading: max_length, pad_id and token_types, as `export` writes them.
        facts: what there is to know about it.
        workplace: whose task it answers.
    """

    def __init__(
        self, session: Any, tokenizer: Any, reading: dict[str, Any], facts: EngineFacts, workplace: Workplace
    ) -> None:
        self.facts = facts
        self._session = session
        self._tokenizer = tokenizer
        self._reading = reading
        self._workplace = workplace
        self._names = {entry.name for entry in session.get_inputs()}

    def predict(self, questions: Sequence[Question]) -> list[Prediction]:
        """The most probable label for each question, in the order given; batches are filled by length."""
        task, reading = self._workplace.task, self._reading
        encoded = encode(
            self._tokenizer, task, questions, max_length=reading["max_length"], token_types=reading["token_types"]
        )
        order = sorted(range(len(encoded)), key=lambda at: -encoded[at].length)
        answers: dict[int, Prediction] = {}
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            batch = pad_arrays(
                [encoded[at] for at in chosen], pad_id=reading["pad_id"], choice=task.shape is Shape.CHOICE
            )
            real = batch.pop("choice_mask", None)
            inputs = {name: np.ascontiguousarray(array) for name, array in batch.items() if name in self._names}
            (logits,) = self._session.run(["logits"], inputs)
            for at, row in zip(chosen, _softmax(logits, real).tolist(), strict=True):
                labels = task.labels_of(questions[at])
                probabilities = dict(zip(labels, row[: len(labels)], strict=True))
                answers[at] = Prediction(
                    question_id=questions[at].id,
                    label=max(probabilities, key=probabilities.__getitem__),
                    probabilities=probabilities,
                    lost_tokens=encoded[at].lost_tokens,
                )
            self._workplace.progress("answering", len(answers), len(questions))
        return [answers[at] for at in range(len(questions))]

    def keep(self, folder: Path) -> None:
        """There is nothing to keep: it lies beside the classifier that it was exported from.

        Raises:
            NotAvailableError: always.
        """
        raise NotAvailableError("an exported form is part of a kept classifier; copy that one's folder")


def _softmax(logits: Any, real: Any) -> Any:
    """Probabilities of shape (questions, labels or choices) in fp32; 0 where there is no such choice."""
    if real is not None:
        logits = np.where(real, logits, -np.inf)
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)
