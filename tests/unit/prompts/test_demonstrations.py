from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from beatingbert.errors import TooFewExamplesError
from beatingbert.prompts.demonstrations import draw_demonstrations
from beatingbert.tasks.catalog import find_task
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.subsample import text_key
from tiny_tasks import science, sentiment

SST2 = find_task("sst2")
SORTED = sorted(sentiment(40), key=lambda example: example.label)


def shouted(question: Question) -> Question:
    """The same text to a reader, in other letters and blanks."""
    return replace(question, id="other", texts={name: f"  {text.upper()} " for name, text in question.texts.items()})


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 8])
def test_demonstrations_are_balanced_over_the_labels(count: int) -> None:
    shown = draw_demonstrations(SST2, SORTED, count, seed=99).shown
    counts = Counter(example.label for example in shown)
    assert len(shown) == count
    assert max(counts.values()) - (min(counts.values()) if len(counts) == 2 else 0) <= 1


def test_demonstrations_are_not_sorted_by_label() -> None:
    orders = {tuple(e.label for e in draw_demonstrations(SST2, SORTED, 4, seed=seed).shown) for seed in range(20)}
    assert len(orders) > 2


def test_by_label_shows_the_same_ones_in_the_order_of_the_labels() -> None:
    for seed in range(20):
        mixed = draw_demonstrations(SST2, SORTED, 5, seed=seed)
        sorted_ones = draw_demonstrations(SST2, SORTED, 5, seed=seed, order="by_label")
        labels = [example.label for example in sorted_ones.shown]
        assert labels == sorted(labels, key=SST2.labels.index)
        assert set(labels) == set(SST2.labels)
        assert {e.question.id for e in sorted_ones.shown} == {e.question.id for e in mixed.shown}
        assert sorted_ones.spares == mixed.spares


def test_the_label_that_is_shown_once_more_depends_on_the_seed() -> None:
    extra = {Counter(e.label for e in draw_demonstrations(SST2, SORTED, 3, seed=s).shown)["positive"] for s in range(9)}
    assert extra == {1, 2}


def test_one_seed_draws_the_same_and_another_draws_others() -> None:
    assert draw_demonstrations(SST2, SORTED, 4, seed=1) == draw_demonstrations(SST2, SORTED, 4, seed=1)
    assert draw_demonstrations(SST2, SORTED, 4, seed=1) != draw_demonstrations(SST2, SORTED, 4, seed=2)


def test_zero_shots_show_nothing_and_need_no_train_rows() -> None:
    assert draw_demonstrations(SST2, [], 0, seed=99).before(SORTED[0].question) == ()


def test_every_other_question_sees_the_same_demonstrations() -> None:
    drawn = draw_demonstrations(SST2, SORTED, 4, seed=99)
    assert drawn.before(Question("q", {"sentence": "something else"})) == drawn.shown


def test_a_question_never_sees_itself_or_a_duplicate_of_itself() -> None:
    drawn = draw_demonstrations(SST2, SORTED, 4, seed=99)
    for asked in (*(e.question for e in drawn.shown), *(shouted(e.question) for e in drawn.shown)):
        before = drawn.before(asked)
        assert len(before) == 4
        assert text_key(asked) not in {text_key(example.question) for example in before}
        assert Counter(e.label for e in before) == Counter(e.label for e in drawn.shown)


def test_no_text_is_shown_twice() -> None:
    doubled = [*SORTED, *(Example(shouted(example.question), example.label) for example in SORTED)]
    shown = draw_demonstrations(SST2, doubled, 40, seed=99).shown
    assert len({text_key(example.question) for example in shown}) == 40


def test_without_a_spare_the_question_itself_is_left_out_rather_than_shown() -> None:
    train = SORTED[:2] + SORTED[-2:]
    drawn = draw_demonstrations(SST2, train, 4, seed=99)
    before = drawn.before(train[0].question)
    assert len(before) == 3
    assert train[0] not in before


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(TooFewExamplesError, match="5 demonstrations asked for, but train has only 4 different rows"):
        draw_demonstrations(SST2, SORTED[:2] + SORTED[-2:], 5, seed=99)


def test_duplicates_do_not_make_enough_rows() -> None:
    with pytest.raises(TooFewExamplesError, match="only 1 different"):
        draw_demonstrations(SST2, [SORTED[0]] * 8, 2, seed=99)


def test_a_label_that_train_lacks_is_refused() -> None:
    negative = [example for example in SORTED if example.label == "negative"]
    with pytest.raises(TooFewExamplesError, match=r"2 demonstrations of label 'positive' are needed .* train has 0"):
        draw_demonstrations(SST2, negative, 4, seed=99)


def test_multiple_choice_draws_without_balance() -> None:
    rows = science(12)
    drawn = draw_demonstrations(find_task("arc_challenge"), rows, 5, seed=99)
    assert len({example.question.id for example in drawn.shown}) == 5
    assert all(example not in drawn.shown for example in drawn.spares)
