"""HellaSwag's rows against what lm-evaluation-harness 0.4.13 makes of them, worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from beatingbert.tasks.catalog import TASKS
from beatingbert.tasks.files import FilesSource
from beatingbert.tasks.hellaswag import prepare, tidy

from .conftest import WriteSplit

HELLASWAG = TASKS["hellaswag"]


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("  plain text ", "plain text"),
        ("[header] How to bowl [title] Grip the ball. [step] Bend.", " How to bowl. Grip the ball. Bend."),
        ("Transfer it. [substeps] Stir again.", "Transfer it. Stir again."),
        ("[substeps] The seeds.", " The seeds."),  # the harness scores this blank as well
        ("[title] If so", " If so"),  # no blank before the mark, so it is no new sentence
        ("How to boil [title] Heat it.", "How to boil. Heat it."),
        ("a  b   c", "a b  c"),  # pairs of blanks, once
        ("[a [b] c] d", " c] d"),
        ("not [closed", "not [closed"),
    ],
)
def test_marks_of_wikihow_are_taken_out(stored: str, asked: str) -> None:
    assert tidy(stored) == asked


@pytest.mark.parametrize(
    ("cells", "context"),
    [
        ({"ctx_a": "A man sits.", "ctx_b": "he", "ctx": "A man sits. he"}, "A man sits. He"),
        ({"ctx_a": "A man sits.", "ctx_b": "the Lady in Paris"}, "A man sits. The lady in paris"),  # as str.capitalize
        ({"ctx_a": "[header] How to sit [title] Sit.", "ctx_b": "", "ctx": "x"}, " How to sit. Sit."),
        ({"ctx": "He [step] runs"}, "He runs"),
    ],
)
def test_the_sentence_to_be_ended_begins_with_a_capital(cells: dict[str, Any], context: str) -> None:
    assert prepare(cells)["ctx"] == context


def test_what_is_no_text_is_left_for_the_reader_to_refuse() -> None:
    cells = {"activity_label": None, "ctx": 3, "ctx_a": None, "ctx_b": "b", "endings": ["[step] a", None]}
    assert prepare(cells) == cells | {"endings": [" a", None]}
    assert prepare({"endings": "[broken"}) == {"endings": "[broken"}


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_rows_are_tidied_as_they_are_read(write_split: WriteSplit, tmp_path: Path, form: str) -> None:
    endings = ["[step] sits.", "stands. [substeps] Twice."]
    texts = {"activity_label": "Food [x]", "ctx_a": "A man", "ctx_b": "he", "ctx": "A man he"}
    row: dict[str, Any] = {**texts, "endings": endings, "label": "1"}
    if form == "jsonl":
        write_split("hellaswag", "validation", [row])
    else:
        cells = [json.dumps(value) if isinstance(value, list) else str(value) for value in row.values()]
        lines = [",".join(row), ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)]
        write_split("hellaswag", "validation.csv", "\n".join(lines).encode())
    (example,) = FilesSource(HELLASWAG, tmp_path).read("validation").labelled
    assert example.question.texts == {"activity_label": "Food ", "ctx": "A man He"}
    assert example.question.choices == (" sits.", "stands. Twice.")
    assert example.label == "1"
