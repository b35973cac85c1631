"""Replies written by the model, in batches, padded on the left so that every row goes on from its own last token.

A reply depends on its prompt, the seed and the question's id, but not on the batch that it is written in: each row has
its own random numbers and stops for itself. What remains is floating-point noise, which in half precision may tip the
scales between two tokens that are almost equally likely.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PrefixConstrainedLogitsProcessor, StoppingCriteria

from beatingbert.engines.llm.likelihood import choose_max_tokens, halve, split_answers
from beatingbert.engines.llm.reply import ConstrainedReply, FreeReply, Reply, WholeReply, Written
from beatingbert.engines.llm.sampling import GumbelNoise, open_stream
from beatingbert.engines.llm.wording import Asked
from beatingbert.errors import BeatingBertError

MOST_ROWS = 256  # per batch, where the user did not say; more rows hardly write faster


def drop_decoding_habits(model: Any) -> None:
    """Forget what the checkpoint's generation_config.json asks for, but for its end tokens.

    It may hold a repetition penalty (Qwen's does), which greedy decoding would obey too: words that stand in the
    prompt, as those of the labels do, would then be written less often than the model finds them likely.
    """
    from transformers import GenerationConfig

    model.generation_config = GenerationConfig(eos_token_id=model.generation_config.eos_token_id)


@dataclass(frozen=True, slots=True)
class _Job:
    """One question, ready to be answered.

    Attributes:
        question_id: says which random numbers are its own.
        asked: its words.
        context: the ids that the model reads.
        answers: label to the ids of its words; None where the reply is free.
        new_tokens: longest reply.
    """

    question_id: str
    asked: Asked
    context: list[int]
    answers: dict[str, list[int]] | None
    new_tokens: int

    def __len__(self) -> int:
        """Tokens in all, read and written."""
        return len(self.context) + self.new_tokens


class Writer:
    """Lets one model write replies.

    Args:
        model: a causal language model in evaluation mode.
        tokenizer: its tokenizer.
        bos: ids before every prompt.
        max_new_tokens: longest free reply; a constrained one is as long as its label, which is never cut.
        seed: of the sampling.
        temperature: 0 is greedy; otherwise the softmax is sampled at this temperature, without top-k or top-p.
        stop_at_line: whether a reply ends with its first line, as for a model that would go on with another example.
        constrained: whether a reply can only be the words of one of the question's labels. At each token the labels'
            next tokens compete, and those of all others are ruled out. Taken greedily, this is not the label that is
            most likely as a whole: a likely first token may lead to unlikely ones. Answers by likelihood are.
        until: a marker that ends a text from which no label is read; None where labels are.
        batch_size: most prompts per batch; None leaves it to `max_tokens`.
        max_tokens: most tokens per batch, padding and replies included, but for a single prompt that is longer.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        bos: Sequence[int],
        max_new_tokens: int,
        seed: int,
        temperature: float = 0.0,
        stop_at_line: bool = False,
        constrained: bool = False,
        until: str | None = None,
        batch_size: int | None = None,
        max_tokens: int | None = None,
    ) -> None:
        self.max_tokens = max_tokens or choose_max_tokens(model)
        self._model = model
        self._tokenizer = tokenizer
        self._bos = list(bos)
        self._max_new_tokens = max_new_tokens
        self._seed = seed
        self._temperature = temperature
        self._stop_at_line = stop_at_line
        self._constrained = constrained
        self._until = until
        self._most_rows = batch_size or MOST_ROWS

    def write(
        self,
        asked: Sequence[Asked],
        ids: Sequence[str],
        *,
        on_batch: Callable[[int, int], None] = lambda done, total: None,
    ) -> list[Written]:
        """One reply per prompt, in the order given.

        Args:
            asked: prompts with the answers to choose from.
            ids: of the questions, in the same order.
            on_batch: called with (prompts done, prompts in all).

        Raises:
            BeatingBertError: the device's memory does not hold a single prompt.
        """
        jobs = [self._prepare(one, question_id) for one, question_id in zip(asked, ids, strict=True)]
        waiting = sorted(range(len(jobs)), key=lambda at: -len(jobs[at]))
        written: dict[int, Written] = {}
        while waiting:
            rows = max(1, min(self._most_rows, self.max_tokens // len(jobs[waiting[0]])))
            chosen = waiting[:rows]
            try:
                found = self._write_batch([jobs[at] for at in chosen])
            except torch.cuda.OutOfMemoryError:
                found = None  # only after this block is the failed batch's memory free again
            if found is None:
                self.max_tokens = halve(len(chosen), len(chosen) * len(jobs[chosen[0]]))
                continue
            written.update(zip(chosen, found, strict=True))
            waiting = waiting[rows:]
            on_batch(len(written), len(jobs))
        return [written[at] for at in range(len(jobs))]

    def _prepare(self, asked: Asked, question_id: str) -> _Job:
        if self._constrained:
            prompt, answers = split_answers(asked, self._tokenizer)
            job = _Job(question_id, asked, [*self._bos, *prompt], answers, max(map(len, answers.values())))
        else:
            prompt = self._tokenizer(asked.text, add_special_tokens=False, verbose=False)["input_ids"]
            job = _Job(question_id, asked, [*self._bos, *prompt], None, self._max_new_tokens)
        if not job.context:
            raise BeatingBertError(f"nothing comes before the first written token of the prompt {asked.text!r}")
        return job

    @torch.inference_mode()
    def _write_batch(self, jobs: Sequence[_Job]) -> list[Written]:
        device = next(self._model.parameters()).device
        width = max(len(job.context) for job in jobs)
        filling = [width - len(job.context) for job in jobs]
        pad = self._pad()
        rows = [[pad] * blank + job.context for blank, job in zip(filling, jobs, strict=True)]
        mask = [[0] * blank + [1] * (width - blank) for blank in filling]
        replies = [self._begin(job) for job in jobs]
        self._model.generate(
            input_ids=torch.tensor(rows, device=device),
            attention_mask=torch.tensor(mask, device=device),
            max_new_tokens=max(job.new_tokens for job in jobs),
            do_sample=False,  # where tokens are drawn, it is by noise on the logits
            pad_token_id=pad,
            logits_processor=self._processors(replies, jobs),
            stopping_criteria=[StopEachRow(replies)],
        )
        return [reply.written() for reply in replies]

    def _begin(self, job: _Job) -> Reply:
        ends = self._ends()
        if job.answers is not None:
            return ConstrainedReply(job.asked.answers, job.answers, ends=ends | self._line_ends())
        if self._until is not None:
            return WholeReply(self._tokenizer, ends=ends, until=self._until)
        words = {label: answer.strip() for label, answer in job.asked.answers.items()}
        listed = job.asked.listed
        return FreeReply(words, self._tokenizer, ends=ends, stop_at_line=self._stop_at_line, listed=listed)

    def _processors(self, replies: Sequence[Reply], jobs: Sequence[_Job]) -> list[Any]:
        processors: list[Any] = []
        constrained = [reply for reply in replies if isinstance(reply, ConstrainedReply)]  # all of them, or none
        if constrained:
            processors.append(PrefixConstrainedLogitsProcessor(lambda row, _: constrained[row].allowed(), num_beams=1))
        if self._temperature > 0:
            streams = [open_stream(self._seed, job.question_id) for job in jobs]
            processors.append(GumbelNoise(replies, streams, self._temperature))
        return processors

    def _ends(self) -> set[int]:
        """Ids after which the model says nothing more."""
        ends = self._model.generation_config.eos_token_id
        known = {*ends} if isinstance(ends, Collection) else {ends}
        return {int(end) for end in known | {self._tokenizer.eos_token_id} if end is not None}

    def _line_ends(self) -> set[int]:
        """Ids that end an answer in a running text, as in its demonstrations."""
        if not self._stop_at_line:
            return set()
        return {self._tokenizer(text, add_special_tokens=False)["input_ids"][-1] for text in ("\n", "\n\n")}

    def _pad(self) -> int:
        ids = (self._tokenizer.pad_token_id, self._tokenizer.eos_token_id, 0)
        return next(int(one) for one in ids if one is not None)


class StopEachRow(StoppingCriteria):  # type: ignore[misc]
    """Hands each row's new token to its reply, and stops the rows whose replies are over.

    Args:
        replies: one per row.
    """

    def __init__(self, replies: Sequence[Reply]) -> None:
        self._replies = replies

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        """Shape (rows,), True where the row is over."""
        for reply, token in zip(self._replies, input_ids[:, -1].tolist(), strict=True):
            if not reply.is_over:
                reply.read(token)
        return torch.tensor([reply.is_over for reply in self._replies], device=input_ids.device)
