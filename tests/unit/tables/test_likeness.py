"""Near duplicates are those that comparing every pair of sets of words finds."""

from __future__ import annotations

import random
import re
from itertools import combinations, pairwise

import numpy as np
import pytest

from beatingbert.tables.likeness import NEAR, fold, join, near_texts, same_texts
from beatingbert.tasks.example import Question
from beatingbert.tasks.subsample import text_key


def features(text: str) -> set[str]:
    words = re.findall(r"\w+", text.casefold())
    return {*words, *(f"{first} {second}" for first, second in pairwise(words))}


def partition(numbers: np.ndarray) -> set[frozenset[int]]:  # type: ignore[type-arg]
    return {frozenset(np.flatnonzero(numbers == number).tolist()) for number in numbers}


def by_comparing_all(texts: list[str]) -> set[frozenset[int]]:
    groups = {at: {at} for at in range(len(texts))}
    for first, second in combinations(range(len(texts)), 2):
        one, two = features(texts[first]), features(texts[second])
        if fold(texts[first]) == fold(texts[second]) or len(one & two) >= NEAR * len(one | two) > 0:
            merged = groups[first] | groups[second]
            groups.update(dict.fromkeys(merged, merged))
    return {frozenset(group) for group in groups.values()}


@pytest.mark.parametrize("seed", range(5))
def test_near_texts_are_those_that_comparing_all_pairs_finds(seed: int) -> None:
    rng = random.Random(seed)
    vocabulary = [f"word{at}" for at in range(200)]
    texts = []
    for _ in range(60):
        words = rng.choices(vocabulary, k=rng.randint(1, 25))
        texts.append(" ".join(words))
        for _ in range(rng.randint(0, 3)):
            changed = words.copy()
            changed[rng.randrange(len(words))] = rng.choice(vocabulary)
            texts.append(" ".join(changed))
    rng.shuffle(texts)
    found = partition(near_texts(texts))
    assert found == by_comparing_all(texts)
    assert 1 < max(map(len, found))


def test_case_punctuation_and_one_more_word_make_near_texts_and_another_word_does_not() -> None:
    texts = [
        "Where is the nearest cash machine, please?",
        "where is the nearest cash machine please",
        "Where is the nearest cash machine here, please?!",
        "Where was the oldest cash machine, please?",
        "",
        "😀",
    ]
    assert partition(near_texts(texts)) == {
        frozenset({0, 1}),
        frozenset({2}),
        frozenset({3}),
        frozenset({4}),
        frozenset({5}),
    }


def test_scripts_without_blanks_are_compared_letter_by_letter() -> None:
    texts = ["我的银行卡丢了现在应该怎么办才好呢谢谢", "我的银行卡丢了 现在应该怎么办才好呢 谢谢。", "今天天气很好"]
    assert partition(near_texts(texts)) == {frozenset({0, 1}), frozenset({2})}


def test_a_template_filled_in_many_times_is_one_set() -> None:
    texts = [
        f"dear customer your parcel number {at} has left our house and will be with you by noon today"
        for at in range(500)
    ]
    assert len(partition(near_texts(texts))) == 1


def test_same_texts_are_those_of_one_text_key() -> None:
    texts = ["A  text", "a text ", "a\ntext", "another", "STRASSE", "straße"]
    keys = [text_key(Question("", {"text": text})) for text in texts]
    assert partition(same_texts(texts)) == {
        frozenset(at for at, other in enumerate(keys) if other == key) for key in keys
    }


def test_numberings_are_joined_by_chains() -> None:
    assert partition(join([0, 0, 1, 2, 3], [5, 6, 6, 7, 8], [1, 2, 3, 4, 4])) == {
        frozenset({0, 1, 2}),
        frozenset({3, 4}),
    }
