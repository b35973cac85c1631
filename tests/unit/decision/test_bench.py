"""A candidate's earlier classifier, where a later trial may take its place or not."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from beatingbert.decision.bench import Bench
from beatingbert.decision.candidates import Candidate
from beatingbert.decision.limits import Limits
from beatingbert.errors import BeatingBertError
from beatingbert.prompts.template import load_template
from beatingbert.tasks.catalog import find_task
from tiny_tasks import sentiment


def bench(folder: Path, limits: Limits | None = None) -> Bench:
    task = find_task("sst2")
    return Bench(
        task,
        sentiment(80),
        sentiment(20, start=1000),
        provenance={"task": "sst2", "revision": "r1"},
        runs=folder,
        prompt_sha256=load_template(task).sha256,
        metric="accuracy",
        limits=limits or Limits(),
        seed=99,
    )


def files(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


@pytest.mark.parametrize("engine", ["encoder", "lora"])
def test_what_is_not_kept_leaves_the_earlier_one_answering_as_before(
    tmp_path: Path, tiny_minilm: Path, tiny_llama: Path, engine: str
) -> None:
    checkpoint = tiny_minilm if engine == "encoder" else tiny_llama
    tuned = Candidate(
        name="tuned", engine=engine, settings={"checkpoint": str(checkpoint), "learning_rate": 0.01}, epochs=(1, 2)
    )
    made, questions = bench(tmp_path), [one.question for one in sentiment(20, start=1000)]
    first = made.attempt(tuned, rows=40, epochs=1, asked=20, deadline=math.inf)
    held, before = made.built[tuned], files(tmp_path)
    said = held.fitted.classifier.predict(questions)
    second = made.attempt(tuned, rows=80, epochs=2, asked=20, deadline=math.inf, keep=lambda trial: False)
    assert (second.rows, second.epochs) == (80, 2)
    assert made.built[tuned] is held and files(tmp_path) == before
    assert held.fitted.classifier.predict(questions) == said
    assert {one.question_id: one.label for one in said} == dict(first.answers)


def test_what_is_kept_takes_its_place(tmp_path: Path) -> None:
    linear = Candidate(name="TF-IDF", engine="linear")
    made = bench(tmp_path)
    made.attempt(linear, rows=40, epochs=None, asked=20, deadline=math.inf)
    held = made.built[linear]
    heard = []
    trial = made.attempt(
        linear, rows=80, epochs=None, asked=20, deadline=math.inf, keep=lambda trial: bool(heard.append(trial)) or True
    )
    assert heard == [trial] and made.built[linear] is not held
    assert made.built[linear].cell.train_size is None, "all rows"
    assert [one.name for one in tmp_path.iterdir()] == ["tf-idf"]


def test_where_the_later_one_fails_the_earlier_one_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    linear = Candidate(name="TF-IDF", engine="linear")
    made = bench(tmp_path)
    made.attempt(linear, rows=40, epochs=None, asked=20, deadline=math.inf)
    held, before = made.built[linear], files(tmp_path)

    def refuse(*given: object) -> None:
        raise BeatingBertError("too large")

    monkeypatch.setattr(Bench, "_require_within", refuse)
    with pytest.raises(BeatingBertError, match="too large"):
        made.attempt(linear, rows=80, epochs=None, asked=20, deadline=math.inf, keep=lambda trial: True)
    assert made.built[linear] is held and files(tmp_path) == before
    assert [one.name for one in tmp_path.iterdir()] == ["tf-idf"]
