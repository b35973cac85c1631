from __future__ import annotations

import pytest

from beatingbert.engines.llm.tree import Tree, grow


def text_before(tree: Tree, place: int) -> list[int]:
    """The tokens that a reading at this place comes after."""
    found = []
    while place >= 0:
        found.append(tree.tokens[place])
        place = tree.parents[place]
    return found[::-1]


def scored(tree: Tree, label: int) -> list[tuple[list[int], int]]:
    """(what comes before, token) of every scored token of a label."""
    return [(text_before(tree, one.place), one.token) for one in tree.readings if one.label == label]


def test_labels_share_what_they_begin_with() -> None:
    tree = grow([1, 2], [[3, 4, 5], [3, 6], [7]])
    assert tree.tokens == [1, 2, 3, 4]
    assert scored(tree, 0) == [([1, 2], 3), ([1, 2, 3], 4), ([1, 2, 3, 4], 5)]
    assert scored(tree, 1) == [([1, 2], 3), ([1, 2, 3], 6)]
    assert scored(tree, 2) == [([1, 2], 7)]
    assert (tree.trunk, tree.depths) == (2, [0, 1, 2, 3])


def test_of_a_labels_own_context_nothing_is_scored() -> None:
    """Contexts 1 2 3 and 1 2 4 5, each with the continuation 8 9."""
    tree = grow([1, 2], [[3, 8, 9], [4, 5, 8, 9]], [1, 2])
    assert scored(tree, 0) == [([1, 2, 3], 8), ([1, 2, 3, 8], 9)]
    assert scored(tree, 1) == [([1, 2, 4, 5], 8), ([1, 2, 4, 5, 8], 9)]
    assert tree.tokens == [1, 2, 3, 8, 4, 5, 8]
    assert (tree.trunk, tree.depths) == (2, [0, 1, 2, 3, 2, 3, 4])


def test_a_context_that_begins_another_is_read_once() -> None:
    tree = grow([1], [[2, 8], [2, 3, 8]], [1, 2])
    assert tree.tokens == [1, 2, 3]
    assert scored(tree, 0) == [([1, 2], 8)]
    assert scored(tree, 1) == [([1, 2, 3], 8)]


def test_contexts_that_share_nothing_make_a_tree_without_trunk() -> None:
    tree = grow([], [[1, 2, 8], [3, 8]], [2, 1])
    assert (tree.trunk, tree.parents, tree.depths) == (0, [-1, 0, -1], [0, 1, 0])
    assert scored(tree, 0) == [([1, 2], 8)]
    assert scored(tree, 1) == [([3], 8)]


@pytest.mark.parametrize("prefix", [1, 2])
def test_a_tree_without_its_first_tokens_keeps_its_depths(prefix: int) -> None:
    tree = grow([1, 2, 3], [[4, 8, 9], [5, 8, 9]], [1, 1])
    cut = tree.without(prefix)
    assert cut.depths == tree.depths[prefix:]
    assert cut.trunk == 3 - prefix
    for label in range(2):
        assert scored(cut, label) == [(before[prefix:], token) for before, token in scored(tree, label)]
