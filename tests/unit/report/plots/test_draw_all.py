from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beatingbert.errors import DataError
from beatingbert.report.estimates import accuracy_of
from beatingbert.report.frame import Frame, read_frame
from beatingbert.report.plots.draw import draw_all
from beatingbert.report.plots.of_run import draw_run, ensure_drawn, is_drawn
from beatingbert.report.plots.values import curves_of, levels_of, point_of
from beatingbert.runs.record import RunRecord

MakeRun = Callable[..., RunRecord]
SOME = [True, False, True, True, False, True]


@pytest.fixture
def make_trained(make_run: MakeRun) -> Callable[..., RunRecord]:
    """A run of an encoder that was trained on so many rows."""

    def make(name: str, right: list[bool], rows: int, seed: int = 1, **about: Any) -> RunRecord:
        cell = {"train_size": rows, "seed": seed, "settings": {"checkpoint": "bert"}, **about.pop("cell", {})}
        data = {"train_rows": rows, "revision": "r1"}
        return make_run(name, right, model="bert", cell=cell, data=data, **about)

    return make


@pytest.fixture
def frame(make_trained: Callable[..., RunRecord], make_run: MakeRun, runs_dir: Path) -> Frame:
    """An encoder with two sizes (one of them with two seeds), a prompted LLM and the majority."""
    make_trained("b100", [True, False, False, True, False, True], 100)
    make_trained("b100_2", SOME, 100, seed=2)
    make_trained("b900", [True] * 5 + [False], 900)
    llm = {"engine": "llm", "settings": {"shots": 0, "answer_by": "likelihood"}}
    make_run("gemma", SOME, cell=llm)
    make_run("majority", [False, True] * 3, cell={"engine": "majority", "settings": {}})
    return read_frame(runs_dir)


def names_in(paths: list[Path]) -> set[str]:
    return {path.name for path in paths}


def test_a_frame_gets_every_picture_that_its_runs_allow(frame: Frame, tmp_path: Path) -> None:
    paths = draw_all(frame, tmp_path / "plots")
    expected = [
        *("accuracy_sst2", "macro-f1_sst2", "latency_sst2", "learning_sst2", "overlap_sst2"),
        *("confusion-matrix_sst2_bert-fine-tuned-on-900", "confusion-matrix-normalized_sst2_bert-fine-tuned-on-900"),
        *("confusion-matrix_sst2_gemma-zero-shot", "confusion-matrix-normalized_sst2_gemma-zero-shot"),
    ]
    assert names_in(paths) == {f"{name}.{ending}" for name in expected for ending in ("png", "svg")}
    assert all(path.is_file() for path in paths)
    assert len(paths) == len(set(paths))


def test_the_same_runs_give_the_same_files_byte_for_byte(make_run: MakeRun, runs_dir: Path, tmp_path: Path) -> None:
    make_run("bert", SOME)
    first, again = (
        {path.name: path.read_bytes() for path in draw_all(read_frame(runs_dir), tmp_path / name)} for name in "ab"
    )
    assert first
    assert first == again


def test_no_runs_are_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir(exist_ok=True)
    assert draw_all(read_frame(tmp_path / "runs"), tmp_path / "plots") == []


def test_one_run_alone_is_drawn_without_anything_that_takes_two(
    make_run: MakeRun, runs_dir: Path, tmp_path: Path
) -> None:
    make_run("bert", SOME)
    kinds = {name.split("_")[0] for name in names_in(draw_all(read_frame(runs_dir), tmp_path / "plots"))}
    assert kinds == {"accuracy", "macro-f1", "latency", "confusion-matrix", "confusion-matrix-normalized"}


def test_the_number_of_pictures_is_bounded_whatever_the_number_of_groups(
    make_run: MakeRun, runs_dir: Path, tmp_path: Path
) -> None:
    for at in range(6):
        make_run(f"run{at}", SOME, first_id=10 * at)
    frame = read_frame(runs_dir)
    assert len(frame.groups) == 6
    names = names_in(draw_all(frame, tmp_path / "plots"))
    assert {name for name in names if name.startswith("accuracy")} == {
        *("accuracy_sst2.png", "accuracy_sst2.svg", "accuracy_sst2_2.png", "accuracy_sst2_2.svg")
    }


def test_times_on_two_machines_are_two_pictures(make_run: MakeRun, runs_dir: Path, tmp_path: Path) -> None:
    for at, cpu in enumerate(("Xeon", "Ryzen <9>")):
        make_run(f"run{at}", SOME, environment={"machine": {"cpu": cpu, "logical_cores": 8}})
    names = names_in(draw_all(read_frame(runs_dir), tmp_path / "plots"))
    assert {name for name in names if name.startswith("latency") and name.endswith("png")} == {
        *("latency_sst2_Xeon-8-cores.png", "latency_sst2_Ryzen-9-8-cores.png")
    }


def test_sizes_of_one_way_of_training_are_one_curve_with_the_seeds_of_each(frame: Frame) -> None:
    (group,) = frame.groups
    (curve,) = curves_of(group)
    assert curve.name == "bert (fine-tuned)"
    assert curve.sizes == (100, 900)
    assert curve.scores[0] == pytest.approx((50.0, 400 / 6))
    assert curve.scores[1] == pytest.approx((500 / 6,))
    assert {one.name: one.value for one in levels_of(group)} == pytest.approx(
        {"gemma (zero-shot)": 400 / 6, "majority": 50.0}
    )


def test_ways_of_training_that_differ_in_a_setting_are_two_curves(
    make_trained: Callable[..., RunRecord], runs_dir: Path
) -> None:
    for at, rate in enumerate((1e-5, 1e-4)):
        for rows in (100, 900):
            settings = {"checkpoint": "bert", "peak_lr": rate}
            make_trained(f"run{at}_{rows}", SOME, rows, cell={"settings": settings})
    (group,) = read_frame(runs_dir).groups
    curves = curves_of(group)
    assert [one.sizes for one in curves] == [(100, 900)] * 2
    assert len({one.name for one in curves}) == 2


def test_a_point_of_several_seeds_is_their_mean_with_the_interval_that_the_tables_have(frame: Frame) -> None:
    (group,) = frame.groups
    (contender,) = (one for one in group.contenders if len(one.records) == 2)
    point = point_of(group, contender, "accuracy")
    told = accuracy_of(contender.records, group.split)
    assert point.value == pytest.approx(100 * 3.5 / 6)
    assert (point.low, point.high) == pytest.approx((100 * told.low, 100 * told.high))
    assert point.seeds == pytest.approx((50.0, 400 / 6))


def test_a_run_is_drawn_beside_its_tables(frame: Frame) -> None:
    folder = frame.records[0].folder
    paths = draw_run(folder)
    assert [path.relative_to(folder).as_posix() for path in paths] == [
        "error_analysis/validation/confusion_matrix.png",
        "error_analysis/validation/confusion_matrix_normalized.png",
    ]


def test_a_run_without_a_record_cannot_be_drawn(frame: Frame) -> None:
    folder = frame.records[0].folder
    (folder / "results.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match=r"results\.json"):
        draw_run(folder)


def test_pictures_are_made_once_and_a_failure_is_logged(frame: Frame, caplog: pytest.LogCaptureFixture) -> None:
    folder = frame.records[0].folder
    assert not is_drawn(folder)
    assert ensure_drawn(folder)
    picture = folder / "error_analysis" / "validation" / "confusion_matrix.png"
    picture.write_bytes(b"as it was")
    assert ensure_drawn(folder)
    assert picture.read_bytes() == b"as it was"
    (folder / "error_analysis" / "pictures.json").write_text('{"version": 0}', encoding="utf-8")
    (folder / "results.json").write_text("{", encoding="utf-8")
    assert not ensure_drawn(folder)
    assert "could not be drawn" in caplog.text
