"""One question's tokens as a tree: the context is the trunk, the labels' words are the branches.

Labels that begin alike share their first tokens, so each token is computed once. A label of one token needs no branch
at all: it is read from the trunk's last token. Where labels have contexts of their own, the trunk is what these share,
and a branch begins with the rest of its context, which is read but not scored. Knows token ids only, neither texts nor
models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Reading:
    """One token whose log-probability is wanted.

    Attributes:
        place: index of the tree's token after which it is predicted.
        token: its id.
        label: position of the label in the question's list of labels.
    """

    place: int
    token: int
    label: int


@dataclass(slots=True)
class Tree:
    """Tokens in an order in which parents come before their children.

    Attributes:
        tokens: ids to be read by the model.
        parents: index of the token before each one; -1 for the first.
        depths: position of each token in its text, 0 for the first.
        readings: the tokens to score.
        trunk: how many of the first tokens form a chain; all, where no label has a token of its own to read; 0, where
            the labels' contexts differ from the first token on.
    """

    tokens: list[int]
    parents: list[int]
    depths: list[int]
    readings: list[Reading] = field(default_factory=list)
    trunk: int = 0

    def __len__(self) -> int:
        """Tokens to be read."""
        return len(self.tokens)

    def without(self, prefix: int) -> Tree:
        """The tree without its first `prefix` tokens, which somebody else has read; depths stay as they are."""
        return Tree(
            tokens=self.tokens[prefix:],
            parents=[max(parent - prefix, -1) for parent in self.parents[prefix:]],
            depths=self.depths[prefix:],
            readings=[Reading(one.place - prefix, one.token, one.label) for one in self.readings],
            trunk=self.trunk - prefix,
        )


def grow(context: Sequence[int], labels: Sequence[Sequence[int]], unscored: Sequence[int] = ()) -> Tree:
    """The tree of one question.

    Args:
        context: what comes before every label; at least one token, unless every label has a context of its own.
        labels: each label's own tokens; at least one each.
        unscored: how many of each label's first tokens still belong to its context, fewer than it has; none where left
            out.
    """
    trunk = len(context)
    tree = Tree(list(context), list(range(-1, trunk - 1)), list(range(trunk)), trunk=trunk)
    children: dict[tuple[int, int], int] = {}
    for label, ids in enumerate(labels):
        place = trunk - 1
        first = unscored[label] if unscored else 0
        for at, token in enumerate(ids[:-1]):
            if at >= first:
                tree.readings.append(Reading(place, token, label))
            if (place, token) not in children:
                children[place, token] = len(tree.tokens)
                tree.tokens.append(token)
                tree.parents.append(place)
                tree.depths.append(trunk + at)
            place = children[place, token]
        tree.readings.append(Reading(place, ids[-1], label))  # the last token is predicted, never read
    return tree
