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
    labels: dict[str, str] = {}
    for label, phrase in words.items():
        labels.setdefault(phrase.casefold().strip(WRAPPING), label)
    labels.pop("", None)  # a choice of marks alone cannot be told from no answer
    # Longest first, so that "not equivalent" is not read as "equivalent" where both are labels.
    phrases = "|".join(re.escape(phrase) for phrase in sorted(labels, key=len, reverse=True))
    named = list(re.finditer(rf"(?<!\w)(?:{phrases})(?!\w)", line)) if labels else []
    if not named or named[0].start() > 0 or len({match[0] for match in named}) > 1:
        return None
    return labels[named[0][0]]
