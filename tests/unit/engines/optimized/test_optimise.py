import dataclasses
import json
import logging
import os
import sys
from pathlib import Path

import dspy
import pytest
import tqdm

from beatingbert.engines.optimized.voice import Prompt
from beatingbert.engines.protocol import Access
from engines.optimized.parrots import DEVELOPMENT, EVALUATION, MAGIC, TRAIN, Parrot, compiled


@pytest.mark.parametrize("adapter", ["template", "chat"])
def test_bootstrapping_keeps_the_demonstrations_that_help(adapter: str, tmp_path: Path) -> None:
    outcome = compiled(Parrot(), tmp_path, optimizer="bootstrap", adapter=adapter)
    assert [one["accuracy"] for one in outcome.history] == [0.5, 1.0]
    assert outcome.accuracy == 1.0
    assert outcome.ended_by == "its own end"
    assert len(outcome.program.demonstrations) == 2
    assert outcome.program.instruction == "Classify the sentiment of the movie review."
    ids = {row.question.id for row in TRAIN}
    assert all(one["train_row"] in ids for one in outcome.history[1]["demonstrations"])


def test_a_random_search_scores_every_set_of_demonstrations(tmp_path: Path) -> None:
    outcome = compiled(Parrot(), tmp_path, optimizer="bootstrap_random_search")
    # Without demonstrations, with labelled ones, with bootstrapped ones, and as many drawn sets as were asked for.
    assert len(outcome.history) == 3 + 3
    assert {one["part"] for one in outcome.history} == {"development"}
    assert outcome.accuracy == 1.0


@pytest.mark.parametrize("adapter", ["template", "chat"])
def test_mipro_finds_the_instruction_that_the_model_wrote(adapter: str, tmp_path: Path) -> None:
    # Demonstrations do not help this one: only being told does.
    class Deaf(Parrot):
        def _one(self, prompt: Prompt) -> object:  # type: ignore[override]
            turns = tuple(turn for turn in prompt.turns if turn[0] != "assistant")
            return super()._one(dataclasses.replace(prompt, turns=turns))

    outcome = compiled(Deaf(), tmp_path, optimizer="miprov2", num_trials=8, num_candidates=4, adapter=adapter)
    assert outcome.ended_by == "its own end"
    assert outcome.program.instruction == MAGIC
    assert outcome.accuracy == 1.0
    assert outcome.history[0]["accuracy"] == 0.5
    assert [one["chosen"] for one in outcome.history].count(True) == 1


def test_gepa_rewrites_the_instruction_from_mistakes(tmp_path: Path) -> None:
    reflected: list[str] = []

    class Stubborn(Parrot):
        def _one(self, prompt: Prompt) -> object:  # type: ignore[override]
            if not prompt.answers:
                reflected.append(prompt.turns[-1][1])
            elif MAGIC not in prompt.turns[0][1]:
                prompt = dataclasses.replace(prompt, turns=(("user", "awful"),))
            return super()._one(prompt)

    outcome = compiled(Stubborn(), tmp_path, optimizer="gepa", num_trials=8)
    assert outcome.program.instruction == MAGIC
    assert outcome.accuracy == 1.0
    assert any("The right label is 'positive', not 'negative'." in one for one in reflected)
    assert len(outcome.program.demonstrations) == 2


def test_the_optimiser_sees_train_and_development_rows_only(tmp_path: Path) -> None:
    parrot = Parrot()
    compiled(parrot, tmp_path, optimizer="miprov2")
    read = "\n".join(text for prompt in parrot.heard for _, text in prompt.turns)
    assert all(row.question.texts["sentence"] in read for row in DEVELOPMENT)
    assert any(row.question.texts["sentence"] in read for row in TRAIN)
    assert not [row for row in EVALUATION if row.question.texts["sentence"] in read]


def test_the_right_label_of_a_development_row_is_in_no_prompt(tmp_path: Path) -> None:
    parrot = Parrot()
    compiled(parrot, tmp_path, optimizer="bootstrap_random_search")
    for row in DEVELOPMENT:
        sentence = row.question.texts["sentence"]
        asked = [one for one in parrot.heard if any(sentence in text for _, text in one.turns)]
        assert asked
        # It is always the last turn, which no answer follows.
        assert all(sentence in one.turns[-1][1] and one.turns[-1][0] == "user" for one in asked)
        assert not any(sentence in text for one in asked for _, text in one.turns[:-1])


def test_a_candidates_questions_are_asked_together(tmp_path: Path) -> None:
    parrot = Parrot()
    compiled(parrot, tmp_path, optimizer="bootstrap")
    assert parrot.batches[:2] == [4, 4]  # the development rows by the first program, as many at once as it likes
    assert parrot.batches[-2:] == [4, 4]


@pytest.mark.parametrize("optimizer", ["bootstrap_random_search", "miprov2", "gepa"])
def test_compiling_twice_gives_the_same_program(optimizer: str, tmp_path: Path) -> None:
    def says(prompt: Prompt) -> str:
        return f"instruction {prompt.seed % 1000}"

    runs = [compiled(Parrot(proposes=says), tmp_path / name, optimizer=optimizer) for name in ("first", "second")]
    assert runs[0].program == runs[1].program
    timeless = [[{**one, "seconds": 0} for one in run.history] for run in runs]
    assert timeless[0] == timeless[1]


def test_rollouts_of_one_prompt_have_seeds_of_their_own(tmp_path: Path) -> None:
    parrot = Parrot()
    compiled(parrot, tmp_path, optimizer="miprov2", num_candidates=6)
    seeds = [one.seed for one in parrot.heard if not one.answers]
    assert len(set(seeds)) > 1


@pytest.mark.parametrize(
    ("limit", "flag"),
    [
        ({"max_calls": 11}, "--max_optimizer_calls 11"),
        ({"max_tokens": 110}, "--max_optimizer_tokens 110"),
        ({"max_seconds": 1e-9}, "--max_optimizer_seconds 1e-09"),
        ({"max_cost": 0.00011}, "--max_optimizer_cost 0.00011"),
    ],
)
def test_a_spent_budget_ends_the_search_with_the_best_so_far(limit: dict, flag: str, tmp_path: Path) -> None:
    parrot = Parrot()
    prices = Access(price_in=1.0, price_out=1.0)
    outcome = compiled(parrot, tmp_path, optimizer="bootstrap_random_search", access=prices, **limit)
    assert outcome.ended_by == flag
    if "max_seconds" in limit:
        assert not parrot.heard
        assert outcome.accuracy is None
        assert outcome.program.demonstrations == ()
        return
    assert 11 <= len(parrot.heard) <= 11 + parrot.at_once
    assert outcome.spent.calls == len(parrot.heard)
    assert outcome.accuracy == 0.5  # the first candidate is the only one that has been scored
    assert len(outcome.history) == 1


def test_the_limit_on_calls_is_never_passed(tmp_path: Path) -> None:
    for most in (1, 8, 9, 13):
        parrot = Parrot()
        outcome = compiled(parrot, tmp_path / str(most), optimizer="miprov2", max_calls=most)
        assert len(parrot.heard) == most == outcome.spent.calls


def test_what_candidates_have_taken_adds_up(tmp_path: Path) -> None:
    parrot = Parrot()
    outcome = compiled(parrot, tmp_path, optimizer="bootstrap", access=Access(price_in=2.0, price_out=4.0))
    assert sum(one["calls"] for one in outcome.history) == outcome.spent.calls == len(parrot.heard)
    assert sum(one["tokens_read"] for one in outcome.history) == outcome.spent.tokens_read == 10 * len(parrot.heard)
    assert outcome.spent.cost == pytest.approx(2e-5 * len(parrot.heard))
    assert sum(one["cost"] for one in outcome.history) == pytest.approx(outcome.spent.cost)
    assert json.dumps(outcome.history)


def test_ctrl_c_keeps_the_best_so_far(tmp_path: Path) -> None:
    whole = compiled(Parrot(), tmp_path / "whole", optimizer="bootstrap_random_search")
    before = sum(one["calls"] for one in whole.history[:2])
    outcome = compiled(Parrot(stops_at=before + 1), tmp_path / "cut", optimizer="bootstrap_random_search")
    assert outcome.ended_by == "Ctrl-C"
    assert len(outcome.history) == 2
    assert outcome.accuracy == 1.0
    assert outcome.program == whole.program


@pytest.mark.parametrize("call", [1, 9, 12])
def test_a_model_that_fails_ends_the_run_and_is_no_wrong_answer(call: int, tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match="the line is dead"):
        compiled(Parrot(breaks_at=call), tmp_path, optimizer="bootstrap")


def test_nothing_of_dspy_is_left_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DSPY_CACHEDIR", raising=False)
    before = dict(os.environ), dspy.settings.copy(), logging.getLogger("dspy").handlers[:], tqdm.tqdm.__init__
    compiled(Parrot(), tmp_path / "run", optimizer="miprov2")
    assert (dict(os.environ), dspy.settings.copy(), logging.getLogger("dspy").handlers[:], tqdm.tqdm.__init__) == before
    assert "cache" not in vars(dspy)
    assert not (tmp_path / "home").exists()
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")
    assert "Bootstrapped" in (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")
    assert (tmp_path / "run" / "cache").is_dir()
    assert "litellm" not in sys.modules


def test_ctrl_c_leaves_nothing_behind_either(tmp_path: Path) -> None:
    settings = dspy.settings.copy()
    compiled(Parrot(stops_at=10), tmp_path, optimizer="bootstrap")
    assert dspy.settings.copy() == settings
    assert "cache" not in vars(dspy)


def test_replies_are_kept_for_a_run_that_goes_on(tmp_path: Path) -> None:
    first, second = Parrot(), Parrot()
    compiled(first, tmp_path, optimizer="miprov2")
    compiled(second, tmp_path, optimizer="miprov2")
    assert [one for one in first.heard if not one.answers]
    assert not [one for one in second.heard if not one.answers]  # what was written comes from DSPy's cache
