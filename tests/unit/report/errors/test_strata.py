import itertools
import random
from collections import Counter

import pytest

from beatingbert.report.errors.answered import Answered
from beatingbert.report.errors.strata import by_label, by_length, by_truncation
from beatingbert.report.errors.unparsed import group_unparsed
from beatingbert.report.questions import Asked
from beatingbert.statistics.intervals import wilson


def row(words: int | None = 3, *, right: bool = True, gold: str = "a", **about: object) -> Answered:
    told = {
        "id": "q",
        "gold": gold,
        "label": gold if right else "other",
        "asked": None if words is None else Asked(fields={"text": "w " * words}),
    }
    return Answered(**{**told, **about})  # type: ignore[arg-type]


def test_five_bins_of_equal_size_where_all_lengths_differ() -> None:
    lengths = list(range(1, 51))
    random.Random(0).shuffle(lengths)
    bins = by_length([row(words, right=words <= 25) for words in lengths])
    assert [(one.shortest, one.longest, one.stratum.rows) for one in bins] == [
        *((1, 10, 10), (11, 20, 10), (21, 30, 10), (31, 40, 10), (41, 50, 10))
    ]
    assert [one.stratum.right for one in bins] == [10, 10, 5, 0, 0]
    assert bins[2].stratum.accuracy == wilson(5, 10, level=0.95)


@pytest.mark.parametrize("seed", range(5))
def test_rows_of_one_length_are_never_parted_and_none_is_lost(seed: int) -> None:
    lengths = [min(12, int(random.Random(100 * seed + at).expovariate(0.4))) for at in range(200)]
    bins = by_length([row(words) for words in lengths])
    counts = Counter(lengths)
    for one in bins:
        assert one.stratum.rows == sum(counts[words] for words in range(one.shortest, one.longest + 1))
    assert sum(one.stratum.rows for one in bins) == 200
    bounds = [(one.shortest, one.longest) for one in bins]
    assert bounds == sorted(bounds)
    assert all(end < start for (_, end), (start, _) in itertools.pairwise(bounds))


def test_one_length_is_one_bin_and_one_row_is_enough() -> None:
    (one,) = by_length([row(4), row(4, right=False)])
    assert (one.shortest, one.longest, one.stratum.rows, one.stratum.right) == (4, 4, 2, 1)
    assert len(by_length([row(0)])) == 1


def test_without_the_questions_there_are_no_lengths() -> None:
    assert by_length([]) == []
    assert by_length([row(3), row(None)]) == []


def test_words_are_those_of_all_texts_and_choices() -> None:
    one = row(asked=Asked(fields={"premise": "a  cat\nsat", "hypothesis": "yes"}, choices=("no", "not at all")))
    assert one.words == 4 + 1 + 3


def test_labels_come_in_the_tasks_order_and_only_where_they_occur() -> None:
    rows = [row(gold="b"), row(gold="c", right=False), row(gold="b", right=False)]
    assert [(one.name, one.rows, one.right) for one in by_label(rows, ("c", "a", "b"))] == [("c", 1, 0), ("b", 2, 1)]


def test_positions_come_in_the_order_of_counting() -> None:
    rows = [row(gold=str(at)) for at in (10, 2, 0, 11, 1)]
    assert [one.name for one in by_label(rows, ())] == ["0", "1", "2", "10", "11"]


def test_only_parts_with_rows_are_told() -> None:
    assert [one.name for one in by_truncation([row()])] == ["whole"]
    assert [(one.name, one.rows) for one in by_truncation([row(), row(lost_tokens=2), row(lost_tokens=1)])] == [
        ("whole", 1),
        ("cut", 2),
    ]


def test_a_reply_that_names_no_label_is_never_right() -> None:
    assert not row(label=None, gold="a").is_right


def test_unparsed_replies_that_differ_in_case_and_blanks_alone_are_one() -> None:
    replies = ["I don't know.", "i  DON'T\nknow. ", "Maybe", None, "STRASSE", "straße", "  "]
    rows = [row(id=f"q{at}", label=None, reply=reply) for at, reply in enumerate(replies)]
    found = group_unparsed([*rows, row(id="parsed", reply="Maybe")])
    assert [(one.words, one.ids) for one in found] == [
        ("", ("q3", "q6")),
        ("i don't know.", ("q0", "q1")),
        ("strasse", ("q4", "q5")),
        ("maybe", ("q2",)),
    ]
