import dataclasses
import json
import re
from typing import Any

import pytest

from beatingbert.runs.cell import Cell

CHANGES: dict[str, Any] = {
    "task": "rte",
    "engine": "majority",
    "engine_version": 2,
    "mode": "predict",
    "settings": {"max_ngram": 3, "min_count": 1},
    "train_size": None,
    "eval_size": 7,
    "seed": 100,
    "select_on": "validation",
    "data_revision": "e" * 64,
    "prompt_sha256": "f" * 64,
}


def test_the_id_stays_what_it_was_when_results_were_written(cell: Cell) -> None:
    # A change here orphans every result on every disk: old cells would be run again. Only ever change it knowingly.
    assert cell.id == "b376ec772f5f6f6b"


def test_every_field_changes_the_id(cell: Cell) -> None:
    assert set(CHANGES) == {field.name for field in dataclasses.fields(Cell)}
    ids = {dataclasses.replace(cell, **{name: value}).id for name, value in CHANGES.items()}
    assert len(ids | {cell.id}) == len(CHANGES) + 1


def test_the_order_of_settings_does_not_change_the_id(cell: Cell) -> None:
    turned = dict(reversed(list(cell.settings.items())))
    assert list(turned) != list(cell.settings)
    assert dataclasses.replace(cell, settings=turned).id == cell.id


def test_no_value_is_taken_for_another_of_the_same_look(cell: Cell) -> None:
    alike: list[dict[str, Any]] = [{"x": 1}, {"x": "1"}, {"x": None}, {"x": "null"}, {"x": True}, {"x": [1]}]
    assert len({dataclasses.replace(cell, settings=settings).id for settings in alike}) == len(alike)


def test_the_json_is_plain_and_holds_the_id(cell: Cell) -> None:
    told = json.loads(json.dumps(cell.to_json()))
    assert told.pop("id") == cell.id
    assert re.fullmatch(r"[0-9a-f]{16}", cell.id)
    assert Cell(**told) == cell


@pytest.mark.parametrize("name", ["naïve", "日本語", "a\nb"])
def test_the_text_behind_the_id_is_ascii_whatever_the_settings_hold(cell: Cell, name: str) -> None:
    assert dataclasses.replace(cell, settings={"checkpoint": name}).canonical_json().isascii()
