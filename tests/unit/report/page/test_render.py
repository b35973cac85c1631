import base64
import hashlib
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from beatingbert.report.page import render
from beatingbert.report.page.columns import COLUMNS
from beatingbert.report.page.render import render_page, write_page
from tiny_pages import SCRIPT, hostile_page, row, small_page

HOSTILE = [
    SCRIPT,
    "</script><script>alert(2)</script>",
    "<!--<script>",
    "\"><img src=x onerror=alert(3)>'",
    "]]> {{ 7 * 7 }} {% raw %} &amp; &lt;b&gt;",
    "line \u2028 and \u2029 and \u202e turned",
]


class Reader(HTMLParser):
    """What a browser would make of the page: elements with their attributes, and the text that is no script."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._inside = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.text += data


@pytest.fixture(scope="module")
def page() -> str:
    return render_page(small_page())


def test_the_page_reads_without_script(page: str) -> None:
    read = Reader(page)
    assert "bert leads gemma by 15.0 points." in read.text
    assert "75.0" in read.text and "[50.0, 90.0]" in read.text
    assert sum(tag == "tr" for tag, _ in read.elements) == 1 + len(small_page().rows)
    assert sum(tag == "th" for tag, _ in read.elements) == len(COLUMNS)


def test_verdicts_stand_in_the_order_given_one_heading_per_task() -> None:
    one = small_page().verdicts[0]
    verdicts = tuple(replace(one, task=task, sentence=f"about {task}.") for task in ("zebra", "apple", "zebra"))
    text = Reader(render_page(replace(small_page(), verdicts=verdicts))).text
    assert re.findall(r"zebra|apple", text[: text.index("Leaderboard", text.index("about"))]) == [
        *("zebra", "zebra", "zebra"),
        *("apple", "apple"),
    ]


def test_nothing_on_the_page_points_outside(page: str) -> None:
    for tag, attributes in Reader(page).elements:
        for name, value in attributes.items():
            assert name not in ("src", "srcset", "action", "data", "style", "ping"), (tag, name)
            assert not name.startswith("on"), (tag, name)
            if name == "href":
                assert value is not None and value.startswith("#")


def test_the_library_is_embedded_once(page: str) -> None:
    assert page.count("* plotly.js v") == 1
    assert len(Reader(page).scripts) == 3


def test_only_the_pages_own_scripts_are_allowed_to_run(page: str) -> None:
    read = Reader(page)
    policy = next(
        str(about["content"])
        for tag, about in read.elements
        if tag == "meta" and about.get("http-equiv") == "Content-Security-Policy"
    )
    hashes = re.findall(r"'sha256-([^']+)'", policy)
    executed = [script for script in read.scripts if not script.startswith("{")]
    assert [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in executed] == hashes
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe-eval" not in policy and "http" not in policy
    assert "script-src 'unsafe-inline'" not in policy


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_markup(text: str, page: str) -> None:
    plain, hostile = Reader(render_page(hostile_page("harmless"))), Reader(render_page(hostile_page(text)))
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in plain.elements]
    assert [set(about) for _, about in hostile.elements] == [set(about) for _, about in plain.elements]
    # Title twice, fact, verdict with its task, row, note: as text, as it was.
    assert hostile.text.count(text) == plain.text.count("harmless") >= 8


@pytest.mark.parametrize("text", HOSTILE)
def test_the_data_come_back_as_they_were(text: str) -> None:
    data = json.loads(Reader(render_page(hostile_page(text))).scripts[0])
    assert data["rows"][0]["task"] == data["curves"][0]["name"] == data["currency"] == text
    (sheet,) = data["sheets"]
    assert sheet["name"] == sheet["runs"][0]["name"] == sheet["labels"][0] == text
    assert sheet["questions"][0]["texts"] == [text, text]
    assert sheet["questions"][0]["answers"][0][2] == text


def test_the_data_block_holds_nothing_that_html_could_read(page: str) -> None:
    block = page[page.index('id="data">') + len('id="data">') :]
    block = block[: block.index("</script>")]
    assert SCRIPT in json.loads(block)["sheets"][0]["questions"][1]["texts"][0]
    assert block.isascii()
    assert not set(block) & set("<>&'")


def test_the_same_data_give_the_same_page(page: str) -> None:
    assert render_page(small_page()) == page


def test_the_scripts_never_make_markup_of_a_string() -> None:
    for name in render.SCRIPTS:
        script = (render.ASSETS / name).read_text(encoding="utf-8")
        for sink in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", ".src"):
            assert sink not in script, f"{name}: {sink}"


@pytest.mark.parametrize("word", ["</script", "<SCRIPT", "<!--", "\r"])
def test_a_script_that_html_would_end_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="cannot be embedded"):
        render._embeddable(f'const text = "{word}";')


def test_what_is_missing_is_a_dash_and_is_sorted_last() -> None:
    whole = Reader(render_page(replace(small_page(), rows=(row(mcc=None, cost_per_million=None),), sheets=())))
    cells = [about for tag, about in whole.elements if tag == "td"]
    values = dict(zip((column.title for column in COLUMNS), cells, strict=True))
    assert "data-value" not in values["MCC"] and "data-value" not in values["price"]
    assert values["accuracy"]["data-value"] == "0.75"


def test_a_page_without_anything_is_still_a_page() -> None:
    empty = replace(small_page(), rows=(), verdicts=(), curves=(), sheets=(), notes=())
    assert "no side can be held against the other" in Reader(render_page(empty)).text


def test_the_page_is_written_beside_and_then_renamed(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    write_page(path, replace(small_page(), title="half of a pair: \ud83d"))
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]
    assert path.read_bytes().startswith(b"<!doctype html>")


def test_making_a_page_loads_no_model_library() -> None:
    look = """
import sys
import beatingbert.report.page.gather
from beatingbert.report.page.render import render_page
from beatingbert.report.page.data import PageData
assert len(render_page(PageData(title="t", facts=(), rows=(), verdicts=()))) > 1_000_000
print(*(name for name in "torch transformers sklearn".split() if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
