import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beatingbert.report.fields import find_fields
from beatingbert.report.frame import read_frame
from beatingbert.report.machines import machine_of
from beatingbert.report.prices import read_prices
from beatingbert.report.tables import efficiency_table, performance_table
from beatingbert.runs.evidence import write_predictions
from beatingbert.runs.files import write_json
from beatingbert.runs.record import RunRecord
from beatingbert.tasks.prediction import Prediction

MakeRun = Callable[..., RunRecord]
T, F = True, False
GOOD, FAIR, POOR = [T] * 9 + [F], [T] * 7 + [F] * 3, [T] * 5 + [F] * 5
CPU = {"machine": {"cpu": "Some CPU", "logical_cores": 4, "cpu_quota_cores": None, "gpus": []}}
GPU = {"machine": {"cpu": "Some CPU", "logical_cores": 8, "cpu_quota_cores": None, "gpus": [{"name": "NVIDIA L4"}]}}


def rows_of(text: str, heading: str) -> list[dict[str, str]]:
    """The rows of the table under a heading, by column, split where a reader of Markdown would split."""
    lines = text.partition(f"## {heading}\n")[2].partition("\n## ")[0].splitlines()
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line[1:-1])] for line in lines if line.startswith("|")]
    assert cells, f"no table under {heading!r}"
    assert len({len(row) for row in cells}) == 1
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


def performance(runs_dir: Path, marks: dict[tuple[str, str], str] | None = None) -> str:
    return performance_table(find_fields(read_frame(runs_dir)), marks or {}, "the legend")


def efficiency(runs_dir: Path) -> str:
    return efficiency_table(find_fields(read_frame(runs_dir)), read_prices())


def with_two_splits(record: RunRecord) -> RunRecord:
    """The run, with its answers once more as those of a second split."""
    card = record.scores["validation"]
    scores = {"validation_matched": card, "validation_mismatched": card}
    labels = [("negative", "positive")[at % 2] for at in range(card["rows"])]
    right = round(card["rows"] * card["metrics"]["accuracy"]["value"])
    answers = [
        Prediction(question_id=f"q{at}", label=label if at < right else "other") for at, label in enumerate(labels)
    ]
    gold = {(split, f"q{at}"): label for split in scores for at, label in enumerate(labels)}
    write_predictions(record.folder / "predictions.parquet", dict.fromkeys(scores, answers), gold)
    write_json(record.folder / "results.json", {**record.to_json(), "scores": scores})
    return record


def test_the_most_accurate_stands_first_and_marks_stand_beside(make_run: MakeRun, runs_dir: Path) -> None:
    make_run("poor", POOR)
    make_run("good", GOOD)
    (group,) = read_frame(runs_dir).groups
    good = next(one for one in group.contenders if one.model == "good")
    text = performance(runs_dir, {(group.fingerprint, good.id): "▲"})
    rows = rows_of(text, "SST-2 (sst2): validation 10 rows")
    assert [(row["model"], row["verdict"]) for row in rows] == [("good", "▲"), ("poor", "-")]
    assert rows[0]["accuracy [95 %]"].startswith("90.0 [")
    assert "the legend" in text
    assert f"data r1, rows {group.fingerprint}" in text


def test_seeds_are_joined_with_their_scatter(make_run: MakeRun, runs_dir: Path) -> None:
    for seed, right in enumerate((GOOD, FAIR, POOR)):
        make_run(f"run{seed}", right, model="bert", cell={"seed": seed})
    (row,) = rows_of(performance(runs_dir), "SST-2 (sst2): validation 10 rows")
    assert row["seeds"] == "3"
    assert row["accuracy [95 %]"].startswith("70.0 [")
    assert row["accuracy [95 %]"].endswith("] ± 20.0")  # of 90, 70 and 50


def test_both_parts_of_mnli_stand_side_by_side(make_run: MakeRun, runs_dir: Path) -> None:
    with_two_splits(make_run("bert", GOOD, cell={"task": "mnli"}))
    text = performance(runs_dir)
    (row,) = rows_of(text, "MNLI (mnli): matched 10 rows, mismatched 10 rows")
    assert row["matched accuracy [95 %]"].startswith("90.0 [")
    assert row["mismatched accuracy [95 %]"].startswith("90.0 [")
    assert row["verdict"] == "- / -"
    assert row["unparsed"] == "0 / 0"
    assert text.count("\n## ") == 1


def test_runs_on_other_rows_stand_in_another_table(make_run: MakeRun, runs_dir: Path) -> None:
    make_run("all", GOOD)
    make_run("few", [T] * 4)
    text = performance(runs_dir)
    assert [row["model"] for row in rows_of(text, "SST-2 (sst2): validation 10 rows")] == ["all"]
    assert [row["model"] for row in rows_of(text, "SST-2 (sst2): validation 4 rows")] == ["few"]


def test_what_a_task_does_not_have_is_a_dash(make_run: MakeRun, runs_dir: Path) -> None:
    card = {**make_run("a", GOOD).scores["validation"]}
    card["metrics"] = {"accuracy": card["metrics"]["accuracy"]}
    make_run("b", GOOD, cell={"task": "hellaswag"}, scores={"validation": card})
    (row,) = rows_of(performance(runs_dir), "HellaSwag (hellaswag): validation 10 rows")
    assert (row["macro-F1"], row["MCC"], row["ECE"]) == ("-", "-", "-")


def test_a_part_that_stands_in_for_a_split_is_told(make_run: MakeRun, runs_dir: Path) -> None:
    splits = {"validation": {"partial": True, "used": 10}}
    make_run("a", GOOD, data={"revision": "r1", "splits": splits, "train_rows": 3600})
    assert "only a part of validation was found" in performance(runs_dir)


@pytest.mark.parametrize("model", ["a|b", "a\nb", "<script>x</script>", "[x](http://y)", "*a* _b_ `c`", "![i](u)"])
def test_no_name_can_break_a_table(make_run: MakeRun, runs_dir: Path, model: str) -> None:
    make_run("a", GOOD, model=model, environment={"machine": {"cpu": model, "logical_cores": 1}})
    for text in (performance(runs_dir), efficiency(runs_dir)):
        (row,) = rows_of(text, "SST-2 (sst2): validation 10 rows")
        assert re.sub(r"\\(.)", r"\1", row["model"]) == " ".join(model.split())
        assert not re.search(r"(?<!\\)[<`*]", text.replace("`significance.md`", "").replace("`--prices FILE`", ""))


def timed(record: RunRecord, p50: float, per_second: float, **about: Any) -> dict[str, Any]:
    """The run's efficiency with other times."""
    return {
        **record.efficiency,
        "latency": {"p50_ms": p50, "p95_ms": 2 * p50},
        "throughput": {"questions_per_second": per_second, "n": 10},
        **about,
    }


def test_a_row_says_how_fast_how_large_and_what_it_costs(make_run: MakeRun, runs_dir: Path) -> None:
    base = make_run("base", GOOD, cell={"task": "rte"})
    sizes = {"parameters": 22_713_216, "disk_bytes": 90_900_000}
    make_run("bert", GOOD, efficiency=timed(base, 10.0, 500.0, **sizes), environment=CPU)
    text = efficiency(runs_dir)
    (row,) = rows_of(text, "SST-2 (sst2): validation 10 rows")
    assert row == {
        "model": "bert",
        "how": "fine-tuned on 3,600",
        "machine": row["machine"],
        "precision": "fp32",
        "runs": "1",
        "p50 / p95 ms": "10.0 / 20.0",
        "per s": "500",
        "peak MiB": "512",
        "parameters": "22.7 M",
        "disk": "90.9 MB",
        "training": "4 min 10 s",
        "USD per million answers": "0.111",  # 2,000 s of four cores at 0.05 an hour
    }
    assert f"- {row['machine']}: Some CPU, 4 cores" in text


def test_runs_on_different_machines_are_never_joined_and_others_by_their_median(
    make_run: MakeRun, runs_dir: Path
) -> None:
    base = make_run("base", GOOD, model="bert", cell={"seed": 1}, environment=CPU)
    for seed, p50 in ((2, 30.0), (3, 5.0)):
        make_run(f"run{seed}", GOOD, model="bert", cell={"seed": seed}, environment=CPU, efficiency=timed(base, p50, 9))
    on_gpu = timed(base, 0.5, 9000, device="cuda", precision="bf16")
    make_run("gpu", GOOD, model="bert", cell={"seed": 4}, environment=GPU, efficiency=on_gpu)
    text = efficiency(runs_dir)
    rows = rows_of(text, "SST-2 (sst2): validation 10 rows")
    assert [(row["machine"], row["runs"], row["p50 / p95 ms"]) for row in rows] == [
        ("A", "3", "5.0 / 20.0"),  # medians of 1.25, 5 and 30, and of 20, 10 and 60
        ("B", "1", "0.5 / 1.0"),
    ]
    assert "- B: 1 x NVIDIA L4" in text


def test_a_missing_price_is_told_beside_the_dash(make_run: MakeRun, runs_dir: Path) -> None:
    make_run("a", GOOD)
    text = efficiency(runs_dir)
    (row,) = rows_of(text, "SST-2 (sst2): validation 10 rows")
    assert row["USD per million answers"] == "-"
    assert "no price: the record does not tell how many cores" in text
    assert "Prices: examples in round figures, none of them looked up" in text


def test_a_machine_is_named_by_what_was_used(make_run: MakeRun) -> None:
    assert machine_of(make_run("a", GOOD, environment=CPU)) == "Some CPU, 4 cores"
    assert machine_of(make_run("b", GOOD)) == "unknown processor, ? cores"
