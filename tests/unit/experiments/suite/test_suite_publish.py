"""What is published of a suite is enough to find every number again, and holds nothing that must stay at home."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from beatingbert.errors import DamagedRecordError, DataError, SettingsError, SuiteError
from beatingbert.execution.protocol import Event, Finished
from beatingbert.experiments.suite.jobs import Terms, run_cells
from beatingbert.experiments.suite.load import Suite
from beatingbert.experiments.suite.plan import plan_suite
from beatingbert.experiments.suite.publish import Publisher, publish_cell, publish_suite, require_publishable
from beatingbert.report.answers import read_answers
from beatingbert.report.frame import read_frame
from beatingbert.runs.published import read_list
from beatingbert.runs.record import RunRecord
from beatingbert.runs.store import RESULTS, read_record

TWO = """
defaults: {task: sst2, max_samples: 30}
grid:
  - {engine: [majority, linear]}
"""
Run = Callable[[str], tuple[Suite, Path]]


@pytest.fixture
def done(load: Callable[..., Suite], inline: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """done("grid: ...") is that suite, with the store in which all of it is finished."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def run(text: str) -> tuple[Suite, Path]:
        suite, store = load(text), tmp_path / "store"
        outcome = run_cells(suite.cells, plan_suite(suite, store), inline, Terms(), on_event=lambda event: None)
        assert len(outcome.done) == len(suite.cells)
        return suite, store

    return run


def record_of(suite: Suite, store: Path, engine: str) -> RunRecord:
    (one,) = (one for one in suite.cells if one.cell.engine == engine)
    return read_record(store / one.name / RESULTS)


def test_a_published_folder_is_a_store_that_holds_no_text(done: Run, tmp_path: Path) -> None:
    suite, store = done(TWO)
    to = tmp_path / "published"
    told = publish_suite(suite, store, to)
    assert set(told.added) == {one.name for one in suite.cells}
    assert (told.there, told.missing, told.foreign) == (0, (), ())
    files = {path.name for folder in to.iterdir() if folder.is_dir() for path in folder.iterdir()}
    assert files == {"results.json", "predictions.parquet", "checksums.sha256"}
    frame = read_frame(to)
    assert {record.cell.id for record in frame.records} == {one.id for one in suite.cells}
    assert not frame.skipped
    whole = b"".join(path.read_bytes() for path in to.rglob("*") if path.is_file())
    assert str(tmp_path).encode() not in whole
    assert b"film, number" not in whole  # which is in every text of the small task
    kept = b"".join(path.read_bytes() for path in store.rglob("*") if path.suffix in (".parquet", ".csv", ".jsonl"))
    assert b"film, number" in kept


def test_every_metric_comes_out_of_what_is_published(done: Run, tmp_path: Path) -> None:
    suite, store = done(TWO)
    to = tmp_path / "published"
    publish_suite(suite, store, to)
    for one in suite.cells:
        record = read_record(to / one.name / RESULTS)
        answers = read_answers(to / one.name, "validation")
        gold, label = answers.gold.tolist(), answers.label.tolist()
        told = record.metrics
        assert told["accuracy"]["value"] == pytest.approx(accuracy_score(gold, label))
        assert told["macro_f1"]["value"] == pytest.approx(f1_score(gold, label, average="macro"))
        assert told["mcc"]["value"] == pytest.approx(matthews_corrcoef(gold, label))
        squares = [
            sum((value - (name == truth)) ** 2 for name, value in (row or {}).items())
            for row, truth in zip(answers.probabilities, gold, strict=True)
        ]
        assert told["brier"]["value"] == pytest.approx(sum(squares) / len(squares), abs=2e-6)
        assert told == read_record(store / one.name / RESULTS).metrics


def test_probabilities_are_short(done: Run, tmp_path: Path) -> None:
    suite, store = done(TWO)
    publish_suite(suite, store, tmp_path / "published")
    (one,) = (one for one in suite.cells if one.cell.engine == "linear")
    kept, shown = (read_answers(folder / one.name, "validation") for folder in (store, tmp_path / "published"))
    assert kept.probabilities != shown.probabilities
    for exact, short in zip(kept.probabilities, shown.probabilities, strict=True):
        assert exact is not None and short is not None
        assert {name: float(f"{value:.6g}") for name, value in exact.items()} == short


def test_published_cells_are_done_and_stay_as_they_are(done: Run, tmp_path: Path) -> None:
    suite, store = done(TWO)
    to = tmp_path / "published"
    publish_suite(suite, store, to)
    before = {path: path.read_bytes() for path in to.rglob("*") if path.is_file()}
    assert publish_suite(suite, store, to).added == ()
    assert {path: path.read_bytes() for path in to.rglob("*") if path.is_file()} == before
    assert len(plan_suite(suite, tmp_path / "elsewhere").todo) == 2
    assert plan_suite(suite, tmp_path / "elsewhere", published=to).todo == []


def test_publishing_twice_from_nothing_gives_the_same_bytes(done: Run, tmp_path: Path) -> None:
    suite, store = done(TWO)
    for name in ("one", "two"):
        publish_suite(suite, store, tmp_path / name)
    files = [
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).glob("*/*.*")}
        for name in ("one", "two")
    ]
    assert files[0] == files[1]
    assert len(files[0]) == 6


def test_each_cell_is_published_as_it_ends(
    load: Callable[..., Suite], inline: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    suite, to = load(TWO), tmp_path / "published"
    plan = plan_suite(suite, tmp_path / "store")
    seen: list[int] = []
    refused: dict[str, str] = {}
    publisher = Publisher(
        suite, plan, to, lambda event: seen.append(len(list(to.glob(f"*/{RESULTS}")))), refused=refused
    )
    run_cells(suite.cells, plan, inline, Terms(), on_event=publisher)
    assert refused == {}
    assert seen == [0, 0, 1, 1]  # started, finished, started, finished
    assert len(list(to.glob(f"*/{RESULTS}"))) == 2


def test_what_is_no_cell_any_more_is_named(done: Run, load: Callable[..., Suite], tmp_path: Path) -> None:
    suite, store = done(TWO)
    to = tmp_path / "published"
    publish_suite(suite, store, to)
    smaller = load(TWO.replace("[majority, linear]", "[majority]"))
    told = publish_suite(smaller, store, to)
    assert told.foreign == tuple(one.name for one in suite.cells if one.cell.engine == "linear")
    assert (told.there, told.missing) == (1, ())
    assert [one.id for one in read_list(to).cells] == [one.id for one in smaller.cells]


def test_a_suite_that_knows_none_of_what_is_published_changes_nothing(done: Run, tmp_path: Path) -> None:
    """As after forgetting to say where the data are: every cell has another id then, even those that have been run."""
    suite, store = done(TWO)
    to = tmp_path / "published"
    publish_suite(suite, store, to)
    before = {path: path.read_bytes() for path in to.rglob("*.*") if path.is_file()}
    other, store = done(TWO.replace("30", "31"))
    with pytest.raises(SettingsError, match=r"none of the 2 runs in .* is a cell of suite .* set BEATINGBERT_DATA"):
        publish_suite(other, store, to)
    assert {path: path.read_bytes() for path in to.rglob("*.*") if path.is_file()} == before


def test_the_list_names_every_cell(done: Run, tmp_path: Path) -> None:
    suite, _ = done(TWO)
    publish_suite(suite, tmp_path / "empty", tmp_path / "published")
    listed = read_list(tmp_path / "published")
    assert [(one.id, one.name, one.engine) for one in listed.cells] == [
        (one.id, one.name, one.cell.engine) for one in suite.cells
    ]
    with pytest.raises(DataError, match="holds no published suite"):
        read_list(tmp_path)
    (tmp_path / "published" / "suite.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match="damaged"):
        read_list(tmp_path / "published")


def test_a_record_that_names_a_place_on_this_machine_is_refused(done: Run, tmp_path: Path) -> None:
    suite, store = done(TWO)
    record = record_of(suite, store, "linear")
    for place in ("/somewhere/weights", "C:\\weights"):
        there = replace(record, checkpoint={"reference": place})
        with pytest.raises(SuiteError, match="a place on this machine"):
            publish_cell(suite.cells[1], there, tmp_path / "published")
    assert not (tmp_path / "published").exists()


def test_a_cell_that_cannot_be_published_keeps_no_other_from_it(
    load: Callable[..., Suite], inline: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    suite, to = load(TWO), tmp_path / "published"
    plan = plan_suite(suite, tmp_path / "store")
    first, second = suite.cells

    def spoil(event: Event) -> None:
        if isinstance(event, Finished) and event.job.id == first.id:
            (tmp_path / "store" / first.name / "predictions.parquet").write_bytes(b"no table")

    refused: dict[str, str] = {}
    publisher = Publisher(suite, plan, to, spoil, refused=refused)
    outcome = run_cells(suite.cells, plan, inline, Terms(), on_event=publisher)
    assert len(outcome.done) == 2
    assert list(refused) == [first.name]
    assert "not as it was written" in refused[first.name]
    assert [path.parent.name for path in to.glob(f"*/{RESULTS}")] == [second.name]


def test_a_suite_is_published_but_for_what_cannot_be(done: Run, tmp_path: Path) -> None:
    suite, store = done(TWO)
    path = store / suite.cells[0].name / RESULTS
    told = json.loads(path.read_text(encoding="utf-8"))
    told["checkpoint"] = {"reference": "/somewhere/weights"}
    path.write_text(json.dumps(told), encoding="utf-8")
    path.with_name("checksums.sha256").unlink()
    publication = publish_suite(suite, store, tmp_path / "published")
    assert publication.added == (suite.cells[1].name,)
    assert list(publication.refused) == [suite.cells[0].name]
    assert "a place on this machine" in publication.refused[suite.cells[0].name]


def test_a_cell_whose_settings_name_a_place_is_refused_before_it_is_run(load: Callable[..., Suite]) -> None:
    one = load(TWO).cells[0]
    require_publishable([one])
    there = replace(one, cell=replace(one.cell, settings={"checkpoint": "/somewhere/weights"}))
    with pytest.raises(SuiteError, match="a place on this machine"):
        require_publishable([one, there])


def test_damaged_or_doubtful_runs_are_not_published(done: Run, tmp_path: Path) -> None:
    suite, store = done(TWO)
    record, to = record_of(suite, store, "linear"), tmp_path / "published"
    folder = record.folder
    shutil.copytree(folder, tmp_path / "copy")
    (folder / "predictions.parquet").write_bytes(b"no table")
    with pytest.raises(DamagedRecordError, match=r"predictions\.parquet is not as it was written"):
        publish_cell(suite.cells[1], record, to)
    other = json.loads((tmp_path / "copy" / RESULTS).read_text(encoding="utf-8"))
    other["scores"]["validation"]["metrics"]["brier"]["value"] += 0.01
    (tmp_path / "copy" / "checksums.sha256").unlink()
    with pytest.raises(DamagedRecordError, match="brier"):
        publish_cell(suite.cells[1], RunRecord.from_json(other, tmp_path / "copy"), to)
    assert not to.exists()
