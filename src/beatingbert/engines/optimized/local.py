"""A model in this process as DSPy's: answers compared by exact likelihood, texts written, by the llm engine's parts."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cached_property, partial
from typing import Any

from beatingbert.engines.llm.classifier import LlmClassifier
from beatingbert.engines.llm.engine import LlmEngine
from beatingbert.engines.llm.generate import Writer
from beatingbert.engines.llm.likelihood import Scorer
from beatingbert.engines.llm.window import window
from beatingbert.engines.llm.wording import Asked
from beatingbert.engines.optimized.settings import OptimizedSettings
from beatingbert.engines.optimized.voice import Prompt, Said
from beatingbert.engines.protocol import EngineFacts, Workplace
from beatingbert.errors import SettingsError
from beatingbert.prompts.chat import GAP

AT_ONCE = 64
END = "[[ ## completed ## ]]"  # after which DSPy reads nothing more


def local_voice(settings: OptimizedSettings, workplace: Workplace, seed: int) -> LocalVoice:
    """Load the checkpoint, or take it from the shelf."""
    plain, _ = LlmEngine(settings.asking(), workplace).prepare([], seed=seed, only_to_answer=True)
    return LocalVoice(plain, settings, seed)


class LocalVoice:
    """A causal language model with its tokenizer.

    Args:
        plain: as the llm engine loads it.
        settings: limits.
        seed: of what is sampled.
    """

    def __init__(self, plain: LlmClassifier, settings: OptimizedSettings, seed: int) -> None:
        self.facts: EngineFacts = plain.facts
        self.identity = str(plain.facts.checkpoint["sha256"])
        self.at_once = AT_ONCE
        self.compares = True
        self._model = plain.model
        self._tokenizer: Any = plain.tokenizer
        self._bos = plain.wording.bos
        self._opening = plain.tokenizer.decode(self._bos) if self._bos else ""
        self._chat = plain.wording.chat
        self._window = window(plain.model.config)
        self._most = min(settings.max_length, self._window)
        self._batch_size = settings.batch_size
        self._seed = seed

    def say(self, prompts: Sequence[Prompt], on_done: Callable[[int], None] = lambda done: None) -> list[Said]:
        """As `Voice.say`."""
        found: dict[int, Said] = {}
        choosing = [at for at, one in enumerate(prompts) if one.answers]
        if choosing:
            chosen = self._choose([prompts[at] for at in choosing], on_done)
            found.update(zip(choosing, chosen, strict=True))
        ways: dict[tuple[int, float], list[int]] = {}
        for at, one in enumerate(prompts):
            if not one.answers:
                ways.setdefault((one.max_tokens, one.temperature), []).append(at)
        for (max_tokens, temperature), places in ways.items():
            told = partial(_add, on_done, len(found))
            written = self._write([prompts[at] for at in places], max_tokens, temperature, told)
            found.update(zip(places, written, strict=True))
        return [found[at] for at in range(len(prompts))]

    def shorten(self, text: str, prompt_of: Callable[[str], Prompt]) -> tuple[str, int]:
        """As `Voice.shorten`."""
        excess = self._excess(prompt_of(text))
        if excess <= 0:
            return text, 0
        offsets = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        ends = [end for _, end in offsets["offset_mapping"]]
        keep = len(ends) - excess
        while keep >= 0:  # a token or two more may go where cutting changes how its neighbours are split
            kept = text[: ends[keep - 1]] if keep else ""
            over = self._excess(prompt_of(kept))
            if over <= 0:
                return kept, len(ends) - keep
            keep -= over
        raise SettingsError(
            f"a question needs {self._excess(prompt_of(''))} tokens more than max_length={self._most} even without the "
            "text that may be cut; use fewer demonstrations (--num_few_shot) or a larger --max_length"
        )

    def text_of(self, prompt: Prompt) -> str:
        """What the model reads, chat markup included, without the beginning-of-sequence token that is not text."""
        if not self._chat:
            return _running(prompt)
        turns = [{"role": role, "content": text} for role, text in prompt.turns]
        if turns[0]["role"] == "system" and not self._takes_system:
            system = turns.pop(0)["content"]
            turns[0]["content"] = system + GAP + turns[0]["content"]
        text: str = self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        return (text.removeprefix(self._opening) if self._bos else text) + prompt.opens

    @cached_property
    def _takes_system(self) -> bool:
        """Whether the chat template has a place for a system turn; Gemma 1 and 2 refuse it, others leave it out."""
        turns = [{"role": "system", "content": "be-brief"}, {"role": "user", "content": "hello"}]
        try:
            return "be-brief" in self._tokenizer.apply_chat_template(turns, tokenize=False)
        except Exception:  # whatever the template's own language raises
            return False

    @cached_property
    def _scorer(self) -> Scorer:
        return Scorer(self._model, self._tokenizer, bos=self._bos, batch_size=self._batch_size)

    @property
    def how(self) -> dict[str, Any]:
        """As `Voice.how`."""
        return {
            "log_likelihoods": "over the whole vocabulary",
            "reads_shared_prefix_once": self._scorer.is_packed,
            "max_tokens_per_pass": self._scorer.max_tokens,
        }

    def _choose(self, prompts: Sequence[Prompt], on_done: Callable[[int], None]) -> list[Said]:
        """Prompts of one candidate begin alike; what they share is read once and kept for the next call."""
        texts = [self.text_of(one) for one in prompts]
        ids = self._ids(texts)
        if len(ids) > 1:
            alike = itertools.takewhile(lambda column: len(set(column)) == 1, zip(*ids, strict=False))
            self._scorer.expect([*self._bos, *(column[0] for column in alike)])
        asked = [
            Asked(text, {answer: self._gap(one) + answer for answer in one.answers}, 0)
            for text, one in zip(texts, prompts, strict=True)
        ]
        scored = self._scorer.score(asked, on_batch=lambda done, _: on_done(done))
        return [
            Said(
                text=prompt.opens + prompt.gap + max(one.log_likelihood, key=one.log_likelihood.__getitem__),
                scores=one.log_likelihood,
                shown=self._opening + text,
                read=len(self._bos) + len(row) + max(one.tokens.values()),
            )
            for prompt, text, row, one in zip(prompts, texts, ids, scored, strict=True)
        ]

    def _write(
        self, prompts: Sequence[Prompt], max_tokens: int, temperature: float, on_done: Callable[[int], None]
    ) -> list[Said]:
        texts = [self.text_of(one) for one in prompts]
        ids = self._ids(texts)
        longest = len(self._bos) + max(map(len, ids)) + max_tokens
        if longest > self._window:
            raise SettingsError(
                f"a prompt of the optimiser with {max_tokens} tokens to write takes {longest}, but the model reads "
                f"{self._window} at once; lower --max_new_tokens or --num_few_shot, or choose another checkpoint"
            )
        writer = Writer(
            self._model,
            self._tokenizer,
            bos=self._bos,
            max_new_tokens=max_tokens,
            seed=self._seed,
            temperature=temperature,
            batch_size=self._batch_size,
            until=END,
        )
        asked = [Asked(text, {}, 0) for text in texts]
        written = writer.write(asked, [_name(one) for one in prompts], on_batch=lambda done, _: on_done(done))
        return [
            Said(
                text=prompt.opens + one.text,
                shown=self._opening + text,
                read=len(self._bos) + len(row),
                written=len(self._ids([one.text])[0]),
            )
            for prompt, text, row, one in zip(prompts, texts, ids, written, strict=True)
        ]

    def _gap(self, prompt: Prompt) -> str:
        """Before an answer; none where it begins a chat turn."""
        return "" if self._chat and not prompt.opens else prompt.gap

    def _excess(self, prompt: Prompt) -> int:
        """How many tokens too many a prompt has, with room for its answer."""
        (ids,) = self._ids([self.text_of(prompt)])
        room = max(map(len, self._ids(prompt.answers))) + 1 if prompt.answers else prompt.max_tokens
        return len(self._bos) + len(ids) + room - self._most

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        rows: list[list[int]] = self._tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
        return rows


def _running(prompt: Prompt) -> str:
    """One text, as `prompts.chat.running_text` has it."""
    text = ""
    for role, said in prompt.turns:
        text += (prompt.joins if role == "assistant" else GAP) * bool(text) + said.strip()
    return f"{text}{prompt.joins}{prompt.opens}" if prompt.opens else text


def _add(on_done: Callable[[int], None], before: int, done: int) -> None:
    on_done(before + done)


def _name(prompt: Prompt) -> str:
    """What names the random numbers of a prompt: all of it, so that a text depends on its own prompt alone."""
    return hashlib.sha256(json.dumps(asdict(prompt), sort_keys=True).encode()).hexdigest()
