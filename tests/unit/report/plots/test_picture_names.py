import re

import pytest

from beatingbert.report.plots.names import FileNames


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("accuracy", "sst2"), "accuracy_sst2"),
        (("learning", "anli_r1"), "learning_anli-r1"),
        (("x", "minilm-l6 (fine-tuned on 3,600)"), "x_minilm-l6-fine-tuned-on-3-600"),
        (("a", "../../etc/passwd"), "a_etc-passwd"),
        (("größer", "Qwen2.5"), "groer_Qwen2.5"),
        (("モデル",), "picture"),
        ((".hidden", ""), "hidden"),
    ],
)
def test_a_name_is_plain_whatever_it_is_made_of(parts: tuple[str, ...], expected: str) -> None:
    assert FileNames().name(*parts) == expected


def test_no_two_pictures_share_a_name_even_where_case_does_not_count() -> None:
    files = FileNames()
    names = [files.name(*parts) for parts in (("a", "b"), ("a", "b"), ("A", "B"), ("a", "b_2"), ("a b",))]
    assert len({name.lower() for name in names}) == 5
    assert names[:2] == ["a_b", "a_b_2"]


def test_names_are_bounded() -> None:
    files = FileNames()
    names = [files.name("x" * 400) for _ in range(3)]
    assert all(len(name) <= 105 for name in names)
    assert len(set(names)) == 3
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) for name in names)
