from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from keeping import SST2, cell_of, keep

from beatingbert import load_classifier
from beatingbert.classifiers.kept import find_kept, keep_classifier, read_about, read_development
from beatingbert.engines.catalog import build_engine
from beatingbert.engines.majority import MajorityClassifier
from beatingbert.engines.protocol import Access, Workplace
from beatingbert.errors import CheckpointError, DamagedRecordError, RunExistsError, UsageError
from beatingbert.tasks.example import Question
from stand_in import StandIn, serving
from tiny_tasks import questions_of, sentiment

SAFE = {".json", ".jsonl", ".safetensors", ".txt", ".sha256", ".onnx"}


def test_what_the_folder_says_is_what_made_it(kept_linear: Path) -> None:
    about = read_about(kept_linear)
    assert (about.engine, about.seed, about.settings, about.task) == ("linear", 99, {}, SST2)
    assert about.versions["scikit-learn"]
    assert read_development(kept_linear) == sentiment(80)[:20]


def test_a_score_goes_along_with_its_interval(tmp_path: Path) -> None:
    accuracy = {"value": 0.75, "low": 0.5, "high": 0.9}
    card = {"rows": 40, "metrics": {"accuracy": accuracy, "mcc": {"value": 0.5}}, "confusion": []}
    majority = MajorityClassifier(SST2, {"positive": 2})
    folder = keep_classifier(majority, tmp_path / "c", SST2, cell=cell_of("majority", {}), scores={"validation": card})
    assert read_about(folder).scores == {"validation": {"rows": 40, "accuracy": accuracy}}


@pytest.mark.parametrize("which", ["kept_linear", "kept_encoder"])
def test_nothing_in_the_folder_can_run_code(which: str, request: pytest.FixtureRequest) -> None:
    files = [path for path in request.getfixturevalue(which).rglob("*") if path.is_file()]
    assert len(files) > 3
    assert {path.suffix for path in files} <= SAFE


def test_a_run_stands_for_the_classifier_inside_it(kept_linear: Path) -> None:
    assert find_kept(kept_linear.parent) == find_kept(kept_linear) == kept_linear


@pytest.mark.parametrize("made", ["nothing", "empty folder", "finished run"])
def test_where_there_is_none_the_message_tells_how_to_get_one(tmp_path: Path, made: str) -> None:
    place = tmp_path / "place"
    if made != "nothing":
        place.mkdir()
    if made == "finished run":
        (place / "results.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match="--keep_classifier"):
        find_kept(place)


def test_a_classifier_is_never_overwritten(kept_linear: Path) -> None:
    before = sorted(path.name for path in kept_linear.parent.iterdir())
    with pytest.raises(RunExistsError, match="never overwritten"):
        keep_classifier(MajorityClassifier(SST2, {}), kept_linear, SST2, cell=cell_of("majority", {}))
    assert sorted(path.name for path in kept_linear.parent.iterdir()) == before


def test_one_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    class Unable(MajorityClassifier):
        def keep(self, folder: Path) -> None:
            super().keep(folder)
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        keep_classifier(Unable(SST2, {"positive": 1}), tmp_path / "c", SST2, cell=cell_of("majority", {}))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["classifier.json", "vocabulary.json", "weights.safetensors", "development.jsonl"])
@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_a_file_that_is_not_as_it_was_written_is_named(
    kept_linear: Path, copy_of: Callable[[Path], Path], name: str, damage: str
) -> None:
    folder = copy_of(kept_linear)
    if damage == "gone":
        (folder / name).unlink()
    else:
        (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    with pytest.raises(UsageError, match=f"{name} is|holds no classifier"):
        load_classifier(folder)


def test_without_its_sums_a_folder_is_not_believed(kept_linear: Path, copy_of: Callable[[Path], Path]) -> None:
    folder = copy_of(kept_linear)
    (folder / "checksums.sha256").unlink()
    with pytest.raises(DamagedRecordError, match=r"checksums\.sha256 is missing"):
        load_classifier(folder)


def test_weights_that_are_others_by_now_are_refused(tmp_path: Path, tiny_llama: Path) -> None:
    weights = Path(shutil.copytree(tiny_llama, tmp_path / "weights"))
    _, kept = keep("llm", tmp_path / "run", sentiment(8), checkpoint=str(weights), full_precision=True)
    assert load_classifier(kept).predict(["a great film"]).tolist()[0] in SST2.labels
    file = weights / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(CheckpointError, match="are others than those"):
        load_classifier(kept)
    shutil.rmtree(weights)
    with pytest.raises(CheckpointError, match="nothing is there any more"):
        load_classifier(kept)


def test_a_served_models_key_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-secret")
    monkeypatch.setenv("BEATINGBERT_CACHE", str(tmp_path / "cache"))
    with serving(StandIn()) as server:
        settings = {"model": "openai/tiny", "base_url": server.openai_url}
        place = Workplace(task=SST2, folder=tmp_path, access=Access(key_variable="MY_KEY"))
        classifier = build_engine("served", settings, place).fit([], development=[], seed=99)
        folder = keep_classifier(classifier, tmp_path / "c", SST2, cell=cell_of("served", settings))
        written = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
        assert b"MY_KEY" in written
        assert b"sk-secret" not in written
        again = load_classifier(folder)
        asked = questions_of(sentiment(4))
        assert again.answers(asked) == classifier.predict(asked)


def test_a_task_of_ones_own_comes_back_with_its_prompt(tmp_path: Path, tiny_llama: Path) -> None:
    task = dataclasses.replace(
        SST2, name="tickets", title="Tickets", text_fields=("body",), long_field="body", labels=("bug", "wish"),
        prompt="tickets",
    )  # fmt: skip
    prompts = tmp_path / "prompts"
    prompts.mkdir()
    (prompts / "tickets.txt").write_text(
        "[instruction]\nSort.\n[question]\n{body}\n[cue]\nKind:\n[labels]\nbug: bug\nwish: wish\n", encoding="utf-8"
    )
    settings = {"checkpoint": str(tiny_llama), "full_precision": True}
    place = Workplace(task=task, folder=tmp_path, prompt_dir=prompts)
    classifier = build_engine("llm", settings, place).fit([], development=[], seed=99)
    folder = keep_classifier(classifier, tmp_path / "c", task, cell=cell_of("llm", settings, "tickets"))
    (prompts / "tickets.txt").unlink()
    again = load_classifier(folder)
    asked = [Question("0", {"body": "it crashes"}), Question("1", {"body": "please add blue"})]
    assert again.answers(asked) == classifier.predict(asked)
    assert again.classes_.tolist() == ["bug", "wish"]


def test_the_file_is_readable_json(kept_linear: Path) -> None:
    data = json.loads((kept_linear / "classifier.json").read_text(encoding="utf-8"))
    assert data["format"] == 1
    assert data["task"]["labels"] == ["negative", "positive"]
