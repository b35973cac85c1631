"""How replies become labels: probabilities from tokens, a choice from a fixed list, or strict reading."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from beatingbert.engines.served.client import Token
from beatingbert.prompts.parse import WRAPPING

BEFORE_A_WORD = WRAPPING + "\n\r\u2581\u0120"  # the last two are how some servers show a blank inside a token


def told_apart(words: Mapping[str, str]) -> bool:
    """Whether the beginning of an answer always tells its label: no label's words begin with all of another's."""
    begun = [word.strip(BEFORE_A_WORD).casefold() for word in words.values()]
    return all(begun) and not any(_begins_with(one, other) for one, other in itertools.permutations(begun, 2))


def read_beginnings(tokens: Sequence[Token], words: Mapping[str, str]) -> dict[str, float] | None:
    """Label to the log-probability that the answer begins as its words do, in any spelling of case and blanks.

    The likeliest tokens in place of the first are sorted by the label that they begin. A token that may still become
    several labels' words ("ne" of negative and neutral) tells nothing: if it is the one that was written, the next one
    is looked at in the same way. A label that is not among the likeliest gets the most that it could have, the
    probability of the least likely token that is listed or what is left over, so it is never chosen.

    Args:
        tokens: what was written, with alternatives.
        words: label to the words that stand for it; `told_apart` holds.

    Returns:
        The dict, in the order of `words`; None where no label is listed, or all tokens leave open which it is.
    """
    folded = {label: word.strip(BEFORE_A_WORD).casefold() for label, word in words.items()}
    mass = dict.fromkeys(words, 0.0)
    begun, path = "", 1.0
    for token in tokens:
        listed = dict(token.alternatives) | {token.text: token.log_probability}
        for text, log_probability in listed.items():
            labels = _may_become(begun + text, folded)
            if len(labels) == 1:
                mass[labels[0]] += path * math.exp(log_probability)
        begun, path = begun + token.text, path * math.exp(token.log_probability)
        if len(_may_become(begun, folded)) < 2:
            break
    else:
        return None
    if not any(mass.values()):
        return None
    most = _most_left(tokens[0], min(value for value in mass.values() if value))
    return {label: math.log(value or most) for label, value in mass.items()}


def _most_left(first: Token, least_known: float) -> float:
    """What a label that is not listed can have at most, and less than any that is."""
    listed = [math.exp(value) for _, value in first.alternatives] or [math.exp(first.log_probability)]
    most = min(min(listed), max(0.0, 1 - math.fsum(listed)), least_known * 0.999)
    return max(most, 1e-12 * least_known)


def _may_become(text: str, folded: Mapping[str, str]) -> list[str]:
    """The labels whose words a begun answer may turn out to be, or already is."""
    said = text.lstrip(BEFORE_A_WORD).casefold()
    return [label for label, word in folded.items() if word.startswith(said) or _begins_with(said, word)]


def _begins_with(said: str, word: str) -> bool:
    """Whether a text begins with whole words."""
    rest = said[len(word) :]
    return said.startswith(word) and not (rest[:1].isalnum() or rest[:1] == "_")


def read_echoes(echoes: Mapping[str, Sequence[Token]]) -> dict[str, float]:
    """Label to the log-likelihood of its words after the prompt, but for the tokens that all of them share.

    What all texts begin with, prompt and shared first tokens, has the same probability in each, so leaving it out
    changes no comparison; where the prompt ends need not be known.

    Args:
        echoes: label to the tokens of prompt and words.
    """
    texts = [[token.text for token in tokens] for tokens in echoes.values()]
    shared = sum(1 for _ in itertools.takewhile(lambda column: len(set(column)) == 1, zip(*texts, strict=False)))
    return {label: math.fsum(one.log_probability for one in tokens[shared:]) for label, tokens in echoes.items()}


def normalised(log_likelihoods: Mapping[str, float]) -> dict[str, float]:
    """Label to probability among the labels."""
    top = max(log_likelihoods.values())
    weights = {label: math.exp(value - top) for label, value in log_likelihoods.items()}
    total = math.fsum(weights.values())
    return {label: weight / total for label, weight in weights.items()}


def read_choice(text: str, words: Mapping[str, str]) -> str | None:
    """The label whose words were chosen from a list; None where it is none of them, e.g. because it was cut short."""
    said = text.strip()
    return next((label for label, word in words.items() if word.strip() == said), None)
