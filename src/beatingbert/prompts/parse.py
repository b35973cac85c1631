"""How a reply is read: strictly. A reply that does not clearly name one label names none."""

from __future__ import annotations

import re
from collections.abc import Mapping

LEAD_IN = re.compile(r"^(?:the\s+)?(?:final\s+)?(?:answer|label|sentiment|class)\s*(?::|is\b)\s*", re.IGNORECASE)
WRAPPING = " \t\"'`*_.,:;!()[]{}<>\u201c\u201d\u2018\u2019"  # what models put around a word


def parse_reply(reply: str, words: Mapping[str, str]) -> str | None:
    """The label that a reply names, or None.

    Only the first line that says anything counts. It must begin with the words of one label (after quotes, markup
    and a lead-in such as "Answer:"), the words must end there or at a word boundary, and no other label may be named
    in the same line: "positive", "**Positive.**", "Answer: positive" and "positive, because ..." are read as positive;
    "not positive", "positive or negative" and "positively" name no label.

    Args:
        reply: what the model wrote after the prompt.
        words: label to the words that stand for it.
    """
    line = next((line.strip() for line in reply.splitlines() if line.strip(WRAPPING)), "")
    line = LEAD_IN.sub("", line.strip(WRAPPING)).strip(WRAPPING).casefold()
    named = [label for label, phrase in _longest_first(words) if re.match(_whole(phrase), line)]
    if not named:
        return None
    rest = re.sub(_whole(words[named[0]]), " ", line)
    others = (phrase for label, phrase in _longest_first(words) if label != named[0])
    return None if any(re.search(_whole(phrase), rest) for phrase in others) else named[0]


def _longest_first(words: Mapping[str, str]) -> list[tuple[str, str]]:
    """Longest first, so that "yes and no" is not read as "yes" where both are labels."""
    return sorted(words.items(), key=lambda item: -len(item[1]))


def _whole(phrase: str) -> str:
    return rf"(?<!\w){re.escape(phrase.casefold().strip(WRAPPING))}(?!\w)"
