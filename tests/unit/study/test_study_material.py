from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from beatingbert.errors import DataError
from beatingbert.report.contenders import Side
from beatingbert.statistics.multiplicity import holm
from beatingbert.study.crossings import find_curves
from beatingbert.study.material import Lineup, read_material
from beatingbert.study.variants import calibration_of, changes, habit_of, written
from beatingbert.study.verdicts import rule
from beatingbert.study.wordings import find_grids
from tiny_study import Press


def lineup_of(folder: Path, task: str = "sst2") -> Lineup:
    (found,) = (one for one in read_material(folder).lineups if one.group.task == task)
    return found


def test_the_main_contest_has_each_way_once_with_the_most_train_rows(press: Press) -> None:
    press.cell("encoder", right=0.6, rows=100)
    press.cell("encoder", right=0.5, rows=1000)
    press.cell("llm", right=0.7, shots=5)
    press.cell("llm", right=0.7, shots=0)
    unusual = [
        press.cell("llm", right=0.9, shots=5, template="terse"),
        press.cell("llm", right=0.9, shots=5, calibration="batch"),
        press.cell("llm", right=0.9, shots=5, answer_by="generation"),
        press.cell("llm", right=0.9, shots=5, chat_template="never"),
        press.cell("encoder", right=0.9, rows=1000, select_on="validation"),
        press.cell("encoder", right=0.9, rows=1000, max_length=128),
    ]
    lineup = lineup_of(press.close())
    assert [one.name for one in lineup.main] == [
        "bert (fine-tuned on 1,000)",
        "gpt (5-shot)",
        "gpt (zero-shot)",
    ]
    assert [one.name for one in lineup.smaller] == ["bert (fine-tuned on 100)"]
    assert {one.records[0].cell.id for one in lineup.unusual} == {cell.id for cell in unusual}
    assert {one.how for one in lineup.unusual} == {
        "5-shot, template terse",
        "5-shot, batch calibration",
        "5-shot, written",
        "5-shot, without chat template",
        "fine-tuned on 1,000, selected on validation",
        "fine-tuned on 1,000, cut at 128",
    }


def test_missing_cells_are_known_and_foreign_ones_take_no_part(press: Press) -> None:
    press.cell("encoder", right=0.6, rows=1000)
    left = press.cell("llm", right=0.7, shots=5, done=False)
    foreign = press.cell("encoder", right=1.0, rows=2000)
    press.listed = [one for one in press.listed if one.id != foreign.id]
    material = read_material(press.close())
    assert [one.id for one in material.missing] == [left.id]
    assert [one.name for one in material.lineups[0].main] == ["bert (fine-tuned on 1,000)"]
    (skipped,) = material.frame.skipped
    assert foreign.id in skipped.reason


def test_a_folder_without_runs_is_told(press: Press) -> None:
    press.cell("encoder", right=0.6, done=False)
    with pytest.raises(DataError, match="holds no run of suite 'made' yet"):
        read_material(press.close())


def test_verdicts_are_corrected_by_holm_over_pairs_and_tasks(press: Press) -> None:
    for task, encoder, llm in (("sst2", 0.9, 0.7), ("rte", 0.7, 0.8), ("mrpc", 0.7, 0.69)):
        press.cell("encoder", right=encoder, task=task, rows=1000, draw=1)
        press.cell("llm", right=llm, task=task, shots=5, draw=2)
    material = read_material(press.close())
    found = {one.group.task: one for one in rule(material)}
    alone = {}
    for lineup in material.lineups:
        llm, encoder = (lineup.group.right(lineup.side(side)[0])[0] for side in (Side.LLM, Side.ENCODER))
        only = int((llm & ~encoder).sum()), int((encoder & ~llm).sum())
        alone[lineup.group.task] = float(binomtest(only[0], sum(only)).pvalue)
        assert found[lineup.group.task].verdict.gap.value == pytest.approx(llm.mean() - encoder.mean())
    for task, corrected in zip(alone, holm(list(alone.values())), strict=True):
        assert found[task].verdict.p_value == pytest.approx(corrected)
    assert found["sst2"].winner == "encoder"
    assert found["mrpc"].winner == "open"
    assert found["mrpc"].rows_needed is None or found["mrpc"].rows_needed > 200
    assert found["sst2"].rows_needed is None


def test_whoever_is_not_surely_beaten_is_named_however_weak_in_the_mean(press: Press) -> None:
    for seed in (99, 100, 101):
        press.cell("encoder", right=0.9, rows=1000, seed=seed, draw=1)
    press.cell("llm", right=0.6, shots=0, draw=2)
    (settled,) = rule(read_material(press.close()))
    assert settled.winner == "encoder"
    assert not settled.held_up
    for seed, right in ((99, 0.1), (100, 0.4), (101, 0.9)):
        press.cell("llm", right=right, shots=5, seed=seed, draw=3)
    (found,) = rule(read_material(press.close()))
    assert found.winner == "open"
    assert found.llm.name == settled.llm.name  # the most accurate in the mean is still the other one
    assert found.held_up
    assert found.rival.records[0].cell.settings["shots"] == 5
    assert len(found.rival.records) == 3


def test_a_side_that_beats_only_some_of_the_others_does_not_win(press: Press) -> None:
    press.cell("encoder", right=0.9, rows=1000, draw=1)
    press.cell("llm", right=0.5, shots=0, draw=2)
    assert rule(read_material(press.close()))[0].winner == "encoder"
    press.cell("llm", right=0.89, shots=5, draw=3)
    assert rule(read_material(press.close()))[0].winner == "open"


def test_a_curve_crosses_where_the_line_over_the_logarithm_does(press: Press) -> None:
    for rows, right in ((100, 0.5), (1000, 0.7), (10_000, 0.9)):
        press.cell("encoder", right=right, rows=rows, draw=1)
    press.cell("llm", right=0.8, shots=5, draw=2)
    press.cell("llm", right=0.3, shots=0, draw=2)
    (curve,) = find_curves(lineup_of(press.close()))
    assert curve.prompted is not None
    assert curve.prompted.how == "5-shot"
    assert curve.rows == pytest.approx(10**3.5)  # half the way from 0.7 to 0.9
    assert 1000 < curve.low < curve.rows < curve.high


def test_the_spread_of_wordings_is_that_of_their_cells(press: Press) -> None:
    scores = {None: (0.6, 0.7), "terse": (0.5, 0.9)}
    for template, of_seeds in scores.items():
        for seed, right in zip((99, 100), of_seeds, strict=True):
            press.cell("llm", right=right, seed=seed, shots=5, template=template)
    (grid,) = find_grids(read_material(press.close()))
    assert list(grid.templates) == ["shipped", "terse"]
    assert grid.spread == pytest.approx(0.4)
    assert grid.between_templates == pytest.approx(0.7 - 0.65)
    assert grid.between_draws == pytest.approx(np.sqrt((np.var([0.6, 0.7], ddof=1) + np.var([0.5, 0.9], ddof=1)) / 2))


def test_a_changed_cell_is_held_against_the_usual_one_by_the_seeds_of_both(press: Press) -> None:
    for seed, right in ((99, 0.6), (100, 0.7), (101, 0.1)):
        press.cell("llm", right=right, seed=seed, shots=5)
    for seed in (99, 100):
        press.cell("llm", right=0.8, seed=seed, shots=5, calibration="contextual")
    press.cell("llm", right=0.5, seed=99, shots=5, chat_template="never")
    press.cell("llm", right=0.5, seed=99, shots=5, chat_template="never", template="digits")
    material = read_material(press.close())
    (calibrated,) = changes(material, calibration_of)
    assert calibrated.metric("accuracy") == pytest.approx((0.65, 0.8))
    assert calibrated.setting == "contextual calibration"
    (bare,) = changes(material, habit_of)
    assert bare.metric("accuracy") == pytest.approx((0.6, 0.5))


def test_replies_without_label_are_counted_as_wrong_and_as_the_first_label(press: Press) -> None:
    # Half of the rows' labels are the first one, so half of the silent replies would have been right.
    press.cell("llm", right=1.0, shots=0, answer_by="generation", silent=range(0, 50))
    (found,) = written(read_material(press.close()))
    assert (found.unparsed, found.asked, found.first_label) == (50, 200, "negative")
    assert found.accuracy == pytest.approx(150 / 200)
    assert found.as_first_label == pytest.approx(175 / 200)


def test_a_whole_study_has_something_of_everything(whole_study: Callable[[], Path]) -> None:
    material = read_material(whole_study())
    assert [one.winner for one in rule(material)] == ["encoder", "llm", "open"]
    assert find_curves(lineup_of(material.folder))
    assert find_grids(material)
    assert changes(material, calibration_of)
    assert len(changes(material, habit_of)) == 2
    assert written(material)
