"""The exact conditional log-likelihood of each label's words, given the prompt.

Prompt and label are tokenised together and split where the token boundary really falls. What can be shared is computed
once: the prefix that all prompts begin with, and the tokens that a question's labels have in common. Batches are filled
by tokens, longest first, and one that memory does not hold is halved.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from beatingbert.engines.llm.output_layer import OutputLayer
from beatingbert.engines.llm.packed import PackedReader, Prefix
from beatingbert.engines.llm.padded import PaddedReader
from beatingbert.engines.llm.tree import Tree, grow
from beatingbert.engines.llm.window import window
from beatingbert.engines.llm.wording import Asked
from beatingbert.errors import BeatingBertError, SettingsError, is_out_of_memory

CHUNK = 4096  # questions tokenised and sorted at a time, so that memory does not grow with their number
SHORTEST_PREFIX = 4  # tokens; a shorter one is not worth its bookkeeping
FEWEST_TOKENS = 64  # at once, however little memory is free
TOLERANCE = {torch.float32: 1e-3}  # nats, between packed and plain reading
ROUGH_TOLERANCE = 0.5  # nats, in bf16 and fp16: enough to tell a wrong position or mask from rounding


@dataclass(frozen=True, slots=True)
class Scored:
    """Log-likelihoods of one question's labels.

    Attributes:
        log_likelihood: label to the natural logarithm of P(label's words | prompt), summed over its tokens; without
            normaliser, the label's logit.
        tokens: label to the number of tokens that were scored.
    """

    log_likelihood: dict[str, float]
    tokens: dict[str, int]


def split_at_boundary(prompt: Sequence[int], whole: Sequence[Sequence[int]]) -> int:
    """How many leading tokens are context: those that the prompt and every tokenised prompt-with-label share.

    Where a label's first token merges with the prompt's last one, the context ends before the merged token, which
    is then scored as part of the label. At least one token of each label is left to score.
    """
    shared = 0
    for column in zip(prompt, *whole, strict=False):
        if any(token != column[0] for token in column):
            break
        shared += 1
    return min(shared, min(map(len, whole)) - 1)


def split_answers(asked: Asked, tokenizer: Any) -> tuple[list[int], dict[str, list[int]]]:
    """The prompt's ids up to where the labels' words begin, and each label's ids from there.

    Prompt and label are tokenised together, since a tokenizer may split the two otherwise than either alone.
    """
    texts = [asked.text, *(asked.text + answer for answer in asked.answers.values())]
    prompt, *whole = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
    shared = split_at_boundary(prompt, whole)
    return prompt[:shared], {label: ids[shared:] for label, ids in zip(asked.answers, whole, strict=True)}


class Scorer:
    """Scores labels with one model.

    Args:
        model: a causal language model in evaluation mode.
        tokenizer: its tokenizer.
        bos: ids before every prompt.
        opening: ids that prompts are expected to begin with, `bos` included; read once and kept. A prompt that begins
            otherwise is read whole.
        batch_size: most questions per forward pass; None leaves it to `max_tokens`.
        max_tokens: most tokens per forward pass, but for a single question that is longer.
        normalise: whether log-likelihoods are taken over the whole vocabulary. Without, labels of one token are told
            apart by their logits alone, which ranks them the same and saves the output layer's work.
        share: whether to read shared prefixes once and trees without padding, where the model allows it.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        bos: Sequence[int],
        opening: Sequence[int] = (),
        batch_size: int | None = None,
        max_tokens: int | None = None,
        normalise: bool = True,
        share: bool = True,
    ) -> None:
        self._tokenizer = tokenizer
        self._window = window(model.config)
        self._bos = list(bos)
        self._opening = tuple(opening)
        self._batch_size = batch_size or CHUNK
        self.max_tokens = max_tokens or choose_max_tokens(model)
        self._normalise = normalise
        self._padded = PaddedReader(model)
        self._output = OutputLayer(model)
        self._packed = PackedReader(model) if share else None
        self._prefix: Prefix | None = None
        if self._packed is not None and not self._agrees():
            self._packed = None

    def expect(self, opening: Sequence[int]) -> None:
        """Prompts will begin otherwise from now on; what has been read of the earlier opening is let go."""
        if tuple(opening) != self._opening:
            self._opening, self._prefix = tuple(opening), None

    @property
    def is_packed(self) -> bool:
        """Whether shared work is done once; False where the model would give other numbers that way."""
        return self._packed is not None

    def score(
        self, asked: Sequence[Asked], *, on_batch: Callable[[int, int], None] = lambda done, total: None
    ) -> list[Scored]:
        """Score every label of every question.

        Args:
            asked: prompts with the answers to score.
            on_batch: called with (questions done, questions in all).

        Returns:
            One entry per question, in the order given.
        """
        return list(self.stream(asked, on_batch=lambda done: on_batch(done, len(asked))))

    def stream(
        self, asked: Iterable[Asked], *, on_batch: Callable[[int], None] = lambda done: None
    ) -> Iterator[Scored]:
        """Score questions as they come, in their order, holding no more than `CHUNK` of them at a time.

        Args:
            asked: prompts with the answers to score; may be longer than memory.
            on_batch: called with the number of questions done.
        """
        source, before = iter(asked), 0
        while chunk := list(itertools.islice(source, CHUNK)):
            trees = [self._tree(one) for one in chunk]
            values: dict[int, list[float]] = {}
            for at, found in self._run(trees):
                values[at] = found
                on_batch(before + len(values))
            before += len(chunk)
            yield from (_collect(one, trees[at], values[at]) for at, one in enumerate(chunk))

    def _tree(self, one: Asked) -> Tree:
        if one.contexts:
            return self._tree_of_contexts(one)
        prompt, own = split_answers(one, self._tokenizer)
        context = [*self._bos, *prompt]
        if not context:
            raise BeatingBertError(f"nothing comes before the first scored token of the prompt {one.text!r}")
        tree = grow(context, list(own.values()))
        self._check_window(tree, len(context), max(map(len, own.values())), one.text)
        return tree

    def _tree_of_contexts(self, one: Asked) -> Tree:
        """The tree of a question whose labels have contexts of their own, each with its own boundary."""
        contexts = [one.contexts[label] for label in one.answers]
        texts = [*contexts, *map("".join, zip(contexts, one.answers.values(), strict=True))]
        rows = self._tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        prompts, whole = rows[: len(contexts)], rows[len(contexts) :]
        ends = [split_at_boundary(prompt, [ids]) for prompt, ids in zip(prompts, whole, strict=True)]
        if min(ends) + len(self._bos) == 0:
            raise BeatingBertError(f"nothing comes before the first scored token of one of the prompts {one.prompts}")
        shared = min(split_at_boundary(whole[0], whole), *ends)
        context, own = [*self._bos, *whole[0][:shared]], [ids[shared:] for ids in whole]
        tree = grow(context, own, [end - shared for end in ends])
        self._check_window(tree, len(self._bos) + max(ends), len(whole[0]) - ends[0], one.text)
        return tree

    def _check_window(self, tree: Tree, prompt: int, answer: int, text: str) -> None:
        """Refuse what the model cannot read at once; `prompt` and `answer` are the tokens of each."""
        if max(tree.depths) >= self._window:
            raise SettingsError(
                f"a prompt of {prompt} tokens with an answer of {answer} does not fit the model, which reads "
                f"{self._window} at once; cut it before scoring (--max_length), use fewer demonstrations, or choose a "
                f"checkpoint with a longer window. It begins {text[:60]!r}"
            )

    def _run(self, trees: Sequence[Tree]) -> Iterator[tuple[int, list[float]]]:
        """(position, values of its readings) of every tree, in the order in which batches are done."""
        prefix = self._shared_prefix()
        length = len(prefix.tokens)
        fitting = [
            length > 0 and tree.trunk > length and tuple(tree.tokens[:length]) == prefix.tokens for tree in trees
        ]
        for shared, own in ((prefix, True), (Prefix(), False)):
            chosen = [at for at in range(len(trees)) if fitting[at] is own]
            cut = {at: trees[at].without(len(shared.tokens)) for at in chosen}
            waiting = sorted(chosen, key=lambda at: -len(cut[at]))
            while waiting:
                batch = self._fill(waiting, cut)
                try:
                    found = self._score([cut[at] for at in batch], shared)
                except torch.cuda.OutOfMemoryError:
                    found = None  # only after this block is the failed batch's memory free again
                if found is None:
                    self.max_tokens = halve(len(batch), sum(len(cut[at]) for at in batch))
                    continue
                waiting = waiting[len(batch) :]
                yield from zip(batch, found, strict=True)

    def _fill(self, waiting: Sequence[int], trees: dict[int, Tree]) -> list[int]:
        """As many of the next trees as the budget holds, at least one."""
        sizes = itertools.accumulate(len(trees[at]) for at in waiting[: self._batch_size])
        count = sum(1 for total in sizes if total <= self.max_tokens)
        return list(waiting[: max(1, count)])

    @torch.inference_mode()
    def _score(self, trees: Sequence[Tree], prefix: Prefix) -> list[list[float]]:
        if self._packed is None:
            return self._padded.score(trees)
        starts = list(itertools.accumulate(map(len, trees), initial=0))
        readings = [
            (start + one.place, one.token) for start, tree in zip(starts, trees, strict=False) for one in tree.readings
        ]
        places = sorted({place for place, _ in readings})
        row = {place: at for at, place in enumerate(places)}
        hidden = self._packed.read(trees, prefix, places)
        device = hidden.device
        rows = torch.tensor([row[place] for place, _ in readings], device=device)
        values = self._output.logits(hidden[rows], torch.tensor([token for _, token in readings], device=device))
        exact = sorted(
            {
                row[start + one.place]
                for start, tree in zip(starts, trees, strict=False)
                if self._normalise or len(tree) > tree.trunk  # logits of different places cannot be added up
                for one in tree.readings
            }
        )
        normalisers = torch.zeros(len(places), device=device)
        if exact:
            normalisers[exact] = self._output.log_normalisers(hidden[exact])
        flat = iter((values - normalisers[rows]).tolist())
        return [list(itertools.islice(flat, len(tree.readings))) for tree in trees]

    def _shared_prefix(self) -> Prefix:
        if self._prefix is None:
            worth = self._packed is not None and len(self._opening) >= SHORTEST_PREFIX
            self._prefix = self._packed.read_prefix(self._opening) if worth and self._packed else Prefix()
        return self._prefix

    def _agrees(self) -> bool:
        """Whether packed reading gives this model's own numbers: tried on a few tokens, with prefix and branches."""
        weight = self._output._weight
        tokens = [*self._bos, *(17 + 31 * at % (len(weight) - 17) for at in range(9))]
        trees = [grow(tokens, [[5, 6, 7], [5, 8], [9]]), grow([*tokens[:7], 11, 12], [[5], [6]])]
        plain = self._padded.score(trees)
        try:
            assert self._packed is not None
            prefix = self._packed.read_prefix(tokens[:5])
            normalise, self._normalise = self._normalise, True
            packed = self._score([tree.without(5) for tree in trees], prefix)
            self._normalise = normalise
        except (TypeError, KeyError, AttributeError, ValueError, NotImplementedError, RuntimeError) as error:
            if is_out_of_memory(error):
                raise
            return False  # a model that takes its attention or its positions some other way
        worst = max(
            abs(one - two)
            for row, other in zip(plain, packed, strict=True)
            for one, two in zip(row, other, strict=True)
        )
        return worst < TOLERANCE.get(weight.dtype, ROUGH_TOLERANCE)


def _collect(one: Asked, tree: Tree, values: Sequence[float]) -> Scored:
    totals, counts = [0.0] * len(one.answers), [0] * len(one.answers)
    for reading, value in zip(tree.readings, values, strict=True):
        totals[reading.label] += value
        counts[reading.label] += 1
    return Scored(dict(zip(one.answers, totals, strict=True)), dict(zip(one.answers, counts, strict=True)))


def choose_max_tokens(model: Any) -> int:
    """How many tokens to read at once: what keeps the device busy, within a quarter of its free memory."""
    config = model.config.get_text_config()
    weights: torch.Tensor = next(model.parameters())
    wide = int(getattr(config, "intermediate_size", None) or 4 * config.hidden_size)
    per_token = 4 * weights.element_size() * (wide + 4 * int(config.hidden_size))  # what one layer holds at its widest
    if weights.device.type == "cuda":
        free, most = int(torch.cuda.mem_get_info(weights.device)[0]), 32_768
    else:
        import psutil

        free, most = int(psutil.virtual_memory().available), 1024  # more does not make a processor faster
    return max(FEWEST_TOKENS, min(most, free // 4 // per_token))


def halve(prompts: int, tokens: int) -> int:
    """Tokens to read at once from now on, after a batch that the device's memory did not hold.

    Args:
        prompts: in that batch.
        tokens: in all of them, padding included.

    Raises:
        BeatingBertError: it was a single prompt.
    """
    if prompts == 1:
        raise BeatingBertError(
            f"the device's memory does not hold even one prompt of {tokens} tokens; use a smaller checkpoint, a "
            "smaller --max_length, or a machine with more memory"
        )
    torch.cuda.empty_cache()
    return tokens // 2
