"""Samples keep the shares of the classes, repeat by seed, and never part rows of one text."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beatingbert.errors import SettingsError
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.subsample import (
    carve_development,
    draw_stratified,
    draw_uniform,
    nested_quotas,
    share_out,
    text_key,
)

LABELS = st.lists(st.sampled_from("abc"), min_size=1, max_size=80)


def examples_of(labels: list[str], *, texts: list[str] | None = None) -> list[Example]:
    texts = texts or [f"text {at}" for at in range(len(labels))]
    rows = enumerate(zip(labels, texts, strict=True))
    return [Example(Question(str(at), {"text": text}), label) for at, (label, text) in rows]


def identities(examples: list[Example]) -> list[int]:
    return [int(example.question.id) for example in examples]


@given(LABELS, st.integers(1, 100), st.integers(0, 5))
def test_a_sample_is_an_ordered_stratified_repeatable_subset(labels: list[str], size: int, seed: int) -> None:
    examples = examples_of(labels)
    drawn = draw_stratified(examples, size, seed=seed)
    assert drawn == draw_stratified(examples, size, seed=seed)
    assert len(drawn) == min(size, len(examples))
    assert identities(drawn) == sorted(set(identities(drawn)))
    whole, part = Counter(labels), Counter(example.label for example in drawn)
    if size >= len(whole):
        assert set(part) == set(whole)
    for label, count in whole.items():
        share = len(drawn) * count / len(labels)
        assert part[label] <= count
        assert part[label] == 1 or share - len(whole) < part[label] < share + 1


@given(st.dictionaries(st.sampled_from("abcde"), st.integers(1, 50), min_size=1), st.data())
def test_quotas_add_up_and_never_exceed_what_there_is(counts: dict[str, int], data: st.DataObject) -> None:
    size = data.draw(st.integers(0, sum(counts.values())))
    quotas = share_out(counts, size)
    assert sum(quotas.values()) == size
    assert all(0 <= quotas[name] <= counts[name] for name in counts)


def test_largest_remainders_get_the_last_rows() -> None:
    assert share_out({"a": 50, "b": 30, "c": 20}, 7) == {"a": 4, "b": 2, "c": 1}  # exact shares 3.5, 2.1, 1.4
    assert share_out({"a": 97, "b": 2, "c": 1}, 3) == {"a": 1, "b": 1, "c": 1}  # one each, where size allows


def test_a_seed_names_the_same_rows_on_every_machine() -> None:
    assert identities(draw_stratified(examples_of(["a", "b"] * 20), 6, seed=99)) == [1, 5, 8, 13, 16, 24]


@given(LABELS, st.integers(1, 80), st.integers(1, 80), st.integers(0, 5))
def test_a_smaller_sample_lies_within_a_larger_one(labels: list[str], one: int, other: int, seed: int) -> None:
    examples = examples_of(labels)
    smaller, larger = (identities(draw_stratified(examples, size, seed=seed)) for size in sorted((one, other)))
    assert set(smaller) <= set(larger)


def test_samples_nest_where_largest_remainders_would_not() -> None:
    """The Alabama paradox: of 11 instead of 10 rows, class c would get one where it had two."""
    counts = {"a": 60, "b": 60, "c": 20}
    assert [share_out(counts, size)["c"] for size in (10, 11)] == [2, 1]
    assert [nested_quotas(counts, size)["c"] for size in (10, 11)] == [1, 1]
    examples = examples_of(["a"] * 60 + ["b"] * 60 + ["c"] * 20)
    samples = [set(identities(draw_stratified(examples, size, seed=99))) for size in range(1, 141)]
    assert all(smaller < larger for smaller, larger in pairwise(samples))


def test_a_hundred_rows_are_among_the_five_hundred_and_have_the_shares_of_all() -> None:
    examples = examples_of(["a"] * 3000 + ["b"] * 5000 + ["c"] * 2000)
    hundred, five_hundred = (draw_stratified(examples, size, seed=99) for size in (100, 500))
    assert set(identities(hundred)) < set(identities(five_hundred))
    assert Counter(example.label for example in hundred) == {"a": 30, "b": 50, "c": 20}
    assert Counter(example.label for example in five_hundred) == {"a": 150, "b": 250, "c": 100}


@given(st.dictionaries(st.sampled_from("abcde"), st.integers(1, 40), min_size=1), st.data())
def test_nested_quotas_add_up_stay_near_the_share_and_leave_no_class_out(
    counts: dict[str, int], data: st.DataObject
) -> None:
    size = data.draw(st.integers(0, sum(counts.values())))
    quotas = nested_quotas(counts, size)
    assert sum(quotas.values()) == size
    for name, count in counts.items():
        share = size * count / sum(counts.values())
        assert (quotas[name] >= 1) or size < len(counts)
        assert quotas[name] <= count
        assert quotas[name] == 1 or share - len(counts) < quotas[name] < share + 2


def test_a_uniform_draw_of_fewer_lies_within_one_of_more() -> None:
    assert set(draw_uniform(range(100), 10, seed=1)) < set(draw_uniform(range(100), 50, seed=1))


def test_another_seed_draws_other_rows() -> None:
    examples = examples_of(["a", "b"] * 50)
    assert draw_stratified(examples, 20, seed=1) != draw_stratified(examples, 20, seed=2)


@pytest.mark.parametrize("size", [0, -3])
def test_a_sample_without_rows_is_refused(size: int) -> None:
    with pytest.raises(SettingsError, match=f"at least 1 example, got size {size}"):
        draw_stratified(examples_of(["a"]), size, seed=1)
    with pytest.raises(SettingsError, match=f"at least 1 row, got size {size}"):
        draw_uniform([1], size, seed=1)


def test_a_uniform_draw_keeps_the_order() -> None:
    drawn = draw_uniform(range(100), 10, seed=1)
    assert drawn == sorted(set(drawn))
    assert draw_uniform([3, 1], 5, seed=1) == [3, 1]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["x", " X ", "y", "z", *"0123456789"])), max_size=60),
    st.integers(0, 5),
    st.sampled_from([0.1, 0.3, 0.9]),
)
def test_carving_parts_the_rows_but_no_text_and_keeps_every_class(
    rows: list[tuple[str, str]], seed: int, share: float
) -> None:
    examples = examples_of([label for label, _ in rows], texts=[text for _, text in rows])
    train, development = carve_development(examples, seed=seed, share=share)
    assert (train, development) == carve_development(examples, seed=seed, share=share)
    assert sorted(identities(train) + identities(development)) == list(range(len(examples)))
    assert identities(train) == sorted(identities(train))
    assert not {text_key(e.question) for e in train} & {text_key(e.question) for e in development}
    assert {e.label for e in train} == {e.label for e in examples}
    assert len(development) <= max(1, round(share * len(examples)))


def test_development_is_stratified_and_limited() -> None:
    train, development = carve_development(examples_of(["a"] * 300 + ["b"] * 100), seed=99)
    assert Counter(example.label for example in development) == {"a": 30, "b": 10}
    assert len(train) == 360
    _, development = carve_development(examples_of(["a", "b"] * 50), seed=99, most=4)
    assert len(development) == 4


def test_too_small_a_train_gives_no_development() -> None:
    examples = examples_of(["a", "b"] * 4 + ["a"])
    assert carve_development(examples, seed=99) == (examples, [])


@pytest.mark.parametrize(("share", "most", "rule"), [(0.0, 5, "share must lie"), (1.0, 5, "share"), (0.1, 0, "most")])
def test_a_part_out_of_range_is_refused(share: float, most: int, rule: str) -> None:
    with pytest.raises(SettingsError, match=rule):
        carve_development(examples_of(["a"]), seed=1, share=share, most=most)
