import pytest

from beatingbert.report.text import duration, escape_markdown, figure, percent

METRIC = {"value": 0.8542, "low": 0.8289, "high": 0.8761}


def test_a_fraction_is_shown_as_percent() -> None:
    assert percent(METRIC) == "85.4"
    assert percent(METRIC, bounds=True) == "85.4 [82.9, 87.6]"
    assert percent({"value": 1.0, "low": 0.0, "high": 1.0}, bounds=True) == "100.0 [0.0, 100.0]"


def test_what_was_not_measured_is_a_dash() -> None:
    assert percent(None) == percent(None, bounds=True) == figure(None, 3) == duration(0) == "-"


def test_a_figure_has_as_many_digits_as_asked() -> None:
    assert figure(0.12345, 3) == "0.123"
    assert figure(-0.5, 1) == "-0.5"
    assert figure(0.0, 2) == "0.00"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.04, "0.0 s"),
        (0.4, "0.4 s"),
        (9.94, "9.9 s"),
        (38.2, "38 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (250, "4 min 10 s"),
        (4210, "70 min 10 s"),
    ],
)
def test_a_duration_reads_as_one_says_it(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize("mark", list("\\`*_{}[]<>|#~&$"))
def test_every_mark_that_markdown_would_read_is_escaped(mark: str) -> None:
    assert escape_markdown(f"a{mark}b") == f"a\\{mark}b"


def test_a_text_stays_on_its_line_and_in_its_cell() -> None:
    assert escape_markdown("two\nlines\r\n| and\ta cell") == "two lines \\| and a cell"


def test_plain_text_stays_plain() -> None:
    text = "gemma-3-1b-it, 5-shot: 85.4 (naïve) 日本"
    assert escape_markdown(text) == text
