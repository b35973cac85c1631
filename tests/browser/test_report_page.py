"""The report's page in a real browser: Debian's chromium, without a network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from beatingbert.report.page.data import Estimate, PageData
from beatingbert.report.page.render import write_page
from tiny_pages import SCRIPT, hostile_page, row, small_page

CHROMIUM = shutil.which("chromium")
HOSTILE = f"{SCRIPT}<b>&lt;i&gt;</b>"  # plotly would read the latter as bold, and as what it is not
FLAGS = [
    "--no-sandbox",  # root has none
    *("--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
PATIENCE = 120_000  # ms: the machine may be busy

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium: apt-get install chromium")


@dataclass
class Opened:
    """A page in the browser, and what happened on it."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def texts(self, selector: str) -> list[str]:
        return [str(text) for text in self.page.locator(selector).all_inner_texts()]

    def visible_models(self) -> list[str]:
        return [text.strip() for text in self.texts("#board tbody tr:not([hidden]) td:nth-child(2)")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the Python package playwright")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=PATIENCE)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    write_page(folder / "report.html", small_page())
    write_page(folder / "hostile.html", hostile_page(HOSTILE))
    return folder


def open_page(browser: Any, path: Path, **about: Any) -> Iterator[Opened]:
    context = browser.new_context(offline=True, **about)
    context.set_default_timeout(PATIENCE)
    opened = Opened(context.new_page())
    opened.page.on("request", lambda request: opened.requests.append(request.url))
    opened.page.on("console", lambda said: opened.complaints.append(said.text) if said.type != "log" else None)
    opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.page.on("dialog", lambda dialog: (opened.dialogs.append(dialog.message), dialog.dismiss()))
    opened.page.goto(path.as_uri())
    yield opened
    context.close()


def wait_until(page: Any, expression: str) -> None:
    """Playwright's own way to wait makes a function of a string again and again, which the page's policy forbids."""
    for _ in range(PATIENCE // 100):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(100)
    pytest.fail(f"never true: {expression}")


@pytest.fixture
def opened(browser: Any, folder: Path) -> Iterator[Opened]:
    yield from open_page(browser, folder / "report.html")


def test_it_loads_without_network_or_complaint(opened: Opened, folder: Path) -> None:
    assert opened.page.title() == "Who wins?"
    assert opened.page.locator("#plot .scatterlayer .point").count() == 3
    assert opened.requests == [(folder / "report.html").as_uri()]
    assert opened.complaints == [] and opened.dialogs == []


def test_its_own_policy_lets_nothing_out_and_no_other_script_in(opened: Opened) -> None:
    fetched = opened.page.evaluate("fetch('https://example.org/').then(() => 'out', () => 'refused')")
    assert fetched == "refused"
    assert any("Content Security Policy" in said for said in opened.complaints)
    made = "document.body.innerHTML = '<img src=x onerror=alert(1)>'"
    assert (
        opened.page.evaluate(f"() => {{ try {{ {made}; return 'in'; }} catch {{ return 'refused'; }} }}") == "refused"
    )
    assert opened.dialogs == []


def test_a_click_on_a_heading_sorts_and_another_one_turns_round(opened: Opened) -> None:
    models = [("bert", 10.0), ("gemma", 60.0), ("majority", 0.002), ("bert", 100.0)]
    assert opened.visible_models() == [model for model, _ in models]
    latency = opened.page.locator("#board th", has_text="p50 ms")
    latency.locator("button").click()
    rising = [model for model, _ in sorted(models, key=lambda one: one[1])]
    assert opened.visible_models() == rising == ["majority", "bert", "gemma", "bert"]
    assert latency.get_attribute("aria-sort") == "ascending"
    latency.locator("button").press("Enter")
    assert opened.visible_models() == rising[::-1]
    assert latency.get_attribute("aria-sort") == "descending"
    opened.page.locator("#board th", has_text="model").locator("button").click()
    assert opened.visible_models() == ["bert", "bert", "gemma", "majority"]
    assert latency.get_attribute("aria-sort") is None


def test_what_has_no_value_comes_last_both_ways(opened: Opened) -> None:
    calibration = opened.page.locator("#board th", has_text="ECE").locator("button")
    for _ in range(2):
        calibration.click()
        assert opened.visible_models()[-1] == "gemma"


def test_filters_hide_what_does_not_fit(opened: Opened) -> None:
    page = opened.page
    page.fill("#find", "GEMMA zero")
    assert opened.visible_models() == ["gemma"]
    assert page.inner_text("#shown") == "1 of 4 shown"
    page.fill("#find", "")
    page.select_option("#side", "baseline")
    assert opened.visible_models() == ["majority"]
    page.select_option("#side", "")
    page.select_option("#task", "rte")
    assert opened.visible_models() == ["bert"]
    assert page.input_value("#plot-task") == "rte"
    assert page.locator("#plot .scatterlayer .point").count() == 1


def test_the_plot_changes_with_what_is_asked(opened: Opened) -> None:
    page = opened.page
    assert "latency" in page.inner_text("#plot")
    for across, words in (("cost", "machine time"), ("price", "USD"), ("memory", "MiB")):
        page.select_option("#across", across)
        assert words in page.inner_text("#plot")
    assert page.locator("#curve-plot .scatterlayer .trace").count() == 2
    assert opened.complaints == []


def crowded_page() -> PageData:
    """Eight points of which six lie on each other, two of them on another machine."""
    near = {"how": "a prompt with many words", "accuracy": Estimate(0.7, 0.6, 0.8), "p50_ms": 50.0}
    rows = [row(f"model-{at}", **{**near, "machine": "AAABBA"[at]}) for at in range(6)]
    return replace(small_page(), rows=(row(), row("slow", p50_ms=900.0), *rows), curves=())


def test_no_name_lies_on_another_and_no_two_machines_are_drawn_together(browser: Any, tmp_path: Path) -> None:
    write_page(tmp_path / "crowded.html", crowded_page())
    for opened in open_page(browser, tmp_path / "crowded.html", viewport={"width": 1300, "height": 900}):
        page = opened.page
        assert page.locator("#plot .scatterlayer .point").count() == 6
        boxes = [one.bounding_box() for one in page.locator("#plot .textpoint text").all() if one.text_content()]
        assert 3 <= len(boxes) <= 6
        for one, two in combinations(boxes, 2):
            apart = one["x"] + one["width"] <= two["x"] or two["x"] + two["width"] <= one["x"]
            assert apart or one["y"] + one["height"] <= two["y"] or two["y"] + two["height"] <= one["y"]
        assert page.locator("#machine option").all_inner_texts() == ["A (6)", "B (2)"]
        page.select_option("#machine", "B")
        assert page.locator("#plot .scatterlayer .point").count() == 2
        page.select_option("#across", "price")
        assert page.locator("#plot .scatterlayer .point").count() == 8
        assert not page.locator("#machine").is_visible()
        assert opened.complaints == []


def test_no_button_of_the_plot_sends_it_anywhere(opened: Opened) -> None:
    titles = opened.page.evaluate("[...document.querySelectorAll('.modebar-btn')].map((one) => one.dataset.title)")
    assert len(titles) == 12
    assert not [title for title in titles if "share" in title.lower() or "cloud" in title.lower()]


def test_the_error_browser_shows_the_rows_on_which_two_runs_differ(opened: Opened) -> None:
    page = opened.page
    names = [page.locator(f"#{which} option:checked").inner_text() for which in ("first", "second")]
    assert names == ["bert (fine-tuned on 100) · 66.7 % right", "gemma (zero-shot) · 50.0 % right"]
    assert opened.texts("#views button") == [
        *("one is right3", "A right, B wrong2", "A wrong, B right1", "both wrong1", "answers differ3")
    ]
    differing = ["a bore that never ends", f"the review said {SCRIPT} and left", "not the mess that i feared"]
    assert [text.strip() for text in opened.texts("#list .snippet")] == differing
    page.locator("#views button", has_text="A wrong, B right").click()
    assert [text.strip() for text in opened.texts("#list .snippet")] == ["not the mess that i feared"]
    detail = page.inner_text("#detail")
    assert "right answer: positive" in detail and "90.0 %" in detail
    assert opened.texts("#detail .said") == ["✗ negative", "✓ positive"]


def test_prompt_and_reply_are_shown_word_for_word(opened: Opened) -> None:
    page = opened.page
    assert page.locator("#detail pre").first.text_content() == " positive"
    prompt = page.locator("#detail details")
    assert not prompt.locator("pre").is_visible()
    prompt.locator("summary").click()
    assert prompt.locator("pre").text_content() == "Is this good?\nReview: a bore that never ends\nAnswer:"


def test_other_runs_can_be_picked_and_texts_be_searched(opened: Opened) -> None:
    page = opened.page
    page.select_option("#second", label="majority · 33.3 % right")
    assert len(opened.texts("#list .snippet")) == 4
    page.fill("#find-text", "BORE")
    assert [text.strip() for text in opened.texts("#list .snippet")] == ["a bore that never ends"]
    page.fill("#find-text", "no such words")
    assert "No such row." in page.inner_text("#list")
    page.fill("#find-text", "")
    page.select_option("#second", label="bert (fine-tuned on 100) · 66.7 % right")
    assert opened.texts("#views button") == ["A is wrong2"]
    assert len(opened.texts("#list .snippet")) == 2


def test_keys_go_from_row_to_row(opened: Opened) -> None:
    page = opened.page
    page.locator("#list button").first.focus()
    for key, place in (
        ("j", "2 of 3"),
        ("ArrowDown", "3 of 3"),
        ("j", "3 of 3"),
        ("k", "2 of 3"),
        ("ArrowUp", "1 of 3"),
    ):
        page.keyboard.press(key)
        assert place in page.inner_text("#detail .where")
    page.locator("#find-text").focus()
    page.keyboard.press("j")
    assert page.input_value("#find-text") == "j"


def test_a_script_in_a_data_set_is_shown_as_text(browser: Any, opened: Opened, folder: Path) -> None:
    opened.page.locator("#list button").nth(1).click()
    assert opened.page.inner_text("#detail .text") == f"the review said {SCRIPT} and left"
    assert opened.page.locator("script").count() == 3
    assert opened.dialogs == [] and opened.complaints == []
    for hostile in open_page(browser, folder / "hostile.html"):
        page = hostile.page
        assert page.title() == HOSTILE
        for place in ("h1", ".facts li", "#verdicts dt", "#list .snippet", "#detail .text", "#detail h3", "#notes li"):
            assert page.locator(place).first.inner_text().strip() == HOSTILE, place
        assert HOSTILE in page.inner_text("#plot") and HOSTILE in page.inner_text("#curve-plot")
        page.select_option("#across", "price")
        assert HOSTILE in page.text_content("#plot .xtitle")
        page.locator("#detail summary").click()
        assert page.locator("#detail details pre").inner_text() == f"{HOSTILE} {HOSTILE}"
        assert page.locator("script").count() == 3
        assert hostile.dialogs == [] and hostile.complaints == []


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1400, "dark")])
def test_it_fits_a_phone_and_the_dark(browser: Any, folder: Path, width: int, scheme: str) -> None:
    about = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    for opened in open_page(browser, folder / "report.html", **about):
        assert opened.page.evaluate("document.documentElement.scrollWidth") == width
        paper = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert paper == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 28)")


def test_it_is_printed_dark_on_white_whatever_the_screen(browser: Any, folder: Path) -> None:
    about = {"viewport": {"width": 794, "height": 1123}, "color_scheme": "dark"}
    for opened in open_page(browser, folder / "report.html", **about):
        label = "getComputedStyle(document.querySelector('#plot .xtitle')).fill"
        assert opened.page.evaluate(label) == "rgb(230, 233, 238)"
        opened.page.emulate_media(media="print")
        wait_until(opened.page, f"{label} === 'rgb(0, 0, 0)'")
        assert not opened.page.locator("#filters").is_visible()
        assert opened.page.evaluate("document.documentElement.scrollWidth") == 794


def test_without_javascript_verdicts_and_leaderboard_are_there(browser: Any, folder: Path) -> None:
    for opened in open_page(browser, folder / "report.html", java_script_enabled=False):
        assert "bert leads gemma by 15.0 points." in opened.page.inner_text("#verdicts")
        assert len(opened.texts("#board tbody tr")) == 4
        assert not opened.page.locator("#errors").is_visible()
        assert "need JavaScript" in opened.page.inner_text("main")
