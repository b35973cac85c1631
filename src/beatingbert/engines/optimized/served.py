"""A model behind a server as DSPy's, through the served engine's desk: bounded concurrency, retries, kept answers.

Not through LiteLLM, which DSPy would use: the desk keeps every answer under the hash of what was asked and of which
model, holds the limits on requests and money, and never shows a key.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence

from beatingbert.engines.optimized.settings import OptimizedSettings
from beatingbert.engines.optimized.voice import Prompt, Said
from beatingbert.engines.protocol import EngineFacts, Workplace
from beatingbert.engines.served.answers import read_beginnings, told_apart
from beatingbert.engines.served.client import Reply, Request, Server, Token
from beatingbert.engines.served.desk import Desk
from beatingbert.engines.served.engine import connect, open_desk, server_facts
from beatingbert.engines.served.ways import ALTERNATIVES
from beatingbert.engines.served.wording import BEGINNINGS, SCORING, WRITTEN
from beatingbert.errors import NotOfferedError

FEW = 6  # tokens that tell a label where the model's turn has been opened for it: a line's end, and its first ones
MARKERS = 40  # tokens of the markers around a label where the model writes them itself

Ask = Callable[[Sequence[Request]], list[Reply]]


def served_voice(settings: OptimizedSettings, workplace: Workplace) -> ServedVoice:
    """Find the server, its model, and whether it tells log-probabilities."""
    started = time.perf_counter()
    serving = settings.serving()
    server = connect(serving, workplace.access, workplace.progress)
    desk = open_desk(server, serving, workplace.access)
    alternatives = find_alternatives(desk)
    facts = server_facts(server, serving, load_seconds=time.perf_counter() - started)
    return ServedVoice(desk, server, facts, alternatives, max(8, workplace.access.concurrency))


def find_alternatives(desk: Desk) -> int:
    """How many likeliest tokens may be asked for; 0 where the server tells none. It is asked, not believed."""
    probe = Request(turns=(("user", "Say yes or no."),), max_tokens=1)
    for count in ALTERNATIVES:
        try:
            reply = desk.try_out(dataclasses.replace(probe, alternatives=count))
        except NotOfferedError:
            continue
        if reply.tokens and len(reply.tokens[0].alternatives) > 1:
            return count
    return 0


class ServedVoice:
    """A served model in chat turns.

    Args:
        desk: sends requests.
        server: whether its models go on with a turn of their own.
        facts: for the record.
        alternatives: likeliest tokens to ask for; 0 where there are none.
        at_once: prompts that are best asked together.
    """

    def __init__(self, desk: Desk, server: Server, facts: EngineFacts, alternatives: int, at_once: int) -> None:
        self.facts = facts
        self.identity = str(facts.checkpoint["sha256"] or facts.checkpoint["reference"])
        self.at_once = at_once
        self.desk = desk
        self._goes_on = server.goes_on
        self._alternatives = alternatives

    @property
    def compares(self) -> bool:
        """As `Voice.compares`."""
        return self._alternatives > 0

    @property
    def how(self) -> str:
        """As `Voice.how`."""
        return SCORING[BEGINNINGS if self.compares else WRITTEN]

    def say(self, prompts: Sequence[Prompt], on_done: Callable[[int], None] = lambda done: None) -> list[Said]:
        """As `Voice.say`."""
        return self.say_by(prompts, lambda requests: self.desk.ask(requests, on_done))

    def say_by(self, prompts: Sequence[Prompt], ask: Ask) -> list[Said]:
        """The same, with requests sent by `ask`: one for each prompt, then a longer one where that was unclear."""
        requests = [self.request(one) for one in prompts]
        replies = ask(requests) if requests else []
        found = [self._read(*three) for three in zip(prompts, requests, replies, strict=True)]
        unclear = [at for at, one in enumerate(found) if one.scores is None and not replies[at].finished]
        unclear = [at for at in unclear if prompts[at].answers]
        if unclear:
            longer = [
                dataclasses.replace(requests[at], max_tokens=MARKERS + self._longest(prompts[at])) for at in unclear
            ]
            for at, request, reply in zip(unclear, longer, ask(longer), strict=True):
                again = self._read(prompts[at], request, reply)
                found[at] = dataclasses.replace(
                    again,
                    read=found[at].read + again.read,
                    written=found[at].written + again.written,
                    replies=(replies[at], reply),
                )
        return found

    def shorten(self, text: str, prompt_of: Callable[[str], Prompt]) -> tuple[str, int]:
        """As `Voice.shorten`; the tokenizer is the server's, so nothing is cut here."""
        return text, 0

    def request(self, prompt: Prompt) -> Request:
        """What is sent first. A blank or line's end at the end of an opened turn is left for the model to write."""
        turns = prompt.turns
        if self._goes_on and prompt.opens:
            turns = (*turns, ("assistant", prompt.opens.rstrip()))
        elif prompt.cued:
            turns = tuple((role, _with_cue_before(role, text, prompt)) for role, text in turns)
        if not prompt.answers:
            sampled = prompt.seed if prompt.temperature > 0 else None
            return Request(turns=turns, max_tokens=prompt.max_tokens, temperature=prompt.temperature, seed=sampled)
        compares = self._alternatives if self._compares(prompt) else 0
        most = FEW if self._goes_on and compares else MARKERS + self._longest(prompt)
        return Request(turns=turns, max_tokens=most, alternatives=compares)

    def _compares(self, prompt: Prompt) -> bool:
        return self._alternatives > 0 and told_apart(dict(zip(prompt.answers, prompt.answers, strict=True)))

    def _longest(self, prompt: Prompt) -> int:
        return max(map(len, prompt.answers))  # a token has at least one character

    def _read(self, prompt: Prompt, request: Request, reply: Reply) -> Said:
        text = f"{prompt.opens}{prompt.gap}{reply.text.lstrip()}" if self._goes_on else reply.text
        scores = None
        if request.alternatives:
            words = {answer: answer for answer in prompt.answers}
            scores = read_beginnings(tuple(_after(prompt.opens, reply.tokens)), words)
        if scores is not None:
            text = prompt.opens + prompt.gap + max(scores, key=scores.__getitem__)
        return Said(
            text=text or " ",
            scores=scores,
            shown=request.shown(),
            read=reply.input_tokens or 0,
            written=reply.output_tokens or 0,
            replies=(reply,),
        )


def _with_cue_before(role: str, text: str, prompt: Prompt) -> str:
    """Where a turn cannot be opened for the model, its cue ends the user's turn instead."""
    return f"{text}\n{prompt.opens}" if role == "user" else text.removeprefix(prompt.opens).lstrip()


def _after(opening: str, tokens: Sequence[Token]) -> Iterator[Token]:
    """The tokens after the opening where the model has written it, all of them where it has not."""
    said, marker = "", opening.strip()
    starts = [at for at, token in enumerate(tokens, start=1) if marker in (said := said + token.text)]
    return iter(tokens[starts[0] if starts else 0 :])
