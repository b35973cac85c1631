from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from beatingbert.errors import PromptError, UnknownNameError
from beatingbert.prompts.template import load_template, parse_template, shipped_text
from beatingbert.tasks.catalog import TASKS, find_task
from beatingbert.tasks.example import Question
from beatingbert.tasks.spec import Shape, Task

SST2 = """# a comment
[instruction]
Say how it feels.

[question]
Review: {sentence}

[cue]
Feeling:

[labels]
negative: bad
positive: good
"""


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_every_shipped_template_fits_its_task(task: Task) -> None:
    template = load_template(task)
    texts = {name: f"<{name}>" for name in task.text_fields}
    question = Question("q", texts, ("first", "second") if task.shape is Shape.CHOICE else ())
    asked = template.ask(question)
    assert all(text in asked for text in texts.values())
    assert template.instruction
    answers = [template.answer(question, label) for label in task.labels_of(question)]
    assert len(set(answers)) == len(answers)
    assert template.sha256 == hashlib.sha256(shipped_text(task.prompt).encode()).hexdigest()


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_no_shipped_prompt_ends_with_a_blank(task: Task) -> None:
    """The blank belongs to the answer's first token."""
    template = load_template(task)
    assert not template.question[-1].isspace()
    assert template.cue == template.cue.strip()


def test_the_cue_may_be_left_out() -> None:
    text = SST2.replace("[cue]\nFeeling:\n\n", "")
    assert parse_template(text, find_task("sst2"), source="x").cue == ""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[labels]", "", "found \\[instruction\\], \\[question\\], \\[cue\\]"),
        ("[instruction]", "[question]", "once each"),
        ("[labels]", "[label]", "\\[label\\]"),
        ("[cue]", "[labels]", "once each"),
        ("[labels]", "[cue]\n[labels]", "once each"),
        ("[instruction]", "[extra]\nx\n[instruction]", "once each"),
        ("{sentence}", "{text}", "exactly the fields {sentence}, found \\['text'\\]"),
        ("{sentence}", "it", "exactly the fields {sentence}, found \\[\\]"),
        ("{sentence}", "{}", "found \\[''\\]"),
        ("{sentence}", "{sentence} {other}", "found \\['other', 'sentence'\\]"),
        ("{sentence}", "{sentence.upper}", "found \\['sentence.upper'\\]"),
        ("{sentence}", "{sentence} }", "unbalanced braces"),
        ("{sentence}", "{sentence", "unbalanced braces|exactly the fields"),
        ("{sentence}", "{sentence:{width}}", "exactly as {sentence}"),
        ("{sentence}", "{sentence!r}", "exactly as {sentence}"),
        ("{sentence}", "{sentence:>9}", "exactly as {sentence}"),
        ("positive: good\n", "", "must name exactly negative, positive, found negative"),
        ("positive: good", "happy: good", "found negative, happy"),
        ("positive: good", "positive: good\nhappy: glad", "found negative, positive, happy"),
        ("positive: good", "negative: good", "found 'negative: good'"),
        ("positive: good", "positive good", "found 'positive good'"),
        ("positive: good", "positive:", "found 'positive:'"),
        ("positive: good", "positive: Bad", "same words"),
    ],
)
def test_a_template_that_does_not_fit_says_what_is_wrong(old: str, new: str, message: str) -> None:
    with pytest.raises(PromptError, match=message) as caught:
        parse_template(SST2.replace(old, new), find_task("sst2"), source="mine.txt")
    assert str(caught.value).startswith("mine.txt: ")


@pytest.mark.parametrize("words", ["the answer", "{choice} {", "{choice} {other}", "{choice!r}", "{choice:>9}"])
def test_a_multiple_choice_answer_must_be_the_choice(words: str) -> None:
    text = shipped_text("arc_challenge").replace("choice: {choice}", f"choice: {words}")
    with pytest.raises(PromptError, match=r"arc\.txt: .*the line 'choice:'"):
        parse_template(text, find_task("arc_challenge"), source="arc.txt")


def test_a_multiple_choice_answer_may_have_words_around_it() -> None:
    text = shipped_text("arc_challenge").replace("choice: {choice}", "choice: It is {choice}.")
    template = parse_template(text, find_task("arc_challenge"), source="arc.txt")
    assert template.answer(Question("q", {"question": "?"}, ("{a}", "{b}")), "1") == "It is {b}."


@pytest.mark.parametrize("text", ["{", "}", "{sentence}", "{0} {{x}} %s", "{sentence!r:>99}", "\\{", "[labels]\nx: y"])
def test_a_text_that_holds_braces_is_asked_as_it_is(text: str) -> None:
    template = load_template(find_task("sst2"))
    assert template.ask(Question("q", {"sentence": text})) == f"Review: {text}"
    replaced = template.ask(Question("q", {"sentence": "x"}), replace={"sentence": text})
    assert replaced == f"Review: {text}"


def test_a_literal_brace_in_a_template_is_written_twice() -> None:
    template = parse_template(SST2.replace("Review:", "{{Review}}:"), find_task("sst2"), source="x")
    assert template.ask(Question("q", {"sentence": "fine"})).startswith("{Review}: fine")


def test_ones_own_prompt_file_comes_before_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "sst2.txt").write_text(SST2, encoding="utf-8")
    assert load_template(find_task("sst2"), tmp_path).words == {"negative": "bad", "positive": "good"}


def test_a_task_without_a_file_in_ones_own_folder_uses_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "sst2.txt").write_text(SST2, encoding="utf-8")
    assert load_template(find_task("rte"), tmp_path) == load_template(find_task("rte"))


def test_a_prompt_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match=r"nowhere.*sst2\.txt"):
        load_template(find_task("sst2"), tmp_path / "nowhere")


def test_an_error_in_ones_own_file_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "sst2.txt").write_text("nothing", encoding="utf-8")
    with pytest.raises(PromptError, match=r"sst2\.txt: .*found none") as caught:
        load_template(find_task("sst2"), tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_file_with_windows_line_ends_reads_the_same(tmp_path: Path) -> None:
    (tmp_path / "sst2.txt").write_bytes(SST2.replace("\n", "\r\n").encode())
    template = load_template(find_task("sst2"), tmp_path)
    assert template == parse_template(SST2, find_task("sst2"), source="x")


def test_words_keep_the_order_of_the_tasks_labels() -> None:
    swapped = SST2.replace("negative: bad\npositive: good", "positive: good\nnegative: bad")
    assert list(parse_template(swapped, find_task("sst2"), source="x").words) == ["negative", "positive"]


def test_an_unknown_shipped_prompt_names_those_that_exist() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'sst2'"):
        shipped_text("sst")


ARC, WINOGRANDE = find_task("arc_challenge"), find_task("winogrande")
WHICH = Question("q", {"question": "Which?"}, ("a cat", " two"))
SENTENCE = Question("q", {"sentence": "Ann saw Bo, so _ ran {off}."}, ("Ann", "Bo"))


def test_by_letter_the_choices_stand_below_the_question_and_a_letter_is_the_answer() -> None:
    template = load_template(ARC).by_letter()
    assert template.ask(WHICH) == "Question: Which?\nA. a cat\nB. two"
    assert [template.answer(WHICH, label) for label in ("0", "1")] == ["A", "B"]
    assert template.cue == "Answer:"


def test_by_letter_there_is_a_cue_where_the_file_has_none() -> None:
    template = load_template(find_task("hellaswag"))
    assert (template.cue, template.by_letter().cue) == ("", "Answer:")


def test_by_letter_the_words_around_a_choice_stay() -> None:
    text = shipped_text("arc_challenge").replace("choice: {choice}", "choice: It is {choice}.")
    assert parse_template(text, ARC, source="x").by_letter().answer(WHICH, "1") == "It is B."


def test_a_choice_keeps_its_own_blanks_where_it_is_scored() -> None:
    assert load_template(ARC).answer(WHICH, "1") == " two"


def test_in_the_blank_the_choice_is_part_of_the_question_and_the_rest_is_the_answer() -> None:
    template = load_template(WINOGRANDE).in_blank()
    assert [template.ask(SENTENCE, label) for label in ("0", "1")] == ["Ann saw Bo, so Ann", "Ann saw Bo, so Bo"]
    assert [template.answer(SENTENCE, label) for label in ("0", "1")] == ["ran {off}."] * 2
    assert (template.instruction, template.cue) == ("", "")
    assert template.ask(SENTENCE, "1", replace={"sentence": "so _ x"}) == "so Bo"


def test_outside_the_blank_the_sentence_keeps_its_mark() -> None:
    for template in (load_template(WINOGRANDE), load_template(WINOGRANDE).by_letter()):
        assert template.ask(SENTENCE, "1").startswith("Sentence: Ann saw Bo, so _ ran {off}.")


def test_a_form_of_asking_leaves_the_text_and_its_hash_as_they_are() -> None:
    template = load_template(WINOGRANDE)
    assert template.by_letter().sha256 == template.in_blank().sha256 == template.sha256


@pytest.mark.parametrize(
    ("filled", "message"),
    [
        ("{sentence} so", "must end with {sentence}"),
        ("it", "exactly the fields {sentence}"),
        ("{sentence!r}", "exactly as {sentence}"),
        ("", "exactly the fields {sentence}"),
    ],
)
def test_a_filled_section_ends_with_the_text_that_has_the_blank(filled: str, message: str) -> None:
    text = shipped_text("winogrande").replace("[filled]\n{sentence}", f"[filled]\n{filled}")
    with pytest.raises(PromptError, match=message):
        parse_template(text, WINOGRANDE, source="x")


def test_a_filled_section_is_refused_where_the_task_has_no_blank() -> None:
    with pytest.raises(PromptError, match=r"mine\.txt: \[filled\] is for a task whose text has a blank, .*'sst2'"):
        parse_template(SST2 + "\n[filled]\n{sentence}\n", find_task("sst2"), source="mine.txt")
