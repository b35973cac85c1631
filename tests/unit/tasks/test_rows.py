"""Columns of a user's table are found under the names that they have there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from beatingbert.errors import DataError
from beatingbert.tasks.catalog import find_task
from beatingbert.tasks.rows import StoredRow, decode_question

TASK = replace(find_task("sst2"), text_fields=("Review_Text",), long_field="Review_Text")


def test_a_column_is_found_whose_name_a_field_cannot_hold() -> None:
    row = StoredRow(1, 2, {"Age": "3", "Review Text": "fine"})
    assert decode_question(TASK, row, source="here").texts == {"Review_Text": "fine"}


def test_of_two_such_columns_neither_is_taken_and_the_exact_one_goes_first() -> None:
    two = {"Review Text": "one", "Review-Text": "two"}
    with pytest.raises(DataError, match="'Review_Text' is missing; found Review Text, Review-Text"):
        decode_question(TASK, StoredRow(1, 2, two), source="here")
    exact = decode_question(TASK, StoredRow(1, 2, {**two, "Review_Text": "three"}), source="here")
    assert exact.texts == {"Review_Text": "three"}
