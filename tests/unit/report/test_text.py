import pytest

from beatingbert.report.text import (
    duration,
    escape_markdown,
    figure,
    many,
    markdown_table,
    money,
    p_value,
    percent,
    points,
    storage,
)

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


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0"),
        (872, "872"),
        (999.4, "999"),
        (1_000, "1.00 k"),
        (22_713_216, "22.7 M"),
        (999_960_000, "1.00 B"),
        (1.2358e9, "1.24 B"),
    ],
)
def test_a_large_count_is_shown_in_three_figures(count: float, shown: str) -> None:
    assert many(count) == shown


@pytest.mark.parametrize(
    ("size", "shown"), [(0, "-"), (12, "12 B"), (4_321, "4.32 kB"), (91_200_000, "91.2 MB"), (2.5e12, "2500 GB")]
)
def test_storage_counts_by_thousands(size: float, shown: str) -> None:
    assert storage(size) == shown


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (None, "-"),
        (0, "0"),
        (0.000123, "0.000123"),
        (0.01234, "0.0123"),
        (0.5, "0.500"),
        (4.2, "4.20"),
        (999.4, "999.40"),
        (1234.5, "1,234"),
    ],
)
def test_a_price_is_shown_in_three_figures_or_to_the_cent(amount: float | None, shown: str) -> None:
    assert money(amount) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(1.0, "p = 1"), (0.0312, "p = 0.031"), (0.0001, "p = 0.0001"), (0.0, "p < 0.0001")]
)
def test_a_p_value_is_never_shown_as_zero(value: float, shown: str) -> None:
    assert p_value(value) == shown


def test_a_gap_has_its_sign() -> None:
    assert [points(value) for value in (0.054, -0.0012, 0.0)] == ["+5.4", "-0.1", "+0.0"]


def test_texts_stand_to_the_left_and_numbers_to_the_right() -> None:
    assert markdown_table(("who", "n"), [("a|b", "1"), ("c", "2")], left=1) == (
        "| who | n |\n| --- | ---: |\n| a\\|b | 1 |\n| c | 2 |\n"
    )
