"""How a reply is read: strictly. A reply that does not clearly name one label names none."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping

NOUNS = ("answer", "label", "sentiment", "class")
LEAD_IN = re.compile(rf"^(?:the\s+)?(?:final\s+)?(?:{'|'.join(NOUNS)})\s*(?::|is\b)\s*", re.IGNORECASE)
LEAD_INS = ["".join(parts) for parts in itertools.product(("", "the "), ("", "final "), NOUNS, (":", " is"))]
LEAD_IN_ENDINGS = sorted({lead_in[at:] for lead_in in LEAD_INS for at in range(len(lead_in))})
WRAPPING = " \t\"'`*_.,:;!()[]{}<>\u201c\u201d\u2018\u2019"  # what models put around a word
# An underscore continues a word, but at the end of a line it is one of the marks that are dropped.
LAST_UNDERSCORE = re.compile(r"_\W*\Z")


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
    labels = _labels_by_phrase(words)
    named = _find_phrases(line, labels)
    if not named or named[0].start() > 0 or len({match[0] for match in named}) > 1:
        return None
    return labels[named[0][0]]


def is_settled(reply: str, words: Mapping[str, str]) -> bool:
    """Whether nothing that follows can change what `parse_reply` makes of a reply that is still being written.

    It is settled when the line that counts is over, when that line has begun as no label's words do, or when it has
    named two labels. A reply that has named one label is not: "positive" may go on as "positively" or as "positive or
    negative". The answer may come a little late, where a word has just begun, but never too early.

    Args:
        reply: what the model has written so far.
        words: label to the words that stand for it.
    """
    *over, last = (reply + "|").splitlines()  # with a mark, a last line is left even where none has begun
    if any(line.strip(WRAPPING) for line in over):
        return True
    rest = after_lead_in(last.removesuffix("|").lstrip().lstrip(WRAPPING)).casefold()
    if not rest or LAST_UNDERSCORE.search(rest):
        return False
    phrases = _labels_by_phrase(words)
    return not any(_may_open(rest, phrase) for phrase in phrases) or _names_two(rest, phrases)


def _labels_by_phrase(words: Mapping[str, str]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for label, phrase in words.items():
        labels.setdefault(phrase.casefold().strip(WRAPPING), label)
    labels.pop("", None)  # a choice of marks alone cannot be told from no answer
    return labels


def _find_phrases(line: str, phrases: Iterable[str]) -> list[re.Match[str]]:
    # Longest first, so that "not equivalent" is not read as "equivalent" where both are labels.
    either = "|".join(re.escape(phrase) for phrase in sorted(phrases, key=len, reverse=True))
    return list(re.finditer(rf"(?<!\w)(?:{either})(?!\w)", line)) if either else []


def after_lead_in(begun: str) -> str:
    """What an unfinished line says after its lead-in; nothing, as long as it may still be one."""
    if lead_in := LEAD_IN.match(begun):
        return begun[lead_in.end() :].lstrip(WRAPPING)
    return "" if any(LEAD_IN.fullmatch(begun + ending) for ending in LEAD_IN_ENDINGS) else begun


def _may_open(rest: str, phrase: str) -> bool:
    """Whether a line that has begun with `rest` may turn out to begin with a label's words."""
    return phrase.startswith(rest) or (rest.startswith(phrase) and not re.match(r"\w", rest[len(phrase) :]))


def _names_two(rest: str, phrases: Iterable[str]) -> bool:
    """Whether an unfinished line has named two labels for good: words at its end may still become other words."""
    if any(phrase.startswith(rest[at:]) for phrase in phrases for at in range(len(rest))):
        return False
    return len({match[0] for match in _find_phrases(rest, phrases)}) > 1
