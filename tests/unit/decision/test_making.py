"""Whole decisions on a rule that can be learnt, with a tiny real encoder and a tiny real LLM."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from beatingbert.classifiers.kept import find_kept, read_about
from beatingbert.decision import making
from beatingbert.decision.budget import Budget
from beatingbert.decision.candidates import Candidate
from beatingbert.decision.climb import Watch
from beatingbert.decision.decision import Decision
from beatingbert.decision.limits import Limits
from beatingbert.decision.making import Making
from beatingbert.decision.wishes import Wishes
from beatingbert.engines.embedding.engine import EmbeddingClassifier
from beatingbert.engines.linear import LinearClassifier, LinearEngine
from beatingbert.errors import SettingsError, TooFewExamplesError, UnreachableError
from beatingbert.report.frame import read_frame
from beatingbert.tasks.catalog import find_task
from beatingbert.tasks.example import Question
from beatingbert.tasks.splits import Splits
from tiny_tasks import sentiment

PROVENANCE = {"task": "sst2", "source": "table", "revision": "r1", "splits": {}}


def splits(train: int = 160) -> Splits:
    return Splits(
        train=sentiment(train),
        development=sentiment(40, start=1000),
        evaluation={"test": sentiment(60, start=2000)},
        provenance=PROVENANCE,
    )


def make(
    folder: Path, candidates: Sequence[Candidate], *, given: Splits | None = None, apart: bool = False, **wishes: Any
) -> Making:
    return Making(
        task=find_task("sst2"),
        splits=given or splits(),
        wishes=Wishes(**wishes),
        candidates=candidates,
        folder=folder,
        budget=Budget(600),
        watch=Watch(),
        apart=apart,
    )


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory, tiny_minilm: Path, tiny_llama: Path) -> Decision:
    """A decision between everybody."""
    folder = tmp_path_factory.mktemp("decision") / "out"
    return make(folder, everybody(tiny_minilm, tiny_llama)).decide()


def everybody(encoder: Path, llm: Path) -> list[Candidate]:
    return [
        Candidate(name="majority", engine="majority"),
        Candidate(name="TF-IDF", engine="linear"),
        Candidate(name="frozen", engine="embedding", settings={"checkpoint": str(encoder)}),
        Candidate(name="asked", engine="llm", settings={"checkpoint": str(llm)}),
    ]


def test_the_one_that_learns_the_rule_is_recommended(decided: Decision) -> None:
    assert decided.recommended == "TF-IDF"
    finalist = decided.choice.recommended
    assert finalist is not None
    assert finalist.test("macro_f1").value > 0.9
    assert {one.candidate.name for one in decided.finalists} == {"majority", "TF-IDF", "frozen", "asked"}


def test_regressions_learn_from_the_development_rows_too_before_they_answer_the_test_rows(decided: Decision) -> None:
    fitted = {one.candidate.name: one.record for one in decided.finalists}
    for name in ("TF-IDF", "frozen"):
        assert fitted[name].notes["fitted_again_with_development_rows"] == decided.rows["development"]
        assert fitted[name].data["train_rows"] == decided.rows["train"] + decided.rows["development"]
    for name in ("majority", "asked"):
        assert "fitted_again_with_development_rows" not in fitted[name].notes
    page = (decided.folder / "decision.md").read_text(encoding="utf-8")
    assert "TF-IDF, frozen: fitted once more" in page or "frozen, TF-IDF: fitted once more" in page
    assert "trained on" not in page, "nobody had fewer rows than there are"


def test_every_finalist_leaves_an_ordinary_run(decided: Decision) -> None:
    frame = read_frame(decided.folder / "runs")
    assert [one.reason for one in frame.skipped] == []
    assert len(frame.groups) == 1 and frame.groups[0].rows == 60
    assert {one.engine for one in frame.groups[0].contenders} == {"majority", "linear", "embedding", "llm"}


def test_the_recommended_one_is_kept_and_the_json_says_what_the_object_says(decided: Decision) -> None:
    assert read_about(find_kept(decided.folder)).engine == "linear"
    told = json.loads((decided.folder / "decision.json").read_text(encoding="utf-8"))
    assert told == json.loads(json.dumps(decided.to_json()))
    assert told["recommended"] == "TF-IDF" and told["rows"] == {"train": 160, "development": 40, "test": 60}


def test_what_is_written_holds_the_numbers(decided: Decision) -> None:
    best = decided.choice.recommended
    assert best is not None
    text = (decided.folder / "decision.md").read_text(encoding="utf-8")
    interval = best.test("macro_f1")
    assert (
        f"{100 * interval.value:.1f} \\[{100 * interval.low:.1f}, {100 * interval.high:.1f}\\] on 60 test rows" in text
    )
    page = (decided.folder / "decision.html").read_text(encoding="utf-8")
    assert f"{100 * interval.value:.1f} [{100 * interval.low:.1f}, {100 * interval.high:.1f}] on 60 test rows" in page
    assert "<script" not in page
    assert page.count("data:image/png") == 1 == decided._repr_html_().count("data:image/png")


def test_no_test_row_is_seen_before_the_ladder_has_ended(
    tmp_path: Path, tiny_minilm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    over: list[int] = []
    for kind in (LinearClassifier, EmbeddingClassifier):
        predict = kind.predict

        def spy(self: Any, questions: Sequence[Question], own: Any = predict) -> Any:
            seen.extend(one.id for one in questions)
            return own(self, questions)

        monkeypatch.setattr(kind, "predict", spy)
    finals = Making._finals

    def mark(self: Any, *given: Any) -> Any:
        over.append(len(seen))
        return finals(self, *given)

    monkeypatch.setattr(Making, "_finals", mark)
    given = splits()
    tests = {one.question.id for one in given.evaluation["test"]}
    make(tmp_path / "out", everybody(tiny_minilm, tiny_minilm)[:3], given=given).decide()
    assert over[0] > 0
    assert not tests & set(seen[: over[0]])
    assert tests <= set(seen[over[0] :])


def test_ctrl_c_among_the_finals_leaves_a_decision_that_says_so(
    tmp_path: Path, tiny_minilm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_test = making.answer_test
    answered: list[str] = []

    def stop(built: Any, *, name: str, **given: Any) -> Any:
        if answered:
            raise KeyboardInterrupt
        answered.append(name)
        return answer_test(built, name=name, **given)

    monkeypatch.setattr(making, "answer_test", stop)
    decision = make(tmp_path / "out", everybody(tiny_minilm, tiny_minilm)[:3]).decide()
    assert decision.partial and [one.candidate.name for one in decision.finalists] == answered
    assert "stopped before the end" in (tmp_path / "out" / "decision.md").read_text(encoding="utf-8")


def test_a_finalist_that_fails_on_the_test_rows_is_named_and_the_others_are_compared(
    tmp_path: Path, tiny_minilm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_test = making.answer_test

    def fail(built: Any, *, name: str, **given: Any) -> Any:
        if name == "TF-IDF":
            raise UnreachableError("the server\ndid not answer")
        return answer_test(built, name=name, **given)

    monkeypatch.setattr(making, "answer_test", fail)
    decision = make(tmp_path / "out", everybody(tiny_minilm, tiny_minilm)[:3]).decide()
    assert {one.candidate.name for one in decision.finalists} == {"majority", "frozen"}
    told = {one.candidate.name: one.reason for one in decision.left}
    assert told["TF-IDF"] == "got to the end, but failed on the test rows: the server did not answer"
    assert decision.recommended == "frozen"


def test_where_every_finalist_fails_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(built: Any, **given: Any) -> Any:
        raise UnreachableError("the server did not answer")

    monkeypatch.setattr(making, "answer_test", fail)
    with pytest.raises(SettingsError, match=r"nobody could answer the test rows\. .*the server did not answer"):
        make(tmp_path / "out", [Candidate(name="TF-IDF", engine="linear")]).decide()
    assert not (tmp_path / "out").exists()


def test_ctrl_c_before_anything_is_finished_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*given: Any, **named: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(LinearEngine, "fit", stop)
    candidates = [Candidate(name="TF-IDF", engine="linear")]
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "out", candidates).decide()
    assert not (tmp_path / "out").exists()


def test_limits_that_nobody_can_meet_are_refused_and_nothing_is_left(tmp_path: Path, tiny_minilm: Path) -> None:
    tight = Limits(max_model_mb=0.0001)
    with pytest.raises(SettingsError, match=r"nobody could be tried .* over --max_model_mb 0.0001"):
        make(tmp_path / "out", everybody(tiny_minilm, tiny_minilm)[:3], limits=tight).decide()
    assert not (tmp_path / "out").exists()


def test_a_limit_that_only_some_break_takes_these_out(tmp_path: Path, tiny_minilm: Path) -> None:
    candidates = everybody(tiny_minilm, tiny_minilm)[:3]
    decision = make(tmp_path / "out", candidates, limits=Limits(max_model_mb=0.05)).decide()
    assert decision.recommended == "TF-IDF"
    assert [one.candidate.name for one in decision.left] == ["frozen"]
    assert "over --max_model_mb 0.05" in decision.left[0].reason


def test_in_a_process_of_their_own_finalists_answer_the_same(tmp_path: Path, tiny_minilm: Path) -> None:
    candidates = everybody(tiny_minilm, tiny_minilm)[1:3]
    here = make(tmp_path / "here", candidates).decide()
    apart = make(tmp_path / "apart", candidates, apart=True).decide()
    for one, other in zip(here.finalists, apart.finalists, strict=True):
        assert [row.label for row in one.predictions] == [row.label for row in other.predictions]
        assert one.record.notes["memory_shared_with_other_candidates"] is True
        assert "memory_shared_with_other_candidates" not in other.record.notes
    assert not list((tmp_path / "apart").glob("**/apart_*"))


def test_a_classifier_that_comes_back_changed_answers_here_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(classifier: LinearClassifier, folder: Path) -> None:
        keep(classifier, folder)
        text = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
        text["labels"].reverse()
        (folder / "vocabulary.json").write_text(json.dumps(text), encoding="utf-8")

    keep = LinearClassifier.keep
    monkeypatch.setattr(LinearClassifier, "keep", spoil)
    decision = make(tmp_path / "out", [Candidate(name="TF-IDF", engine="linear")], apart=True).decide()
    assert decision.finalists[0].record.notes["memory_shared_with_other_candidates"] is True
    assert decision.finalists[0].test("accuracy").value > 0.9


def test_without_rows_to_choose_on_nothing_is_decided(tmp_path: Path) -> None:
    given = Splits(train=sentiment(20), development=[], evaluation={"test": sentiment(9)}, provenance=PROVENANCE)
    with pytest.raises(TooFewExamplesError, match="rows to choose on"):
        make(tmp_path / "out", [Candidate(name="TF-IDF", engine="linear")], given=given).decide()
    assert not (tmp_path / "out").exists()
