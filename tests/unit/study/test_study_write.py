import csv
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from beatingbert.errors import DataError
from beatingbert.study.pages import fill
from beatingbert.study.write import write_study
from tiny_study import Press


def block(page: str, name: str) -> str:
    found = re.search(rf"<!-- study:{name} -->\n(.*?)<!-- /study:{name} -->", page, re.DOTALL)
    assert found is not None
    return found[1]


def test_a_report_is_the_same_byte_for_byte(whole_study: Callable[[], Path], tmp_path: Path) -> None:
    folder = whole_study()
    write_study(folder, [tmp_path / "one.md"])
    first = {path.name: path.read_bytes() for path in (folder / "report").iterdir()}
    write_study(folder, [tmp_path / "two.md"])
    assert {path.name: path.read_bytes() for path in (folder / "report").iterdir()} == first
    assert (tmp_path / "one.md").read_bytes() == (tmp_path / "two.md").read_bytes()
    assert {"scores.csv", "verdicts.csv", "quotes.csv", "gaps.png", "latency_sst2.png", "learning_sst2.png"} <= set(
        first
    )
    assert not list(folder.glob(".unfinished-*"))


def test_a_report_needs_neither_torch_nor_the_engines(whole_study: Callable[[], Path], tmp_path: Path) -> None:
    look = """
import sys
from pathlib import Path
from beatingbert.study.write import write_study
write_study(Path(sys.argv[1]), [Path(sys.argv[2])])
names = ("torch", "transformers", "datasets", "beatingbert.engines.llm.engine")
print(*(name for name in names if name in sys.modules))
"""
    arguments = [str(whole_study()), str(tmp_path / "page.md")]
    done = subprocess.run([sys.executable, "-c", look, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
    assert (tmp_path / "page.md").exists()


def test_the_words_follow_the_verdicts(whole_study: Callable[[], Path], tmp_path: Path) -> None:
    write_study(whole_study(), [tmp_path / "page.md"])
    told = block((tmp_path / "page.md").read_text(encoding="utf-8"), "answer").split("\n\n")
    encoder, llm, left, crossing, price = (one.strip() for one in told)
    assert (
        "on 1 of 3 tasks a fine-tuned encoder beats every prompted LLM (SST-2: bert (fine-tuned on 1,000) leads"
        in encoder
    )
    assert "on 1 of 3 tasks a prompted LLM beats every fine-tuned encoder (RTE: gpt" in llm
    assert "+30.0 points" in llm
    assert (
        "on 1 of 3 tasks for prompted LLMs (MRPC: gpt (5-shot) against bert (fine-tuned on 1,000), -1.0 points" in left
    )
    assert "would not settle it with these seeds" in left
    assert "overtakes the best prompted LLM, gpt (5-shot), at about 370 labelled rows" in crossing
    assert "answers a question in 10.0 ms and was trained for 1 min 00 s" in price
    assert "answers a question in 40.0 ms and needs no training" in price
    for sentence in told:
        assert re.search(r"<sub>cells `[0-9a-f]{8}`", sentence), sentence


def test_times_of_another_machine_are_neither_told_nor_drawn(press: Press, tmp_path: Path) -> None:
    for seed in (99, 100, 101):
        press.cell("encoder", right=0.9, seed=seed, rows=1000, draw=1, p50=12.0)
        press.cell("llm", right=0.7, seed=seed, shots=5, draw=2, p50=40.0, gpu="Card" if seed == 101 else None)
    press.cell("lora", right=0.8, rows=1000, p50=1.0, gpu="Card")
    write_study(press.close(), [tmp_path / "page.md"])
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    price = block(page, "answer").strip().split("\n\n")[-1]
    assert "(fine-tuned on 1,000) answers a question in 12.0 ms" in price
    assert "(5-shot) answers a question in 40.0 ms" in price
    assert "LoRA" not in price
    assert "Processor, 2 cores" in price
    costs = block(page, "costs")
    assert "Left out are 1 that ran on 1 x Card alone" in costs
    assert "1.0 / 2.0" not in costs
    with (press.folder / "report" / "costs.csv").open(encoding="utf-8", newline="") as file:
        assert {row["machine"] for row in csv.DictReader(file)} == {"Processor, 2 cores"}
    assert "LoRA" in block(page, "scores")


def test_a_change_between_two_kinds_of_device_has_a_dagger(press: Press, tmp_path: Path) -> None:
    press.cell("encoder", right=0.9, rows=1000)
    press.cell("encoder", right=0.8, rows=1000, select_on="validation", gpu="Card")
    press.cell("llm", right=0.7, shots=5)
    press.cell("llm", right=0.6, shots=5, chat_template="never")
    write_study(press.close(), [tmp_path / "page.md"])
    habits = block((tmp_path / "page.md").read_text(encoding="utf-8"), "habits")
    marked = [line for line in habits.splitlines() if "|" in line and "\N{DAGGER}" in line]
    assert len(marked) == 1 and "selected on validation" in marked[0]
    assert "\N{DAGGER} 1 of 2 ran with and without on different kinds of device" in habits


def test_a_search_for_the_prompt_stands_beside_the_plain_ones(press: Press, tmp_path: Path) -> None:
    press.cell("encoder", right=0.9, rows=1000)
    press.cell("llm", right=0.6, shots=0)
    press.cell("llm", right=0.5, shots=5)
    press.cell("optimized", right=0.7, rows=300, shots=5, optimizer="bootstrap", checkpoint="gpt")
    write_study(press.close(), [tmp_path / "page.md"])
    (line,) = (
        one
        for one in block((tmp_path / "page.md").read_text(encoding="utf-8"), "optimised").splitlines()
        if "gpt" in one
    )
    cells = [one.strip() for one in line.strip("|").split("|")]
    assert [cells[at][:4] for at in (6, 7, 8)] == ["70.0", "60.0", "50.0"]
    assert cells[9] == "90.0 %", "a tenth of the rows is right that was wrong before"


def test_nobody_wins_where_nothing_was_shown(press: Press, tmp_path: Path) -> None:
    press.cell("encoder", right=0.7, rows=1000, draw=1)
    press.cell("llm", right=0.72, shots=5, draw=2)
    press.cell("llm", right=0.72, shots=0, draw=2, done=False)
    write_study(press.close(), [tmp_path / "page.md"])
    told = block((tmp_path / "page.md").read_text(encoding="utf-8"), "answer")
    assert "not on the one task that was judged does a fine-tuned encoder beat every prompted LLM." in told
    assert "not on the one task that was judged does a prompted LLM beat every fine-tuned encoder." in told
    assert "; so far, with 1 cell of this task missing)" in told
    assert "leads" not in told


def test_prompted_and_adapted_llms_are_judged_apart(press: Press, tmp_path: Path) -> None:
    press.cell("encoder", right=0.8, rows=1000)
    press.cell("llm", right=0.5, shots=5)
    press.cell("lora", right=0.99, rows=1000)
    folder = press.close()
    write_study(folder, [tmp_path / "page.md"])
    encoder, llm, left, _ = block((tmp_path / "page.md").read_text(encoding="utf-8"), "answer").split("\n\n")
    assert (
        "a fine-tuned encoder beats every prompted LLM (SST-2: bert (fine-tuned on 1,000) leads gpt (5-shot)" in encoder
    )
    assert "not on the one task that was judged does a fine-tuned encoder beat every adapted LLM." in encoder
    assert "an adapted LLM beats every fine-tuned encoder (SST-2: gpt (LoRA rNone on 1,000) leads bert" in llm
    assert left.endswith("nowhere for prompted LLMs; nowhere for adapted LLMs.")
    with (folder / "report" / "verdicts.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(one["way"], one["ahead"], one["rulings"]) for one in rows] == [
        ("prompted", "encoder", "2"),
        ("adapted", "llm", "2"),
    ]
    # 60 rows were right by one alone; Holm: the smaller of two equal numbers twice, the other as it is, but never less
    first, second = (float(one["p_value"]) for one in rows)
    assert first == pytest.approx(2 * 2 / 2**60, rel=1e-5)
    assert second == pytest.approx(2 / 2**38, rel=1e-5)


def test_a_scattered_rival_that_holds_a_task_open_is_named_with_its_own_gap(press: Press, tmp_path: Path) -> None:
    press.cell("encoder", right=0.9, rows=1000)
    press.cell("llm", right=0.7, shots=0)
    for seed, right in ((99, 0.1), (100, 0.99), (101, 0.1)):
        press.cell("llm", right=right, shots=5, seed=seed)
    write_study(press.close(), [tmp_path / "page.md"])
    _, _, left, _ = block((tmp_path / "page.md").read_text(encoding="utf-8"), "answer").split("\n\n")
    assert "gpt (zero-shot) against bert (fine-tuned on 1,000), -20.0 points" in left
    assert re.search(r"-20\.0 points \(95 % interval [^)]*p < 0\.0001\), but bert", left), "its own p, not the rival's"
    assert "but bert (fine-tuned on 1,000) against gpt (5-shot), +50.3 points" in left
    assert "more seeds might" in left
    short = block((tmp_path / "page.md").read_text(encoding="utf-8"), "answer_short")
    assert ", but gpt (5-shot) is not told apart)" in short and "more seeds" not in short


def test_sorted_demonstrations_are_no_wording(press: Press, tmp_path: Path) -> None:
    press.cell("encoder", right=0.9, rows=1000)
    press.cell("llm", right=0.7, shots=5, shot_order="mixed")
    press.cell("llm", right=0.6, shots=5, shot_order="mixed", template="terse")
    press.cell("llm", right=0.1, shots=5, shot_order="by_label")
    write_study(press.close(), [tmp_path / "page.md"])
    told = block((tmp_path / "page.md").read_text(encoding="utf-8"), "wordings")
    assert "| 70.0 | 60.0 | 10.0 |" in told


def test_before_both_sides_have_answered_nothing_is_claimed(press: Press, tmp_path: Path) -> None:
    press.cell("encoder", right=0.7, rows=1000)
    press.cell("llm", right=0.7, shots=5, done=False)
    write_study(press.close(), [tmp_path / "page.md"])
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "Nothing can be said yet" in block(page, "answer")
    assert "**So far: 1 of 2 cells.**" in block(page, "coverage")
    assert "- `gpt`, llm: sst2 1" in block(page, "coverage")


def test_every_figure_of_the_answer_is_remembered_with_its_cells(
    whole_study: Callable[[], Path], tmp_path: Path
) -> None:
    folder = whole_study()
    write_study(folder, [tmp_path / "page.md"])
    told = block((tmp_path / "page.md").read_text(encoding="utf-8"), "answer")
    with (folder / "report" / "quotes.csv").open(encoding="utf-8", newline="") as file:
        quotes = [row for row in csv.DictReader(file) if row["place"] == "answer"]
    rest = told
    for one in quotes:
        shown = one["shown"].lstrip("'")  # before a sign, a spreadsheet's guard
        assert shown in told
        assert one["first_cells"]
        rest = rest.replace(shown, "")
    assert len(quotes) == 7
    # What is left has no measured figure: numbers with a point stand in remembered ones alone.
    assert not re.search(r"\d\.\d", re.sub(r"`[0-9a-f]{8}`", "", rest))


def test_a_page_keeps_everything_but_its_blocks(whole_study: Callable[[], Path], tmp_path: Path) -> None:
    folder, page = whole_study(), tmp_path / "docs" / "page.md"
    page.parent.mkdir()
    page.write_text(
        "before\n<!-- study:pictures_gaps -->\nold\n<!-- /study:pictures_gaps -->\nafter\n", encoding="utf-8"
    )
    write_study(folder, [page])
    told = page.read_text(encoding="utf-8")
    assert told.startswith("before\n<!-- study:pictures_gaps -->\n![")
    assert told.endswith("<!-- /study:pictures_gaps -->\nafter\n")
    assert "old" not in told
    assert (page.parent / re.findall(r"\((.*?)\)", told)[0]).is_file()


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("<!-- study:nobodys -->\n<!-- /study:nobodys -->", "'nobodys' is none that a study fills; known: mine"),
        ("<!-- study:mine -->\n", "is not closed by its own mark"),
        ("<!-- study:mine -->\n<!-- /study:other -->", "is not closed by its own mark"),
    ],
)
def test_marks_that_do_not_fit_are_told(page: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        fill(page, {"mine": "text\n"}, "report")


def test_names_from_a_record_are_no_markup(press: Press, tmp_path: Path) -> None:
    press.cell("encoder", right=0.9, rows=1000, draw=1, checkpoint="<b>|bert|_x_")
    press.cell("llm", right=0.5, shots=5, draw=2)
    write_study(press.close(), [tmp_path / "page.md"])
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "\\<b\\>\\|bert\\|\\_x\\_" in page
    assert "<b>" not in page


def test_a_report_that_fails_leaves_the_old_one(whole_study: Callable[[], Path], tmp_path: Path) -> None:
    folder = whole_study()
    write_study(folder, [tmp_path / "page.md"])
    before = {path.name: path.read_bytes() for path in (folder / "report").iterdir()}
    for path in folder.glob("*/results.json"):
        shutil.rmtree(path.parent)
    with pytest.raises(DataError, match="holds no run"):
        write_study(folder, [tmp_path / "page.md"])
    assert {path.name: path.read_bytes() for path in (folder / "report").iterdir()} == before
