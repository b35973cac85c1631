"""One reply while it is being written: takes one token after another and says when it is over.

Each reply decides for itself, so that its text cannot depend on what else is written in the same batch. Knows the
tokenizer, but no model.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from beatingbert.prompts.letters import is_letter_settled, parse_letter
from beatingbert.prompts.parse import is_settled, parse_reply

# A word that may go on, and what decoders show for bytes whose rest is still to come.
UNFINISHED = re.compile("\\w*\ufffd*\\Z")


@dataclass(frozen=True, slots=True)
class Written:
    """A reply that is over.

    Attributes:
        text: what was written, up to where the reply stopped.
        label: the one that it names, or None.
    """

    text: str
    label: str | None


class Reply(Protocol):
    """A reply that is being written."""

    is_over: bool

    def read(self, token: int) -> None:
        """Take the next token of a reply that is not over."""

    def written(self) -> Written:
        """What has been written so far."""


class SpokenReply(ABC):
    """A reply that may be any text: over at an end token, and as soon as its reader has what it needs.

    Args:
        tokenizer: turns tokens into text.
        ends: ids after which the model says nothing more.
    """

    def __init__(self, tokenizer: Any, *, ends: Collection[int]) -> None:
        self.is_over = False
        self._tokenizer = tokenizer
        self._ends = ends
        self._tokens: list[int] = []

    def read(self, token: int) -> None:
        """Take the next token."""
        if token in self._ends:
            self.is_over = True
            return
        self._tokens.append(token)
        self.is_over = self._is_enough()

    @abstractmethod
    def _is_enough(self) -> bool:
        """Whether the reader needs no more."""

    def _text(self, last: int = 0) -> str:
        """What the tokens say, or as many of the last ones."""
        tokens = self._tokens[-last:]
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text


class FreeReply(SpokenReply):
    """A reply in the model's own words.

    It is over at an end token, and as soon as nothing that follows its whole words can change how it is read
    (`is_settled`): so it names the same label as if it had been written to the end. "positive" alone is not enough,
    since "or negative" may follow; the end of its line is. Where no label can be named any more, the word that showed
    it is still written out, for whoever reads the reply later.

    Args:
        words: label to the words that stand for it.
        tokenizer: turns tokens into text.
        ends: ids after which the model says nothing more.
        stop_at_line: whether the reply is also over at the end of a line that says nothing, as for a model that would
            go on with another example.
        listed: the choices that were listed in the prompt, where a letter is to be named and no words.
    """

    def __init__(
        self,
        words: Mapping[str, str],
        tokenizer: Any,
        *,
        ends: Collection[int],
        stop_at_line: bool,
        listed: Sequence[str] = (),
    ) -> None:
        super().__init__(tokenizer, ends=ends)
        self._words = words
        self._stop_at_line = stop_at_line
        self._listed = listed

    def _is_enough(self) -> bool:
        text = self._text()
        if self._stop_at_line and "\n" in text:
            return True
        whole_words = UNFINISHED.sub("", text)
        return is_letter_settled(whole_words, self._listed) if self._listed else is_settled(whole_words, self._words)

    def written(self) -> Written:
        """The text so far, read strictly."""
        text = self._text()
        return Written(text, parse_letter(text, self._listed) if self._listed else parse_reply(text, self._words))


class WholeReply(SpokenReply):
    """A text that nobody reads a label from while it is written.

    It is over at an end token, and once it holds the marker that its reader stops at.

    Args:
        tokenizer: turns tokens into text.
        ends: ids after which the model says nothing more.
        until: the marker, which is part of the text.
    """

    def __init__(self, tokenizer: Any, *, ends: Collection[int], until: str) -> None:
        super().__init__(tokenizer, ends=ends)
        self._until = until

    def _is_enough(self) -> bool:
        # A marker has no more tokens than characters, so a look at the end is enough.
        return self._until in self._text(last=len(self._until) + 1)

    def written(self) -> Written:
        """The text so far, which names no label."""
        return Written(self._text(), None)


@dataclass(slots=True)
class Branch:
    """What may follow some tokens.

    Attributes:
        labels: those that can still be reached, in the order of the question's.
        ending: the label whose words are complete here.
        children: next token to what may follow it.
    """

    labels: list[str] = field(default_factory=list)
    ending: str | None = None
    children: dict[int, Branch] = field(default_factory=dict)


class ConstrainedReply:
    """A reply that can only be the words of one label.

    It is over as soon as a single label can still be reached, because its remaining words are forced. Where one
    label's words are the beginning of another's, an end token decides for the shorter.

    Args:
        answers: label to what would follow the prompt.
        tokens: label to the ids of its words, at least one each; of labels with the same ids the first one is meant.
        ends: ids after which the model says nothing more.
    """

    def __init__(
        self, answers: Mapping[str, str], tokens: Mapping[str, Sequence[int]], *, ends: Collection[int]
    ) -> None:
        self._answers = answers
        self._ends = ends
        self._here = grow_branches(tokens)
        self.is_over = len(self._here.labels) == 1

    def allowed(self) -> list[int]:
        """The ids that may come next; any one, where the reply is over."""
        if self.is_over:
            return [0]
        return [*self._here.children, *(self._ends if self._here.ending is not None else ())]

    def read(self, token: int) -> None:
        """Take the next token, one of those allowed."""
        ending = self._here.ending
        if token in self._here.children:
            self._here = self._here.children[token]
        elif ending is not None:
            self._here = Branch([ending], ending)
        self.is_over = len(self._here.labels) == 1

    def written(self) -> Written:
        """The words of the label that was reached, to their end."""
        label = self._here.labels[0]
        return Written(self._answers[label], label)


def grow_branches(tokens: Mapping[str, Sequence[int]]) -> Branch:
    """All labels' words as one tree, from its root."""
    first: dict[tuple[int, ...], str] = {}
    for label, ids in tokens.items():
        first.setdefault(tuple(ids), label)
    root = Branch()
    for ids, label in first.items():
        here = root
        here.labels.append(label)
        for token in ids:
            here = here.children.setdefault(token, Branch())
            here.labels.append(label)
        here.ending = label
    return root
