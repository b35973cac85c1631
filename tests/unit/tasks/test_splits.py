"""Runs get disjoint parts and a record that says where they came from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from beatingbert.errors import DataError, SettingsError, TooFewExamplesError
from beatingbert.tasks.catalog import TASKS
from beatingbert.tasks.splits import load_splits, load_unlabelled

from .conftest import WriteSplit, sentences

SST2 = TASKS["sst2"]


@pytest.fixture
def sst2(write_split: WriteSplit, tmp_path: Path) -> Path:
    write_split("sst2", "train", sentences(200))
    write_split("sst2", "validation_part", [*sentences(40, start=199), {"sentence": "?", "label": -1}])
    write_split("sst2", "test", [{"sentence": f"t{at}", "label": -1} for at in range(30)])
    return tmp_path


def test_the_budget_is_drawn_first_and_development_comes_out_of_it(sst2: Path) -> None:
    splits = load_splits(SST2, data_dir=sst2, train_size=100, eval_size=10)
    assert (len(splits.train), len(splits.development), len(splits.evaluation["validation"])) == (90, 10, 10)
    ids = [example.question.id for example in splits.train + splits.development]
    assert len(set(ids)) == 100


def test_the_record_tells_everything_and_no_path(sst2: Path) -> None:
    provenance = load_splits(SST2, data_dir=sst2).provenance
    text = json.dumps(provenance)
    assert str(sst2) not in text
    assert (provenance["source"], provenance["seed"], provenance["optimistic"]) == ("files", 99, False)
    assert len(provenance["revision"]) == 64
    validation = provenance["splits"]["validation"]
    assert (validation["file"], validation["partial"]) == ("validation_part.jsonl", True)
    assert (validation["rows"], validation["labelled"], validation["unlabelled"], validation["used"]) == (41, 40, 1, 40)
    assert validation["labels"] == {"negative": 20, "positive": 20}
    assert validation["texts_also_in_train"] == 1


def test_the_same_seed_gives_the_same_rows(sst2: Path) -> None:
    assert load_splits(SST2, data_dir=sst2, train_size=50) == load_splits(SST2, data_dir=sst2, train_size=50)
    assert (
        load_splits(SST2, data_dir=sst2, train_size=50, seed=1).train
        != load_splits(SST2, data_dir=sst2, train_size=50).train
    )


def test_every_seed_is_measured_on_the_same_rows(sst2: Path) -> None:
    one, other = (load_splits(SST2, data_dir=sst2, train_size=50, eval_size=10, seed=seed) for seed in (1, 2))
    assert one.train != other.train
    assert one.evaluation == other.evaluation


def test_selecting_on_validation_carves_nothing_and_says_that_it_is_optimistic(sst2: Path) -> None:
    splits = load_splits(SST2, data_dir=sst2, select_on="validation")
    assert len(splits.train) == 200
    assert splits.development == splits.evaluation["validation"]
    assert splits.provenance["select_on"] == "validation"
    assert splits.provenance["optimistic"] is True


def test_zero_shot_does_not_read_train(sst2: Path) -> None:
    (sst2 / "sst2/train.jsonl").write_bytes(b"garbage")
    splits = load_splits(SST2, data_dir=sst2, need_train=False)
    assert (splits.train, splits.development) == ([], [])
    assert len(splits.evaluation["validation"]) == 40


def test_a_missing_train_split_is_answered_with_ways_out(sst2: Path) -> None:
    (sst2 / "sst2/train.jsonl").unlink()
    with pytest.raises(DataError, match=r"no file for split 'train'.*zero-shot.*add a train file"):
        load_splits(SST2, data_dir=sst2)


def test_a_train_split_without_labels_is_refused(sst2: Path, write_split: WriteSplit) -> None:
    write_split("sst2", "train", [{"sentence": "x", "label": -1}])
    with pytest.raises(DataError, match=r"train \(train\.jsonl\) has 1 rows and no label"):
        load_splits(SST2, data_dir=sst2)


def test_a_label_without_training_rows_is_named(sst2: Path, write_split: WriteSplit) -> None:
    with pytest.raises(TooFewExamplesError, match=r"no row of label 'positive' among the 1 .*train_size to at least 2"):
        load_splits(SST2, data_dir=sst2, train_size=1)
    write_split("sst2", "train", sentences(20, classes=1))
    with pytest.raises(TooFewExamplesError, match=r"no row of label 'positive' .* train\.jsonl.*Add rows of it"):
        load_splits(SST2, data_dir=sst2)


def test_an_evaluation_split_without_labels_is_refused(sst2: Path, write_split: WriteSplit) -> None:
    write_split("sst2", "validation_part", [{"sentence": "x", "label": -1}])
    with pytest.raises(DataError, match=r"'validation' \(validation_part\.jsonl\) has 1 rows and no label"):
        load_splits(SST2, data_dir=sst2)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"train_size": 0}, "train_size must be at least 1, got 0"),
        ({"eval_size": -1}, "eval_size must be at least 1, got -1"),
        ({"select_on": "test"}, "select_on is 'development' or 'validation', got 'test'"),
    ],
)
def test_settings_out_of_range_are_refused(sst2: Path, setting: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_splits(SST2, data_dir=sst2, **setting)  # type: ignore[arg-type]


def test_mnli_is_reported_on_both_sides(write_split: WriteSplit, tmp_path: Path) -> None:
    rows = [{"premise": f"p{at}", "hypothesis": "h", "label": at % 3} for at in range(30)]
    for name in ("train", "validation_matched", "validation_mismatched"):
        write_split("mnli", name, rows)
    assert list(load_splits(TASKS["mnli"], data_dir=tmp_path).evaluation) == [
        "validation_matched",
        "validation_mismatched",
    ]
    assert list(load_splits(TASKS["mnli_mismatched"], data_dir=tmp_path).evaluation) == ["validation_mismatched"]


def test_unlabelled_questions_come_in_order_and_as_a_drawn_sample(sst2: Path) -> None:
    assert [q.id for q in load_unlabelled(SST2, data_dir=sst2)] == [str(at) for at in range(30)]
    drawn = [int(q.id) for q in load_unlabelled(SST2, data_dir=sst2, size=5)]
    assert drawn == sorted(drawn)
    assert drawn != [0, 1, 2, 3, 4]
    with pytest.raises(SettingsError, match="size must be at least 1, got 0"):
        load_unlabelled(SST2, data_dir=sst2, size=0)
    with pytest.raises(DataError, match="'boolq' has no test split"):
        load_unlabelled(TASKS["boolq"], data_dir=sst2)
