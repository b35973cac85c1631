from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from keeping import keep

from beatingbert import load_classifier
from beatingbert.classifiers import exported
from beatingbert.classifiers.exported import export_kept
from beatingbert.errors import (
    BeatingBertError,
    DamagedRecordError,
    MissingExtraError,
    NotAvailableError,
    SettingsError,
    TooFewExamplesError,
)
from beatingbert.tasks.example import Example
from tiny_tasks import blanks, entailment, questions_of, science, sentiment

UNSEEN = questions_of(sentiment(70, start=600))  # more than one batch


def assert_alike(first: Any, second: Any, within: float) -> None:
    for one, other in zip(first, second, strict=True):
        assert one.question_id == other.question_id
        assert one.lost_tokens == other.lost_tokens
        assert other.probabilities == pytest.approx(one.probabilities, abs=within)


def test_an_exported_encoder_gives_the_models_own_probabilities(kept_encoder: Path, exported_encoder: Path) -> None:
    before, after = load_classifier(kept_encoder), load_classifier(exported_encoder)
    assert (before.runtime, after.runtime) == ("own", "onnx")
    assert before.identity != after.identity
    assert_alike(before.answers(UNSEEN), after.answers(UNSEEN), 1e-5)
    assert [one.label for one in after.answers(UNSEEN)] == [one.label for one in before.answers(UNSEEN)]
    found = json.loads((exported_encoder / "onnx" / "comparison.json").read_text(encoding="utf-8"))
    assert (found["rows"], found["agreement"], found["accuracy_before"]) == (20, 1.0, found["accuracy_after"])
    assert found["largest_difference"] < 1e-5
    assert load_classifier(exported_encoder, runtime="own").runtime == "own"


def test_rounded_weights_are_8_bits_in_the_file_and_near_in_the_answers(
    kept_encoder: Path, copy_of: Callable[[Path], Path]
) -> None:
    folder = copy_of(kept_encoder)
    before = load_classifier(folder).predict_proba([question.texts["sentence"] for question in UNSEEN])
    place, found = export_kept(folder, int8=True, min_agreement=0.8)
    after = load_classifier(folder).predict_proba([question.texts["sentence"] for question in UNSEEN])
    graph = onnx.load(place / "model.onnx").graph
    kinds = {tensor.data_type for tensor in graph.initializer if len(tensor.dims) == 2}
    assert onnx.TensorProto.INT8 in kinds
    assert any(node.op_type == "MatMulInteger" for node in graph.node)
    assert 0 < np.abs(before - after).max() < 0.2
    assert found.largest_difference > 0
    assert sorted(path.name for path in place.iterdir()) == [
        *("checksums.sha256", "comparison.json", "model.onnx", "reading.json"),
    ]


@pytest.mark.parametrize(("task", "rows"), [("rte", entailment), ("arc_challenge", science), ("winogrande", blanks)])
def test_pairs_and_multiple_choice_are_exported_too(
    tmp_path: Path, tiny_bert: Path, task: str, rows: Callable[[int], list[Example]]
) -> None:
    settings = {"checkpoint": str(tiny_bert), "epochs": 1, "learning_rate": 1e-3, "full_precision": True}
    examples = rows(24)
    _, kept = keep("encoder", tmp_path, examples[8:], task=task, development=examples[:8], **settings)
    before = load_classifier(kept)
    export_kept(kept, int8=False)
    after = load_classifier(kept)
    assert after.runtime == "onnx"
    assert_alike(before.answers(questions_of(examples)), after.answers(questions_of(examples)), 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("fixture", ["tiny_distilbert", "tiny_mpnet", "tiny_modernbert", "tiny_deberta"])
def test_other_families_are_exported(tmp_path: Path, request: pytest.FixtureRequest, fixture: str) -> None:
    checkpoint = str(request.getfixturevalue(fixture))
    rows = sentiment(16)
    settings = {"checkpoint": checkpoint, "epochs": 1, "learning_rate": 1e-3, "full_precision": True}
    _, kept = keep("encoder", tmp_path, rows[4:], development=rows[:4], **settings)
    before = load_classifier(kept)
    export_kept(kept, int8=False)
    assert_alike(before.answers(UNSEEN), load_classifier(kept).answers(UNSEEN), 1e-4)


def test_what_answers_otherwise_is_not_kept(
    exported_encoder: Path, copy_of: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy_of(exported_encoder)
    place = folder / "onnx"
    before = (place / "model.onnx").read_bytes()
    plain = exported.restore_from_catalog

    def changed(*given: Any) -> Any:
        classifier = plain(*given)
        answers = classifier.predict
        classifier.predict = lambda asked: answers(asked)[:-4] + answers([asked[0]] * 4)
        return classifier

    monkeypatch.setattr(exported, "restore_from_catalog", changed)
    with pytest.raises(BeatingBertError, match=r"answers \d+\.\d% of 20 rows") as refused:
        export_kept(folder, int8=False)
    assert refused.value.exit_status == 1
    assert (place / "model.onnx").read_bytes() == before
    assert not (folder / "onnx.part").exists()


def test_rows_of_a_file_can_take_the_place_of_the_kept_ones(
    tmp_path: Path, kept_encoder: Path, copy_of: Callable[[Path], Path]
) -> None:
    file = tmp_path / "rows.jsonl"
    rows = [{"sentence": row.question.texts["sentence"], "label": row.label} for row in sentiment(7)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert export_kept(copy_of(kept_encoder), int8=False, rows_file=file)[1].rows == 7


def test_without_rows_nothing_can_be_compared(tmp_path: Path, tiny_bert: Path) -> None:
    settings = {"checkpoint": str(tiny_bert), "epochs": 1, "full_precision": True}
    _, kept = keep("encoder", tmp_path, sentiment(8), **settings)
    with pytest.raises(TooFewExamplesError, match="--rows FILE"):
        export_kept(kept, int8=False)
    assert not (kept / "onnx").exists()


def test_an_engine_without_such_a_form_says_so(kept_linear: Path, copy_of: Callable[[Path], Path]) -> None:
    folder = copy_of(kept_linear)
    with pytest.raises(NotAvailableError, match="only encoder"):
        export_kept(folder, int8=False)
    assert not (folder / "onnx.part").exists()
    with pytest.raises(SettingsError, match="beatingbert export"):
        load_classifier(folder, runtime="onnx")


def test_a_damaged_export_is_refused(exported_encoder: Path, copy_of: Callable[[Path], Path]) -> None:
    folder = copy_of(exported_encoder)
    (folder / "onnx" / "reading.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DamagedRecordError, match="export it anew"):
        load_classifier(folder)
    assert load_classifier(folder, runtime="own").runtime == "own"


def test_what_is_not_installed_is_named_with_its_extra(
    kept_encoder: Path, copy_of: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("beatingbert.engines.encoder.runtime.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"beatingbert\[onnx\]"):
        export_kept(copy_of(kept_encoder), int8=False)
