from collections.abc import Callable
from pathlib import Path

import pytest

from beatingbert.errors import SuiteError
from beatingbert.experiments.suite.document import read_document

Complaints = Callable[[str], list[str]]


def test_an_unknown_key_is_named_with_its_line_and_the_nearest_key(complaints: Complaints) -> None:
    text = """
        grid:
          - engine: encoder
            task: sst2
            epoch: 2
    """
    assert complaints(text) == ["line 4: unknown key 'epoch'; did you mean 'epochs'?"]


def test_everything_that_is_wrong_is_told_at_once_in_the_order_of_the_file(complaints: Complaints) -> None:
    text = """
        agrid: 1
        defaults: {seed: x}
        grid:
          - engine: linear
            task: sst2
            task: rte
        exclude: 3
    """
    told = complaints(text)
    assert [line.partition(":")[0] for line in told] == ["line 1", "line 6", "line 7"]
    assert "first in line 5" in told[1]


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("grid:\n  - engine: [linear\n", 3, "expected"),
        ("grid:\n\t- engine: linear\n", 2, "cannot start any token"),
        ("grid:\n  - {task: *nobody}\n", 2, "undefined alias"),
        ("about: a: b\n", 1, "mapping values are not allowed"),
        ("grid: []\n---\ngrid: []\n", 2, "another document"),
    ],
    ids=["bracket", "tab", "alias", "colon", "documents"],
)
def test_what_is_no_yaml_is_refused_with_its_line(complaints: Complaints, text: str, line: int, word: str) -> None:
    (told,) = complaints(text)
    assert told.startswith(f"line {line}: no YAML: ")
    assert word in told


@pytest.mark.parametrize("text", ["", "- a\n", "words\n", "~\n"])
def test_what_is_no_mapping_is_no_suite(complaints: Complaints, text: str) -> None:
    assert "a suite is a mapping with the keys about, defaults, grid, exclude" in complaints(text)[0]


def test_a_suite_without_a_grid_is_none(complaints: Complaints) -> None:
    assert complaints("about: nothing\n")[0].startswith("line 1: there is no 'grid'")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("grid: linear", "line 1: 'grid' is a list of blocks, each with '- ' before it"),
        ("grid: [linear]", "line 1: 'grid' holds keys with values, such as 'task: sst2'"),
        ("grid: [{engine: linear, task: {a: b}}]", "line 1: 'task' takes a value or a list of values"),
        (
            "grid: [{engine: linear, task: []}]",
            "line 1: 'task' has an empty list; leave the key out, or give it a value",
        ),
        ("grid: [{engine: linear, [a]: b}]", "line 1: a key is a word"),
        ("about: [a]\ngrid: [{engine: linear, task: sst2}]", "line 1: 'about' is a sentence"),
    ],
)
def test_what_has_the_wrong_form_is_told_so(complaints: Complaints, text: str, told: str) -> None:
    assert any(line.startswith(told) for line in complaints(text))


def test_nothing_in_a_file_is_ever_made_or_run(complaints: Complaints, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    told = complaints(f"grid:\n  - engine: linear\n    task: !!python/object/apply:pathlib.Path.touch [{trace}]\n")
    assert told
    assert not trace.exists()


def test_an_alias_that_holds_itself_is_refused_and_not_followed(complaints: Complaints) -> None:
    assert complaints("grid: &a [*a]\n")


def test_a_file_that_is_nested_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.yaml"
    path.write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(SuiteError, match="deep"):
        read_document(path)


def test_a_file_that_is_not_there_names_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("grid: []", encoding="utf-8")
    with pytest.raises(SuiteError, match=r"there is no suite file '.*none\.yaml'; there are other\.yaml"):
        read_document(tmp_path / "none.yaml")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"grid: \xff\xfe")
    with pytest.raises(SuiteError, match="UTF-8"):
        read_document(path)


def test_keys_may_have_hyphens_as_on_the_command_line_and_values_keep_their_text(
    write_suite: Callable[[str], Path],
) -> None:
    document = read_document(write_suite("grid:\n  - max-samples: [1_000, 0x10]\n    lr: 1e-4\n    task: ~\n"))
    (block,) = document.grid
    assert [value.text for value in block.entries["max_samples"].values] == ["1_000", "0x10"]
    assert [(value.text, value.kind) for value in block.entries["lr"].values] == [("1e-4", "text")]
    assert block.entries["task"].values[0].kind == "null"
