"""The best way of asking that a server offers, found out by asking it: nothing is believed that it does not show."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator
from functools import partial

from beatingbert.engines.served.answers import told_apart
from beatingbert.engines.served.client import Reply, Request, Server
from beatingbert.engines.served.desk import Desk
from beatingbert.engines.served.endpoints import chosen_text, writes_json
from beatingbert.engines.served.settings import ServedSettings
from beatingbert.engines.served.wording import BEGINNINGS, CHOICE, ECHO, SCORING, WRITTEN, Way, Wording
from beatingbert.errors import NotOfferedError, SettingsError

logger = logging.getLogger("beatingbert.engines.served")

ALTERNATIVES = (20, 5)  # the most that OpenAI, vLLM and Ollama give, and what some others do
# No model writes these of its own accord, so whoever writes one was made to.
ODD_CHOICES = (" zebra-17", " quartz-42")


def find_way(desk: Desk, server: Server, wording: Wording, settings: ServedSettings) -> Way:
    """The first way that works.

    Raises:
        SettingsError: the server offers nothing of what was asked for; the message has its words.
        RefusedError: of the key. UnreachableError: it does not answer. BudgetError: not even this may be spent.
    """
    refusals: list[str] = []
    for way, request, shows_it in _candidates(server, wording, settings):
        try:
            reply = desk.try_out(request)
        except NotOfferedError as error:
            refusals.append(str(error))
            logger.info("not offered: %s (%s)", SCORING[way.scoring], error)
            continue
        if shows_it(reply):
            logger.info("answers come by %s", SCORING[way.scoring])
            return way
        refusals.append(f"it takes a request for {SCORING[way.scoring]}, but does not do so")
        logger.info(refusals[-1])
    raise SettingsError(_nothing_left(settings, refusals))


def _candidates(
    server: Server, wording: Wording, settings: ServedSettings
) -> Iterator[tuple[Way, Request, Callable[[Reply], bool]]]:
    """Every way that would do, the best first, with a request that shows whether it works."""
    probe = wording.probe()
    likelihood = settings.answer_by != "generation" and settings.temperature == 0 and not settings.constrained
    generation = settings.answer_by != "likelihood"
    for chat in {"auto": (True, False), "always": (True,), "never": (False,)}[settings.chat_template]:
        goes_on = chat and server.goes_on
        if likelihood and not chat and server.echoes:
            way = Way(scoring=ECHO, chat=False)
            yield way, wording.requests(probe, way)[0], lambda reply: len(reply.tokens) > 1
        if likelihood and told_apart(wording.words(probe)):
            for count in ALTERNATIVES:
                way = Way(scoring=BEGINNINGS, chat=chat, goes_on=goes_on, alternatives=count)
                yield way, wording.requests(probe, way)[0], _lists_alternatives
        if generation and (settings.constrained or (settings.answer_by == "auto" and settings.temperature == 0)):
            for constraint in server.constraints:
                opens = goes_on and not writes_json(constraint)
                way = Way(scoring=CHOICE, chat=chat, goes_on=opens, constraint=constraint)
                odd = dataclasses.replace(wording.in_full(probe, way), choices=ODD_CHOICES, max_tokens=40)
                yield way, odd, partial(_obeys, constraint)
        if generation and not settings.constrained:
            way = Way(scoring=WRITTEN, chat=chat, goes_on=goes_on)
            yield way, wording.in_full(probe, way), _writes_something


def _lists_alternatives(reply: Reply) -> bool:
    return bool(reply.tokens) and len(reply.tokens[0].alternatives) > 1


def _obeys(constraint: str, reply: Reply) -> bool:
    return chosen_text(reply.text, constraint).strip() in [choice.strip() for choice in ODD_CHOICES]


def _writes_something(reply: Reply) -> bool:
    """Whether it says anything, or ends without: one that is cut before its first word thinks aloud, unseen."""
    return bool(reply.text.strip()) or reply.finished


def _nothing_left(settings: ServedSettings, refusals: list[str]) -> str:
    wish = "answers by likelihood" if settings.answer_by == "likelihood" else "labels as the only possible answers"
    told = "; ".join(dict.fromkeys(refusals)) or "the labels' words begin alike, so first tokens cannot tell them apart"
    if settings.answer_by == "likelihood" or settings.constrained:
        return f"{settings.model} does not offer {wish}: {told}. Leave --answer_by and --constrained out"
    return (
        f"{settings.model} cannot be asked: {told}. If the model thinks before it answers, raise --max_new_tokens "
        f"({settings.max_new_tokens} tokens were written without a word)"
    )
