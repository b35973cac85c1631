"""A prompt as a pattern that is filled with its question's texts, so that what many prompts share is kept once."""

from __future__ import annotations

from collections.abc import Sequence

SHORTEST = 12
"""A text under so many characters stays where it is: it would be found in too many places to save anything."""

BLANKS = " \t\r\n"
"""What is taken off a text's ends before it is looked for, since a prompt trims what it is filled with."""

Pattern = tuple[str | int, ...]
"""Words as they are, and positions of texts that are put between them."""


def find_pattern(prompt: str, texts: Sequence[str]) -> Pattern:
    """The prompt with each of the texts, trimmed, replaced by its position wherever it stands; longer ones first.

    `fill` is the inverse whatever the texts are: a text that is not found, such as one that was cut, stays in words.
    """
    pieces: list[str | int] = [prompt]
    for position in sorted(range(len(texts)), key=lambda at: (-len(texts[at]), at)):
        text = texts[position].strip(BLANKS)
        if len(text) < SHORTEST:
            continue
        found: list[str | int] = []
        for piece in pieces:
            if isinstance(piece, int):
                found.append(piece)
                continue
            first, *others = piece.split(text)
            found.append(first)
            for other in others:
                found += [position, other]
        pieces = [piece for piece in found if piece != ""]
    return tuple(pieces)


def fill(pattern: Pattern, texts: Sequence[str]) -> str:
    """The prompt that the pattern was made from; the page's script does the same."""
    return "".join(texts[piece].strip(BLANKS) if isinstance(piece, int) else piece for piece in pattern)
