import json
from dataclasses import replace
from pathlib import Path

import pytest

from beatingbert.errors import DataError
from beatingbert.runs.record import RunRecord
from beatingbert.runs.store import read_record


def test_a_record_comes_back_from_json_as_it_was(record: RunRecord, tmp_path: Path) -> None:
    text = json.dumps(record.to_json(), allow_nan=False)
    back = RunRecord.from_json(json.loads(text), tmp_path)
    assert back == record
    assert back.cell.id == record.cell.id
    assert back.to_json() == record.to_json()


def test_the_folder_is_where_it_lies_now_and_no_part_of_the_record(record: RunRecord, tmp_path: Path) -> None:
    back = RunRecord.from_json(record.to_json(), tmp_path)
    assert back.folder == tmp_path
    assert str(tmp_path) not in json.dumps(back.to_json())


def test_metrics_are_those_of_the_first_evaluation_split(record: RunRecord) -> None:
    first = record.scores["validation"]
    second = {**first, "metrics": {"accuracy": {"value": 0.0, "low": 0.0, "high": 0.5}}}
    both = replace(record, scores={"validation_matched": first, "validation_mismatched": second})
    assert both.metrics == first["metrics"]
    assert both.to_json()["metrics"] == first["metrics"]


def test_without_scores_there_are_no_metrics(record: RunRecord) -> None:
    assert replace(record, scores={}).metrics == {}


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"cell": {}}', '{"cell": 5}', "\x00"])
def test_a_damaged_record_is_named_with_its_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"results\.json"):
        read_record(path)


def test_bytes_that_are_no_text_are_a_damaged_record(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"results\.json"):
        read_record(path)


def test_a_record_of_another_format_is_refused(record: RunRecord, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps({**record.to_json(), "format": 999}), encoding="utf-8")
    with pytest.raises(DataError, match="999"):
        read_record(path)
