"""Splits keep the classes' shares, part no duplicates and no groups, and are the same every time."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pandas
import pytest

from beatingbert.errors import PromptError, SettingsError, TooFewExamplesError
from beatingbert.prompts.template import load_template
from beatingbert.tables.divide import split_own, take_part
from beatingbert.tables.own import OwnData, read_own
from beatingbert.tasks.load import open_source
from beatingbert.tasks.splits import Splits
from beatingbert.tasks.subsample import text_key

from .test_look import texts


def own(count: int = 300, classes: int = 3, **columns: list[Any]) -> OwnData:
    frame = pandas.DataFrame(
        {"text": texts(count), "label": [f"kind_{at * at % classes}" for at in range(count)], **columns}
    )
    flags = {"group": "who"} if "who" in columns else {}
    return read_own(frame, text="text", label="label", **flags)


def parts(splits: Splits) -> list[list[int]]:
    return [
        [int(one.question.id) for one in part] for part in (splits.train, splits.development, splits.evaluation["test"])
    ]


def test_every_row_is_on_one_side_in_its_classes_share() -> None:
    task, splits = split_own(own())
    numbers = parts(splits)
    assert sorted(number for part in numbers for number in part) == list(range(1, 301))
    assert list(map(len, numbers)) == [192, 48, 60]
    whole = Counter(one.label for part in (splits.train, splits.development, splits.evaluation["test"]) for one in part)
    tested = Counter(one.label for one in splits.evaluation["test"])
    assert {label: round(count / 5) for label, count in whole.items()} == tested
    assert task.labels == ("kind_0", "kind_1")
    assert task.evaluation == ("test",)


def test_a_seed_names_the_split() -> None:
    assert parts(split_own(own())[1]) == parts(split_own(own())[1])
    assert parts(split_own(own())[1]) != parts(split_own(own(), seed=1)[1])


def test_duplicates_stay_on_one_side_and_texts_of_two_labels_in_train() -> None:
    count = 300
    words = texts(count)
    again = [words[at % 100].upper() if at >= 200 else words[at] for at in range(count)]
    labels = [f"kind_{at % 100 % 2}" for at in range(count)]
    labels[299] = "kind_0" if labels[299] == "kind_1" else "kind_1"
    table = read_own(pandas.DataFrame({"text": again, "label": labels}))
    _, splits = split_own(table)
    keys = [
        {text_key(one.question) for one in part}
        for part in (splits.train, splits.development, splits.evaluation["test"])
    ]
    assert not keys[0] & keys[1] | keys[0] & keys[2] | keys[1] & keys[2]
    assert {100, 300} <= set(parts(splits)[0])


def test_groups_stay_on_one_side_in_about_the_classes_shares() -> None:
    rng = random.Random(4)
    who = [f"customer {rng.randrange(40)}" for _ in range(300)]
    _, splits = split_own(own(who=who))
    groups = [{who[number - 1] for number in part} for part in parts(splits)]
    assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]
    assert 45 <= len(splits.evaluation["test"]) <= 60
    shares = [np.mean([one.label == "kind_1" for one in part]) for part in (splits.train, splits.evaluation["test"])]
    assert abs(shares[0] - shares[1]) < 0.08


def test_large_groups_are_still_tested_on() -> None:
    _, splits = split_own(own(who=[f"house {at % 5}" for at in range(300)]))
    assert len(splits.evaluation["test"]) == 60
    with pytest.raises(TooFewExamplesError, match="without parting a group"):
        split_own(own(who=["one house"] * 300))


@pytest.mark.parametrize("seed", range(20))
def test_a_part_never_parts_a_set_nor_takes_the_last_row_of_a_class(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.choice(["a", "b", "c", "d"], p=[0.6, 0.3, 0.09, 0.01], size=200)
    together = rng.integers(0, 80, size=200)
    taken = take_part(labels.tolist(), together, 40, purpose=str(seed), stay={0, 1})
    assert not set(together[taken]) & (set(together[~taken]) | {0, 1})
    assert set(labels[~taken]) == set(labels)
    assert 20 <= taken.sum() <= 40


def test_given_splits_are_respected() -> None:
    frame = pandas.DataFrame({"text": texts(100), "label": ["a", "b"] * 50})
    task, splits = split_own(read_own(frame[:60], test=frame[60:].reset_index(drop=True)))
    assert parts(splits)[2] == list(range(1, 41))
    assert [len(splits.train), len(splits.development)] == [48, 12]
    assert splits.provenance["splits"]["test"]["used"] == 40
    assert task.test is None


def test_the_record_names_no_file_that_was_not_used() -> None:
    frame = pandas.DataFrame({"text": texts(100), "label": ["a", "b"] * 50})
    unlabelled = pandas.DataFrame({"text": [f"other {one}" for one in texts(30)], "label": ["", "nan", "N/A"] * 10})
    read = read_own(frame, test=unlabelled)
    _, splits = split_own(read)
    told = splits.provenance["splits"]
    assert told["test"]["sha256"] == told["train"]["sha256"] != read.parts["test"].reading.sha256
    assert (told["test"]["rows"], told["test"]["labelled"]) == (100, 100)


def test_what_programs_write_for_nothing_is_no_label_in_the_record() -> None:
    frame = pandas.DataFrame({"text": texts(100), "label": ["a", "b"] * 49 + ["nan", "N/A"]})
    told = split_own(read_own(frame))[1].provenance["splits"]["train"]
    assert (told["labelled"], told["unlabelled"]) == (98, 2)


def test_the_record_names_file_columns_and_counts() -> None:
    _, splits = split_own(own())
    record = splits.provenance
    assert (record["source"], record["columns"]) == ("table", {"text": "text", "label": "label"})
    assert (record["train_rows"], record["development_rows"]) == (192, 48)
    assert len(record["revision"]) == 64
    assert record["splits"]["train"]["rows"] == 300


@pytest.mark.parametrize("share", [0, 1, -0.5])
def test_an_impossible_share_is_told(share: float) -> None:
    with pytest.raises(SettingsError, match="test_share must lie between 0 and 1"):
        split_own(own(), test_share=share)


def test_a_task_of_ones_own_has_a_prompt_that_leads_back_to_its_labels() -> None:
    task, splits = split_own(own(), label_descriptions={"kind_1": "what\nremains"})
    template = load_template(task)
    question = splits.train[0].question
    assert template.words == {"kind_0": "kind 0", "kind_1": "kind 1"}
    assert template.answer(question, "kind_1") == "kind 1"
    assert template.ask(question) == f"Text: {question.texts['text']}"
    assert template.instruction == "Classify the text. Answer with one of: kind 0, kind 1.\nkind 1: what remains"
    with pytest.raises(PromptError, match="a description of 'odd', which is no label"):
        split_own(own(), label_descriptions={"odd": "x"})


def test_labels_that_become_the_same_words_stand_for_themselves() -> None:
    frame = pandas.DataFrame({"the text: {x}": texts(60), "label": ["card_arrival", "card arrival", "a: b"] * 20})
    task, splits = split_own(read_own(frame, text="the text: {x}", label="label"))
    template = load_template(task)
    assert template.words == {"a: b": "a: b", "card arrival": "card arrival", "card_arrival": "card_arrival"}
    assert template.ask(splits.train[0].question).startswith("the text: {x}: ")


def test_a_prompt_file_of_the_users_comes_before_the_made_one(tmp_path: Any) -> None:
    task, _ = split_own(own())
    (tmp_path / f"{task.prompt}.txt").write_text(
        "[instruction]\nHm?\n[question]\n{text}\n[labels]\nkind_0: x\nkind_1: y\n"
    )
    assert load_template(task, tmp_path).instruction == "Hm?"
    assert load_template(task).instruction.startswith("Classify")


def test_nobody_looks_for_the_rows_of_a_users_table() -> None:
    task, _ = split_own(own())
    with pytest.raises(Exception, match="its rows are handed over, not looked for"):
        open_source(task)
