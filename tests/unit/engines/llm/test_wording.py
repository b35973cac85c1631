from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import AutoTokenizer

from beatingbert.engines.llm.wording import Wording, opening_tokens, wants_chat
from beatingbert.errors import CheckpointError, SettingsError
from beatingbert.prompts.chat import running_text
from beatingbert.prompts.demonstrations import draw_demonstrations
from beatingbert.prompts.template import Template, load_template
from beatingbert.tasks.catalog import find_task
from beatingbert.tasks.example import Example, Question
from engines.llm.asking import load
from tiny_tasks import blanks, science, sentiment

BOOLQ = find_task("boolq")
LONG = " ".join(f"Sentence {number} tells of water." for number in range(60))
QUESTION = Question("q", {"question": "does water boil", "passage": LONG})
TRAIN = [
    Example(Question(str(number), {"question": f"is it {number}", "passage": f"It is {number}."}), label)
    for number in range(4)
    for label in [("false", "true")[number % 2]]
]


def wording(tokenizer: Any, task: str = "boolq", *, shots: int = 0, train: Any = TRAIN, **options: Any) -> Wording:
    declared = find_task(task)
    given: dict[str, Any] = {"bos": [], "chat": False, "max_length": 2048, "reserve": 0} | options
    demonstrations = draw_demonstrations(declared, train, shots, seed=99)
    template = given.pop("form", lambda template: template)(load_template(declared))
    return Wording(declared, template, demonstrations, tokenizer, **given)


def length(tokenizer: Any, text: str) -> int:
    return len(tokenizer(text, add_special_tokens=False)["input_ids"])


@pytest.mark.parametrize("shots", [0, 2])
@pytest.mark.parametrize("max_length", [150, 200, 256])
def test_only_the_long_field_is_cut_and_the_loss_is_counted(tiny_llama: Path, shots: int, max_length: int) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    words = wording(tokenizer, shots=shots, max_length=max_length)
    asked = words.ask(QUESTION)
    kept = asked.text.rpartition("Passage: ")[2].partition("\nQuestion:")[0]
    assert LONG.startswith(kept)
    assert 0 < len(kept) < len(LONG)
    shown = draw_demonstrations(BOOLQ, TRAIN, shots, seed=99).shown
    assert asked.text == running_text(load_template(BOOLQ), shown, QUESTION, replace={"passage": kept})
    lost = length(tokenizer, LONG) - length(tokenizer, kept)
    assert lost - 1 <= asked.lost_tokens <= lost  # a blank at the very end is not missed
    longest = max(length(tokenizer, asked.text + answer) for answer in asked.answers.values())
    assert max_length - 3 <= longest <= max_length


def test_a_question_that_fits_loses_nothing(tiny_llama: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    asked = wording(tokenizer).ask(QUESTION)
    assert asked.lost_tokens == 0
    assert LONG in asked.text


def test_the_beginning_token_and_the_reply_find_room(tiny_llama: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    scored = wording(tokenizer, max_length=200).ask(QUESTION)
    written = wording(tokenizer, max_length=200, reserve=30, bos=[0]).ask(QUESTION)
    answer = max(length(tokenizer, one) for one in scored.answers.values())
    assert length(tokenizer, scored.text) <= 200 - answer
    assert length(tokenizer, written.text) <= 200 - 30 - 1
    assert written.lost_tokens > scored.lost_tokens


@pytest.mark.parametrize("text", ["\u4f60\u597d\u4e16\u754c" * 60, "\U0001f600" * 90, "a\u0301" * 120, "   x" * 100])
def test_a_cut_never_leaves_half_a_letter(tiny_llama: Path, text: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    asked = wording(tokenizer, max_length=150).ask(Question("q", {"question": "x", "passage": text}))
    kept = asked.text.partition("Passage: ")[2].partition("\nQuestion:")[0]
    assert text.strip().startswith(kept)
    assert "\ufffd" not in kept
    assert asked.lost_tokens > 0
    assert length(tokenizer, asked.text) <= 150


@pytest.mark.parametrize(("max_length", "shots"), [(20, 0), (30, 0), (60, 2)])
def test_what_does_not_fit_without_the_long_field_is_refused(tiny_llama: Path, max_length: int, shots: int) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    words = wording(tokenizer, shots=shots, max_length=max_length)
    with pytest.raises(
        SettingsError, match=r"question 'q' needs \d+ tokens more .* even without its passage"
    ) as caught:
        words.ask(QUESTION)
    missing = int(str(caught.value).split("needs ")[1].split()[0])
    assert missing >= 1
    assert wording(tokenizer, shots=shots, max_length=max_length + missing).ask(QUESTION).lost_tokens > 0


def test_a_chat_prompt_is_what_the_tokenizer_makes_of_the_turns(tiny_qwen: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_qwen)
    train = sentiment(10)
    words = wording(tokenizer, "sst2", shots=1, train=train, chat=True)
    asked = words.ask(Question("q", {"sentence": "a good film"}))
    (one,) = draw_demonstrations(find_task("sst2"), train, 1, seed=99).shown
    assert asked.text == (
        "<|im_start|>user\nClassify the sentiment of the movie review.\n\n"
        f"Review: {one.question.texts['sentence']}<|im_end|>\n"
        f"<|im_start|>assistant\nSentiment: {one.label}<|im_end|>\n"
        "<|im_start|>user\nReview: a good film<|im_end|>\n"
        "<|im_start|>assistant\nSentiment:"
    )
    assert asked.answers == {"negative": " negative", "positive": " positive"}


def test_chat_markup_becomes_single_tokens(tiny_qwen: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_qwen)
    asked = wording(tokenizer, "sst2", chat=True).ask(Question("q", {"sentence": "good"}))
    ids = tokenizer(asked.text, add_special_tokens=False)["input_ids"]
    assert ids[0] == tokenizer.convert_tokens_to_ids("<|im_start|>")
    assert ids.count(ids[0]) == 2


def test_cutting_works_inside_a_chat_turn(tiny_qwen: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_qwen)
    asked = wording(tokenizer, chat=True, max_length=150).ask(QUESTION)
    assert asked.lost_tokens > 0
    assert length(tokenizer, asked.text) <= 150
    assert asked.text.endswith("Question: does water boil?<|im_end|>\n<|im_start|>assistant\nAnswer:")


def test_the_beginning_token_is_never_doubled_by_a_chat_template(tiny_gemma_chat: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_gemma_chat)
    bos = opening_tokens(tokenizer, "gemma3_text")
    assert bos == [tokenizer.bos_token_id]
    asked = wording(tokenizer, "sst2", chat=True, bos=bos).ask(Question("q", {"sentence": "good"}))
    ids = [*bos, *tokenizer(asked.text, add_special_tokens=False)["input_ids"]]
    assert ids.count(tokenizer.bos_token_id) == 1
    assert asked.text.startswith("<start_of_turn>user\n")


def test_choices_follow_the_prompt_in_their_own_words(tiny_llama: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    question = science(4)[3].question
    asked = wording(tokenizer, "arc_challenge").ask(question)
    assert asked.answers == {str(at): f" {choice}" for at, choice in enumerate(question.choices)}


@pytest.mark.parametrize("fixture", ["tiny_gemma", "tiny_gemma_that_forgets_bos", "tiny_gemma_chat"])
def test_gemma_begins_with_its_beginning_token_even_if_the_tokenizer_forgets(
    request: pytest.FixtureRequest, fixture: str
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(request.getfixturevalue(fixture))
    assert opening_tokens(tokenizer, "gemma3_text") == [tokenizer.convert_tokens_to_ids("<bos>")]


@pytest.mark.parametrize("fixture", ["tiny_llama", "tiny_qwen", "tiny_gpt2"])
def test_a_tokenizer_that_adds_nothing_is_taken_at_its_word(request: pytest.FixtureRequest, fixture: str) -> None:
    model, tokenizer = load(request.getfixturevalue(fixture))
    assert opening_tokens(tokenizer, model.config.model_type) == []


@pytest.mark.parametrize(
    ("before", "after", "opening"),
    [([], [], []), ([1], [], [1]), ([], [2], []), ([1], [2], [1]), ([8, 9], [2], [8, 9])],
)
def test_the_opening_is_what_the_tokenizer_puts_before_a_text_and_not_after(
    before: list[int], after: list[int], opening: list[int]
) -> None:
    def tokenizer(text: str, add_special_tokens: bool = True) -> dict[str, list[int]]:
        return {"input_ids": [*before, 7, *after] if add_special_tokens else [7]}

    assert opening_tokens(tokenizer, "llama") == opening


def test_gemma_without_any_beginning_token_is_refused(tiny_llama: Path) -> None:
    with pytest.raises(CheckpointError, match="gemma3_text model needs a beginning-of-sequence token"):
        opening_tokens(AutoTokenizer.from_pretrained(tiny_llama), "gemma3_text")


@pytest.mark.parametrize(
    ("template", "choice", "chat"),
    [("x", "auto", True), (None, "auto", False), ("x", "never", False), (None, "never", False), ("x", "always", True)],
)
def test_chat_is_spoken_where_wanted_and_known(template: str | None, choice: str, chat: bool) -> None:
    assert wants_chat(SimpleNamespace(chat_template=template), choice, "ref") is chat


def test_insisting_on_a_chat_template_that_is_not_there_is_refused() -> None:
    with pytest.raises(CheckpointError, match="'ref' has no chat template; use --chat_template auto or never"):
        wants_chat(SimpleNamespace(chat_template=None), "always", "ref")


BEFORE = " ".join(f"Number {number} was a good film." for number in range(40))
GAP = Question(
    "q", {"sentence": f"{BEFORE} The actor saw the plain story, so _ was great at last."}, ("Ann", "the zebra")
)


def test_in_the_blank_each_choice_has_its_own_context_and_all_the_same_answer(tiny_llama: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    question = blanks(1)[0].question
    asked = wording(tokenizer, "winogrande", form=Template.in_blank).ask(question)
    start = "The actor saw film 0 because"
    assert asked.contexts == {"0": f"{start} the good film 0", "1": f"{start} a story"}
    assert asked.answers == {"0": " was great in review 0.", "1": " was great in review 0."}
    assert asked.prompts == tuple(asked.contexts.values())
    assert asked.text == asked.prompts[0]


def test_in_the_blank_demonstrations_are_sentences_filled_rightly(tiny_llama: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    (train, one), train_rows = blanks(2), blanks(2)[:1]
    asked = wording(tokenizer, "winogrande", form=Template.in_blank, shots=1, train=train_rows).ask(one.question)
    filled = train.question.texts["sentence"].replace("_", train.question.choices[int(train.label)])
    assert asked.contexts["1"] == f"{filled}\n\nThe actor saw film 1 because a story"


def test_in_a_chat_the_model_goes_on_in_its_own_turn(tiny_qwen: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_qwen)
    asked = wording(tokenizer, "winogrande", form=Template.in_blank, chat=True).ask(blanks(1)[0].question)
    assert asked.contexts["1"] == (
        "<|im_start|>user\nThe actor saw film 0 because a story<|im_end|>\n<|im_start|>assistant\n"
    )
    assert asked.answers["1"] == "was great in review 0."


@pytest.mark.parametrize("shots", [0, 2])
@pytest.mark.parametrize("chat", [False, True])
def test_before_a_blank_the_beginning_is_cut_and_nothing_else(tiny_qwen: Path, shots: int, chat: bool) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_qwen)
    train = blanks(6)
    given: dict[str, Any] = {"form": Template.in_blank, "shots": shots, "train": train, "chat": chat}
    whole = wording(tokenizer, "winogrande", **given).ask(GAP)
    cut = wording(tokenizer, "winogrande", max_length=230, **given).ask(GAP)
    assert (whole.lost_tokens, cut.answers) == (0, whole.answers)
    assert cut.answers["0"].strip() == "was great at last."
    for label, choice in enumerate(GAP.choices):
        full, context = whole.contexts[str(label)], cut.contexts[str(label)]
        opening = full.partition("Number 0 was")[0]
        assert context.startswith(opening)
        kept = context.removeprefix(opening)
        assert full.endswith(kept)
        assert f"The actor saw the plain story, so {choice}" in kept
        assert "Number 0 was" not in kept
    longest = max(length(tokenizer, cut.contexts[label] + answer) for label, answer in cut.answers.items())
    assert 226 <= longest <= 230
    assert cut.lost_tokens > 0


def test_a_sentence_whose_blank_and_rest_do_not_fit_is_refused(tiny_llama: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    question = Question("q", {"sentence": f"So _ was {BEFORE}"}, ("Ann", "Bo"))
    with pytest.raises(SettingsError, match=r"question 'q' needs \d+ tokens more .* even without its sentence"):
        wording(tokenizer, "winogrande", form=Template.in_blank, max_length=100).ask(question)


@pytest.mark.parametrize("chat", [False, True])
def test_listed_choices_are_never_cut(tiny_qwen: Path, chat: bool) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_qwen)
    question = Question("q", {"question": LONG}, ("a cat", "two dogs", "no"))
    asked = wording(tokenizer, "arc_challenge", form=Template.by_letter, chat=chat, max_length=150).ask(question)
    assert asked.lost_tokens > 0
    assert "\nA. a cat\nB. two dogs\nC. no" in asked.text
    assert asked.text.endswith("\nAnswer:")
    assert asked.answers == {"0": " A", "1": " B", "2": " C"}
    assert 140 <= length(tokenizer, asked.text + " A") <= 150


@pytest.mark.parametrize("task", ["winogrande", "arc_challenge"])
@pytest.mark.parametrize("form", [Template.by_letter, Template.in_blank], ids=["letter", "blank"])
def test_the_opening_is_what_every_prompt_begins_with(tiny_qwen: Path, task: str, form: Any) -> None:
    if task == "arc_challenge" and form is Template.in_blank:
        return  # has no blank
    tokenizer = AutoTokenizer.from_pretrained(tiny_qwen)
    rows = blanks(8) if task == "winogrande" else science(8)
    words = wording(tokenizer, task, form=form, shots=2, train=rows[:4])
    opening = words.opening()
    assert len(opening) > 20
    for row in rows[4:]:
        for prompt in words.ask(row.question).prompts:
            ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
            assert ids[: len(opening) - 1] == opening[:-1]  # the last one may merge with what follows
