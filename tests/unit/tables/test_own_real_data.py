"""Files as people have them, where they lie beside the repository: every oddity of their README comes through."""

from __future__ import annotations

import csv
import gzip
import os
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from beatingbert.prompts.template import load_template
from beatingbert.tables.divide import split_own
from beatingbert.tables.look import Look, look
from beatingbert.tables.own import OwnData, read_own

OWN = Path(os.environ.get("BEATINGBERT_DATA") or Path(__file__).parents[3].parent / "shared/data") / "own"
pytestmark = pytest.mark.skipif(
    not OWN.is_dir(), reason="no files of users: put them in ../shared/data/own or name the folder in BEATINGBERT_DATA"
)
CLOTHES = "womens_clothing/Womens Clothing E-Commerce Reviews.csv"


def flags(own: OwnData) -> list[str]:
    return [doubt.flag for doubt in own.doubts]


def counts(looked: Look) -> dict[str, int]:
    return {finding.kind: finding.count for finding in looked.findings}


def test_banking_intents_are_read_in_their_given_splits() -> None:
    own = read_own(OWN / "banking77")
    assert {name: len(part.rows) for name, part in own.parts.items()} == {"train": 10003, "test": 3080}
    assert (own.columns.text, own.columns.label, flags(own)) == ("text", "category", [])
    assert own.findings[0].examples == ("categories.json",)
    assert sum("\n" in (row.text or "") for row in own.parts["train"].rows) == 10
    task, splits = split_own(own)
    assert len(task.labels) == 77
    assert Counter(Counter(one.label for one in splits.evaluation["test"]).values()) == {40: 77}
    assert "\ncard_arrival: card arrival\n" in load_template(task).text


def test_spam_without_header_and_with_quotes_that_quote_nothing_has_all_its_rows() -> None:
    own = read_own(OWN / "sms_spam")
    (part,) = own.parts.values()
    assert (len(part.rows), part.reading.header, flags(own)) == (5574, False, [])
    assert Counter(row.label for row in part.rows) == {"ham": 4827, "spam": 747}
    assert sum((row.text or "").startswith('"') for row in part.rows) == 54
    assert counts(look(own))["control characters"] == 35


def test_spam_of_a_spreadsheet_is_read_as_windows_1252_and_asked_about() -> None:
    own = read_own(OWN / "sms_spam_ansi" / "spam.csv")
    (part,) = own.parts.values()
    assert (part.reading.encoding, flags(own)) == ("cp1252", ["encoding"])
    assert Counter(row.label for row in part.rows) == {"ham": 4825, "spam": 747}
    with (OWN / "sms_spam_ansi" / "spam.csv").open(encoding="cp1252", newline="") as file:
        expected = list(csv.reader(file))[1:]
    assert [[row.label, row.text] for row in part.rows] == expected
    assert any("å£" in (row.text or "") for row in part.rows)


def test_spam_that_runs_over_its_columns_is_put_together_again() -> None:
    own = read_own(OWN / "sms_spam_overflow" / "spam.csv")
    (part,) = own.parts.values()
    assert Counter(row.label for row in part.rows) == {"ham": 4825, "spam": 747}
    assert [(one.kind, one.count) for one in own.findings] == [("spilled text", 50)]
    texts = {row.number: row.text or "" for row in part.rows}
    assert texts[96].endswith('Get Usher and Britney. FML, PO Box 5249, MK17 92H. 450Ppw 16"')
    (broken,) = {text for text in texts.values() if text.startswith("Edison has rightly said")}
    assert broken.endswith('speechless during ViVa.. GM,GN,GE,GNT:-)"')


def test_question_types_before_their_question_are_labels_and_asked_about() -> None:
    own = read_own(OWN / "trec")
    assert {name: len(part.rows) for name, part in own.parts.items()} == {"train": 5452, "test": 500}
    assert flags(own) == ["encoding", "delimiter"]
    first = own.parts["train"].rows[0]
    assert (first.label, first.text) == ("DESC:manner", "How did serfdom develop in and then leave Russia ?")
    assert any("sisterðcity" in (row.text or "").replace(" ", "") for row in own.parts["train"].rows)
    looked = look(own)
    assert (len(looked.classes["train"]), len(looked.classes["test"])) == (50, 42)
    assert (counts(looked)["two labels"], counts(looked)["untested classes"]) == (1, 8)
    task, splits = split_own(own, looked=looked)
    assert load_template(task).words["DESC:manner"] == "DESC:manner"
    tested = {" ".join(one.question.texts["column_2"].split()).casefold() for one in splits.evaluation["test"]}
    learnt = [*splits.train, *splits.development]
    assert not [one for one in learnt if " ".join(one.question.texts["column_2"].split()).casefold() in tested]
    assert len(learnt) == 5452 - counts(looked)["leaks"]


def test_reviews_in_a_zip_file_ask_for_the_label_and_the_second_text() -> None:
    own = read_own(OWN / f"{CLOTHES}.zip")
    (part,) = own.parts.values()
    assert len(part.rows) == 23486
    assert flags(own) == ["text_pair", "label"]
    assert set(own.doubts[1].options) >= {"Class Name", "Rating", "Department Name", "Recommended IND"}
    assert own.columns.may_group == ("Clothing ID",)


def test_reviews_of_one_product_stay_on_one_side() -> None:
    own = read_own(OWN / f"{CLOTHES}.zip", label="Recommended IND", text_pair="Title", group="Clothing ID")
    looked = look(own)
    found = counts(looked)
    assert (found["empty text"], found["half empty"]) == (844, 3810 + 845 - 2 * 844)
    task, splits = split_own(own, looked=looked)
    assert (task.shape, task.text_fields, task.long_field) == ("pair", ("Review_Text", "Title"), "Review_Text")
    with zipfile.ZipFile(OWN / f"{CLOTHES}.zip") as archive, archive.open(archive.namelist()[0]) as file:
        rows = list(csv.DictReader((line.decode() for line in file), strict=True))
    products = [
        {rows[int(one.question.id) - 1]["Clothing ID"] for one in part}
        for part in (splits.train, splits.development, splits.evaluation["test"])
    ]
    assert not products[0] & products[1] | products[0] & products[2] | products[1] & products[2]
    assert sum(map(len, products)) <= 1206
    shares = [
        sum(one.label == "1" for one in part) / len(part)
        for part in (splits.train, splits.development, splits.evaluation["test"])
    ]
    assert max(shares) - min(shares) < 0.01


def test_a_class_of_one_row_is_learnt_from_and_never_tested_on() -> None:
    own = read_own(OWN / f"{CLOTHES}.zip", label="Class Name")
    looked = look(own)
    found = counts(looked)
    assert found["no label"] == 14
    assert found["class too small"] >= 1
    _, splits = split_own(own, looked=looked)
    single = {name for name, count in looked.classes["rows"].items() if count == 1}
    assert single
    assert single <= {one.label for one in splits.train}
    assert not single & {one.label for one in splits.evaluation["test"]}


def test_a_zipped_and_a_plain_copy_are_read_alike(tmp_path: Path) -> None:
    plain = OWN / "banking77" / "test.csv"
    zipped = tmp_path / "test.csv.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    ((one,), (two,)) = (read_own(path).parts.values() for path in (plain, zipped))
    assert one.rows == two.rows
