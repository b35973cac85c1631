"""Texts as vectors: the mean of a frozen encoder's last layer over the tokens, of length 1."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModel, AutoTokenizer

from beatingbert.checkpoints.device import best_device, choose_precision, keep_freed_memory, set_threads
from beatingbert.checkpoints.reference import Checkpoint
from beatingbert.engines import onednn
from beatingbert.engines.encoder.batches import Encoded, encode, pad
from beatingbert.engines.encoder.classifier import longest_input, padding_token
from beatingbert.engines.encoder.dropout import quicken
from beatingbert.engines.hush import hushed
from beatingbert.errors import CheckpointError
from beatingbert.tasks.example import Question
from beatingbert.tasks.spec import Shape, Task

if TYPE_CHECKING:
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float32]

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
BATCH = 64  # texts per forward pass; sorted by length, so little of it is padding


@dataclass(slots=True)
class Reader:
    """A frozen encoder in memory.

    Attributes:
        model, tokenizer: as transformers has them.
        precision: what it computes in.
        longest: most tokens that it can read.
        parameters: how many weights it has.
        seconds: that loading took.
        known: text to vector, of texts that a regression was fitted on: rows are seen again with every larger sample.
    """

    model: Any
    tokenizer: Any
    precision: str
    longest: int
    parameters: int
    seconds: float
    known: dict[str, FloatArray] = field(default_factory=dict)

    def read(
        self, texts: Sequence[str], max_length: int, on_batch: Callable[[int, int], None]
    ) -> tuple[FloatArray, list[int]]:
        """Vectors of shape (texts, width), each of length 1, and how many tokens of each text did not fit."""
        rows = encode(
            self.tokenizer,
            _PLAIN,
            [Question(id="", texts={"text": text}) for text in texts],
            max_length=min(max_length, self.longest),
            token_types=(getattr(self.model.config, "type_vocab_size", 0) or 0) > 1,
        )
        order = sorted(range(len(rows)), key=lambda at: -rows[at].length)
        found = np.zeros((len(rows), int(self.model.config.hidden_size)), dtype=np.float32)
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            found[chosen] = self._vectors([rows[at] for at in chosen])
            on_batch(min(start + BATCH, len(order)), len(order))
        return found, [row.lost_tokens for row in rows]

    @torch.inference_mode()
    def _vectors(self, rows: Sequence[Encoded]) -> FloatArray:
        device = next(self.model.parameters()).device
        dtype = DTYPES[self.precision]
        batch = pad(rows, pad_id=padding_token(self.tokenizer), choice=False)
        inputs = {name: tensor.to(device) for name, tensor in batch.items()}
        with torch.autocast(device.type, dtype=dtype, enabled=dtype is not torch.float32):
            hidden = self.model(**inputs).last_hidden_state.float()
        mask = inputs["attention_mask"].unsqueeze(-1).float()
        mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1)
        vectors: FloatArray = torch.nn.functional.normalize(mean, dim=-1).cpu().numpy()
        return vectors

    def remember(self, texts: Sequence[str], max_length: int, on_batch: Callable[[int, int], None]) -> FloatArray:
        """As `read`, without reading any text a second time."""
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        if new:
            vectors, _ = self.read(new, max_length, on_batch)
            self.known |= dict(zip(new, vectors, strict=True))
        return np.stack([self.known[text] for text in texts])


class _Plain:
    """All that `encode` asks a task: every text is read by itself, those of a pair too."""

    shape = Shape.SINGLE


_PLAIN: Any = _Plain()


def load(checkpoint: Checkpoint, *, full_precision: bool) -> Reader:
    """Read an encoder from disk, without any head.

    Raises:
        CheckpointError: its layers cannot be read out.
    """
    set_threads()
    keep_freed_memory()
    device = best_device()
    started = time.perf_counter()
    config = AutoConfig.from_pretrained(checkpoint.path)
    with hushed():
        tokenizer = AutoTokenizer.from_pretrained(checkpoint.path)
        model = AutoModel.from_pretrained(checkpoint.path, config=config, dtype=torch.float32)
    if not hasattr(config, "hidden_size"):
        raise CheckpointError(f"{checkpoint.reference!r} is a {config.model_type!r} model, which gives no text vectors")
    model.to(device).eval()
    precision = choose_precision(device, full=full_precision, model_type=config.model_type)
    parameters = sum(weights.numel() for weights in model.parameters())
    quicken(model)
    if onednn.pays(device):
        onednn.pack(model, DTYPES[precision])
    longest = longest_input(config, tokenizer)
    return Reader(model, tokenizer, precision, longest, parameters, time.perf_counter() - started)


def texts_of(task: Task, question: Question) -> list[str]:
    """The texts that are read, one by one."""
    return [question.texts[name] for name in task.text_fields]


def join(vectors: Sequence[FloatArray]) -> FloatArray:
    """What the regression sees of a question: the vector, or of a pair u, v, |u - v| and u * v.

    Source: Conneau et al. (2017), Supervised Learning of Universal Sentence Representations, section 3.1.
    """
    if len(vectors) == 1:
        return vectors[0]
    first, second = vectors
    joined: FloatArray = np.concatenate([first, second, np.abs(first - second), first * second], axis=1)
    return joined
