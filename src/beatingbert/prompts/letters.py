"""Multiple choice by letter: the choices as a list, and how a reply that names one of them is read."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

from beatingbert.errors import SettingsError
from beatingbert.prompts.parse import LEAD_IN, WRAPPING, after_lead_in
from beatingbert.tasks.example import Question

LETTERS = string.ascii_uppercase


def list_choices(question: Question) -> str:
    """One line per choice, `A. first`, `B. second`, ...

    Raises:
        SettingsError: fewer than 2 choices, or more than there are letters.
    """
    count = len(question.choices)
    if not 2 <= count <= len(LETTERS):
        raise SettingsError(
            f"question {question.id!r} has {count} choices, but letters tell between 2 and {len(LETTERS)} apart; "
            "use --choice_by ending"
        )
    return "\n".join(f"{letter}. {choice.strip()}" for letter, choice in zip(LETTERS, question.choices, strict=False))


def parse_letter(reply: str, choices: Sequence[str]) -> str | None:
    """The position of the choice whose letter a reply names, as a label, or None.

    Strict, as `parse_reply`: only the first line that says anything counts. After quotes, markup and a lead-in such as
    "Answer:" it must begin with a capital letter of a choice, and end there or go on after a mark: "B", "(B)", "B.",
    "Answer: B", "B. the sun" and "B, because ..." name the second choice. No other letter may be named in that line,
    except in the words of the choice itself: "A. vitamin C" names the first of "vitamin C" and "iron", but "A or B",
    "A dog" and "b" name none.

    Args:
        reply: what the model wrote after the prompt.
        choices: what the letters stand for, in order.
    """
    line = next((line.strip() for line in reply.splitlines() if line.strip(WRAPPING)), "")
    line = LEAD_IN.sub("", line.strip(WRAPPING)).strip(WRAPPING)
    known = LETTERS[: len(choices)]
    named = re.match(rf"([{known}])(?![^\W_]|\s+[^\W_])", line)
    if named is None:
        return None
    at = known.index(named[1])
    others = _without(line[1:].strip(WRAPPING), choices[at].strip(WRAPPING))
    if re.search(rf"(?<!\w)[{known.replace(named[1], '')}](?!\w)", others):
        return None
    return str(at)


def is_letter_settled(reply: str, choices: Sequence[str]) -> bool:
    """Whether nothing that follows can change what `parse_letter` makes of a reply that is still being written.

    It is settled when the line that counts is over, or has begun with something else than a letter of a choice.

    Args:
        reply: what the model has written so far, up to the end of a word.
        choices: what the letters stand for, in order.
    """
    *over, last = (reply + "|").splitlines()  # with a mark, a last line is left even where none has begun
    if any(line.strip(WRAPPING) for line in over):
        return True
    rest = after_lead_in(last.removesuffix("|").lstrip().lstrip(WRAPPING))
    return bool(rest) and re.match(rf"[{LETTERS[: len(choices)]}](?!\w)", rest) is None


def _without(text: str, choice: str) -> str:
    """What a reply says besides the words of the choice, which may be cut short where the reply was."""
    said, words = text.casefold(), choice.casefold()
    if words.startswith(said):
        return ""
    return text[len(choice) :] if said.startswith(words) else text
