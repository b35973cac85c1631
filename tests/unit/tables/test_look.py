"""A look at a table tells what is odd in it and what is done about it."""

from __future__ import annotations

from typing import Any

import pandas
import pytest

from beatingbert.errors import DataError, TooFewExamplesError
from beatingbert.runs.files import write_csv
from beatingbert.tables.finding import Finding, shown
from beatingbert.tables.look import Look, look
from beatingbert.tables.own import read_own

FILLER = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi".split()


def texts(count: int, start: int = 0) -> list[str]:
    """Texts that have little in common."""
    return [
        f"{FILLER[at % 14]} {at * 7919} {FILLER[at * 3 % 14]} {at * 104729} no {at}"
        for at in range(start, start + count)
    ]


def looked(rows: list[tuple[Any, ...]], test: list[tuple[Any, ...]] | None = None, **flags: Any) -> Look:
    columns = ["text", "label", "text_pair"][: len(rows[0])]
    frames = [pandas.DataFrame(part, columns=columns) for part in (rows, test) if part is not None]
    flags = {"text": "text", "label": "label", **flags}
    return look(read_own(frames[0], test=frames[1] if test is not None else None, **flags))


def finding(found: Look, kind: str) -> Finding:
    (one,) = [one for one in found.findings if one.kind == kind]
    assert one.treatment
    return one


ROWS = [(text, "yes" if at % 2 else "no") for at, text in enumerate(texts(60))]


def test_a_clean_table_has_nothing_to_tell() -> None:
    found = looked(ROWS)
    assert found.findings == ()
    assert found.classes == {"rows": {"no": 30, "yes": 30}}
    assert found.lengths.words == (6, 6, 6)


def test_rows_without_text_or_label_are_set_aside() -> None:
    found = looked(
        [*ROWS, ("", "yes"), ("   ", "no"), (None, "no"), ("a text", None), ("a text", " "), ("b text", "NaN")]
    )
    assert (finding(found, "empty text").count, finding(found, "no label").count) == (3, 3)
    assert finding(found, "no label").examples == ("row 64", "row 65", "row 66")
    assert len(found.parts["rows"]) == 60


def test_of_a_pair_one_text_may_be_empty() -> None:
    rows = [(text, label, f"other {at}") for at, (text, label) in enumerate(ROWS)]
    found = looked([*rows, ("", "yes", "alone"), (None, "no", None)], text_pair="text_pair")
    assert (finding(found, "half empty").count, finding(found, "empty text").count) == (1, 1)
    assert found.parts["rows"][-1].texts == ("", "alone")


def test_labels_that_differ_in_case_and_blanks_are_one_class() -> None:
    found = looked([*ROWS, ("one more text", "Yes"), ("and one more", " yes "), ("the last one", "YES")])
    assert finding(found, "spellings").count == 3
    assert found.classes == {"rows": {"yes": 33, "no": 30}}


def test_numbers_are_names_of_classes_however_they_are_written() -> None:
    found = looked(
        [(text, "1.0" if at % 3 == 0 else "1" if at % 3 == 1 else "10") for at, (text, _) in enumerate(ROWS)]
    )
    assert found.classes == {"rows": {"1": 40, "10": 20}}
    assert "'1', '10'" in finding(found, "numbers as labels").what
    codes = looked([(text, "007" if at % 2 else "7") for at, (text, _) in enumerate(ROWS)])
    assert codes.classes == {"rows": {"7": 30, "007": 30}}


def test_duplicates_near_duplicates_and_texts_of_two_labels_are_kept_together() -> None:
    long = "the quick brown fox jumps over the lazy dog and runs away into the deep dark wood"
    rows = [
        *ROWS,
        (ROWS[0][0].upper(), "no"),
        (long, "yes"),
        (f"{long} again", "yes"),
        ("torn apart", "yes"),
        ("Torn  apart", "no"),
    ]
    found = looked(rows)
    assert (finding(found, "duplicates").count, finding(found, "near duplicates").count) == (2, 2)
    assert finding(found, "two labels").count == 1
    assert "Torn" not in finding(found, "two labels").examples[0]
    together = found.together.tolist()
    assert together[0] == together[60]
    assert together[61] == together[62]
    assert together[63] == together[64]
    assert found.torn == {together[63]}
    assert len(set(together)) == 62


def test_rows_of_train_that_are_tested_on_are_taken_out_of_train() -> None:
    test = [(ROWS[0][0].upper(), "no"), (ROWS[1][0], "yes"), ("something quite new", "yes"), ("else", "maybe")]
    found = looked(ROWS, test)
    assert finding(found, "leaks").count == 2
    assert (len(found.parts["train"]), len(found.parts["test"])) == (58, 4)
    assert "'maybe'" in finding(found, "unseen classes").what


def test_near_duplicates_across_given_splits_are_told_and_kept() -> None:
    long = "the quick brown fox jumps over the lazy dog and runs away into the deep dark wood"
    found = looked([*ROWS, (long, "yes")], [(f"{long} again", "yes"), ("quite another", "no")])
    assert finding(found, "near leaks").count == 1
    assert len(found.parts["test"]) == 2


def test_a_test_file_without_labels_is_not_used() -> None:
    found = looked(ROWS, [(text, None) for text in texts(9, 100)])
    assert finding(found, "no labels").count == 9
    assert set(found.parts) == {"train"}


def test_small_and_lopsided_classes_are_told() -> None:
    rows = (
        [(text, "often") for text in texts(90)]
        + [(text, "seldom") for text in texts(5, 200)]
        + [("the only one", "once")]
    )
    found = looked(rows)
    assert "'once'" in finding(found, "class too small").what
    assert "'seldom'" in finding(found, "thin classes").what
    assert finding(found, "imbalance").what == "93.8 % of the rows are 'often'"


def test_long_texts_formulas_entities_and_control_characters_are_told() -> None:
    odd = [
        "word " * 500,
        "x" * 1_000_000,
        "=cmd|' /C calc'!A0",
        "-SUM(A1)",
        "- a point",
        "+1 for that",
        "R&amp;D",
        "a\x1b[31mb",
    ]
    found = looked([*ROWS, *((text, "yes") for text in odd)])
    counts = {one.kind: one.count for one in found.findings}
    assert counts == {"long texts": 2, "very long texts": 1, "formulas": 2, "entities": 1, "control characters": 1}
    assert found.parts["rows"][60 + 1].texts == ("x" * 1_000_000,)
    assert all("\x1b" not in example for one in found.findings for example in one.examples)


def test_a_formula_does_not_survive_into_a_written_csv(tmp_path: Any) -> None:
    found = looked([*ROWS, ("=cmd()", "yes")])
    write_csv(tmp_path / "out.csv", [[row.number, *row.texts] for row in found.parts["rows"][-1:]])
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == "61,'=cmd()\n"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(text, "same") for text in texts(50)], "has the one label 'same' in all 50 rows"),
        ([(text, f"label {at}") for at, text in enumerate(texts(900))], r"900 different values in 900 rows.*--label"),
        ([(text, None) for text in texts(50)], "holds no label in any row"),
    ],
)
def test_a_label_column_that_is_none_is_told(rows: list[tuple[Any, ...]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        looked(rows)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ROWS[:19], "19 usable rows with 19 different texts"),
        ([("the same", label) for _, label in ROWS], "60 usable rows with 1 different text "),
    ],
)
def test_too_few_texts_are_told(rows: list[tuple[Any, ...]], message: str) -> None:
    with pytest.raises(TooFewExamplesError, match=message):
        looked(rows)


def test_what_is_found_is_plain_json() -> None:
    import json

    told = json.loads(json.dumps(looked([*ROWS, ("", "yes")]).as_json()))
    assert told["usable_rows"] == {"rows": 60}
    assert told["findings"][0]["kind"] == "empty text"


def test_what_is_shown_of_a_text_is_short_and_harmless() -> None:
    assert shown("a\n b\x1b[0m\u202e c") == "a b\\x1b[0m\\u202e c"
    assert shown("x" * 10**6, 10) == "x" * 9 + "…"
    assert shown("👋 שלום") == "👋 שלום"
