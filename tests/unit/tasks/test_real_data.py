"""The published rows, where they lie beside the repository: counts as the data's README states them."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from pathlib import Path

import pytest

from beatingbert.tasks.catalog import TASKS
from beatingbert.tasks.files import FilesSource
from beatingbert.tasks.splits import load_splits

DATA = Path(os.environ.get("BEATINGBERT_DATA") or Path(__file__).parents[3].parent / "shared/data")
pytestmark = pytest.mark.skipif(
    not (DATA / "sst2").is_dir(),
    reason="no benchmark data: put it in ../shared/data or name its folder in BEATINGBERT_DATA",
)

# (task, split, whether a part stands in, labelled rows per label in the order of the labels, unlabelled rows)
COUNTS = [
    ("sst2", "train", False, [29780, 37569], 0),
    ("sst2", "validation", False, [428, 444], 0),
    ("sst2", "test", False, [912, 909], 0),
    ("rte", "train", False, [1249, 1241], 0),
    ("rte", "validation", False, [146, 131], 0),
    ("rte", "test", False, [], 3000),
    ("boolq", "train", True, [179, 234], 0),
    ("boolq", "validation", False, [1237, 2033], 0),
    ("anli_r1", "train", True, [975, 1293, 813], 0),
    ("anli_r1", "validation", False, [334, 333, 333], 0),
    ("anli_r1", "test", False, [334, 333, 333], 0),
    ("anli_r2", "validation", False, [334, 333, 333], 0),
    ("anli_r2", "test", False, [334, 333, 333], 0),
    ("anli_r3", "validation", False, [402, 400, 396], 0),
    ("anli_r3", "test", False, [402, 402, 396], 0),
    ("mnli", "train", True, [1108, 1084, 1153], 0),
    ("mnli", "validation_matched", False, [3479, 3123, 3213], 0),
    ("mnli_matched", "validation_matched", False, [3479, 3123, 3213], 0),
    ("mnli_mismatched", "validation_mismatched", True, [346, 319, 335], 0),
    ("mrpc", "train", False, [1194, 2474], 0),
    ("mrpc", "validation", False, [129, 279], 0),
    ("mrpc", "test", False, [578, 1147], 0),
    ("qqp", "train", True, [200, 160], 0),
    ("qqp", "validation", True, [70, 30], 0),
    ("hellaswag", "validation", True, [267, 228, 266, 239], 0),
    ("winogrande", "train", True, [5117, 5117], 0),
    ("winogrande", "validation", False, [628, 639], 0),
    ("winogrande", "test", False, [], 1767),
    ("arc_challenge", "train", False, [239, 296, 291, 293], 0),
    ("arc_challenge", "validation", False, [64, 73, 78, 83, 1], 0),
    ("arc_challenge", "test", False, [266, 311, 310, 285], 0),
]


@pytest.mark.parametrize(("name", "split", "partial", "counts", "unlabelled"), COUNTS)
def test_a_split_has_the_published_rows_and_labels(
    name: str, split: str, partial: bool, counts: list[int], unlabelled: int
) -> None:
    task = TASKS[name]
    rows = FilesSource(task, DATA).read(split)
    found = Counter(example.label for example in rows.labelled)
    names = task.labels or tuple(map(str, range(len(counts))))
    assert [found[label] for label in names if counts] == counts
    assert len(rows.labelled) == sum(counts)
    assert (len(rows.unlabelled), rows.partial) == (unlabelled, partial)
    assert len({question.id for question in rows.questions}) == len(rows.questions)


def test_phrases_of_one_text_are_on_one_side_of_sst2() -> None:
    splits = load_splits(TASKS["sst2"], data_dir=DATA)
    assert (len(splits.train), len(splits.development)) == (65349, 2000)
    share = sum(example.label == "positive" for example in splits.development) / 2000
    assert share == pytest.approx(37569 / 67349, abs=0.001)
    assert str(DATA.resolve()) not in str(splits.provenance)


def test_every_round_of_anli_and_hellaswag_can_be_asked_zero_shot() -> None:
    for name in ("anli_r2", "anli_r3", "hellaswag"):
        assert load_splits(TASKS[name], data_dir=DATA, need_train=False, eval_size=50).train == []


def test_hellaswags_prepared_rows_are_the_published_text_without_marks() -> None:
    """`validation_text` is somebody else's clean text of the same rows, with the sentence's beginning left small."""
    with gzip.open(DATA / "hellaswag" / "validation_text.jsonl.gz", "rt", encoding="utf-8") as file:
        clean = {str(row["idx"]): row for row in map(json.loads, file)}
    examples = FilesSource(TASKS["hellaswag"], DATA).read("validation").labelled

    def words(text: str) -> str:
        return " ".join(text.split()).casefold()

    for example in examples:
        texts, published = example.question.texts, clean[example.question.id]
        assert words(f"{texts['activity_label']}: {texts['ctx']}") == words(published["query"])
        assert [*map(words, example.question.choices)] == [*map(words, published["endings"])]
    assert sum(choice.startswith(" ") for example in examples for choice in example.question.choices) == 134


def test_every_sentence_of_winogrande_has_one_blank_with_text_around_it() -> None:
    task = TASKS["winogrande"]
    assert task.blank is not None
    for question in FilesSource(task, DATA).read("validation").questions:
        before, after = task.blank.split(question.texts["sentence"])
        assert before.strip()
        assert after.strip()
        assert "_" not in after
