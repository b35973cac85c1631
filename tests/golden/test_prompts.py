"""What a model reads, word for word, as files whose changes are seen in a diff.

After a wanted change: `BEATINGBERT_REWRITE_GOLDEN=1 pytest tests/golden/test_prompts.py`, then read the diff.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from beatingbert.prompts.chat import chat_turns, running_text
from beatingbert.prompts.template import Template, load_template
from beatingbert.tasks.catalog import find_task
from beatingbert.tasks.example import Example, Question

FOLDER = Path(__file__).parent / "prompts"
FORMS: dict[str, Callable[[Template], Template]] = {".letter": Template.by_letter, ".blank": Template.in_blank}
CHOICES = [*((name, ".letter") for name in ("arc_challenge", "hellaswag", "winogrande")), ("winogrande", ".blank")]

SHOWN = {
    "sst2": [
        Example(Question("1", {"sentence": "hide new secretions from the parental units "}), "negative"),
        Example(Question("2", {"sentence": "that loves its characters "}), "positive"),
    ],
    "rte": [
        Example(Question("1", {"sentence1": "It rains in Rome.", "sentence2": "Rome is dry."}), "not_entailment"),
        Example(Question("2", {"sentence1": "It rains in Rome.", "sentence2": "Rome is wet."}), "entailment"),
    ],
    "boolq": [
        Example(Question("1", {"question": "is ice cold", "passage": "Ice is frozen water."}), "true"),
        Example(Question("2", {"question": "is fire cold", "passage": "Fire burns."}), "false"),
    ],
    "anli_r1": [
        Example(Question("1", {"premise": "A man sleeps.", "hypothesis": "Someone sleeps."}), "entailment"),
        Example(Question("2", {"premise": "A man sleeps.", "hypothesis": "He dreams."}), "neutral"),
    ],
    "arc_challenge": [
        Example(Question("1", {"question": "What is a star?"}, ("the moon", "the sun")), "1"),
        Example(Question("2", {"question": "What is wet?"}, ("water", "sand", "fire")), "0"),
    ],
    "hellaswag": [
        Example(Question("1", {"activity_label": "Run", "ctx": "A man runs. He"}, ("stops.", " He sits.")), "0"),
        Example(Question("2", {"activity_label": "Food", "ctx": "How to boil. Heat."}, ("Stir.", " Wait.")), "1"),
    ],
    "winogrande": [
        Example(Question("1", {"sentence": "Ann met Bo because _ waited."}, ("Ann", "Bo")), "1"),
        Example(Question("2", {"sentence": "The cup broke the plate; the _ was hard."}, ("cup", "plate")), "0"),
    ],
}
ASKED = {
    "sst2": Question("3", {"sentence": "a {gorgeous}, witty film."}),
    "rte": Question("3", {"sentence1": "Cats purr.", "sentence2": "Cats bark."}),
    "boolq": Question("3", {"question": "is water wet", "passage": "Water wets [things]."}),
    "anli_r1": Question("3", {"premise": "A dog runs.", "hypothesis": "A cat runs."}),
    "arc_challenge": Question("3", {"question": "What is hot?"}, ("ice", "fire", "snow", "rain")),
    "hellaswag": Question("3", {"activity_label": "Dance", "ctx": "Two turn. They"}, ("bow.", "fly.", " Then end.")),
    "winogrande": Question("3", {"sentence": "Cy saw Di so _ smiled."}, ("Cy", "Di")),
}


def hold_against(file: Path, text: str) -> None:
    if os.environ.get("BEATINGBERT_REWRITE_GOLDEN"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def as_conversation(template: Template, shown: list[Example], question: Question) -> str:
    return json.dumps(chat_turns(template, shown, question), indent=1, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("shots", [0, 2])
def test_running_text_reads_as_kept(name: str, shots: int) -> None:
    template = load_template(find_task(name))
    text = running_text(template, SHOWN[name][:shots], ASKED[name])
    hold_against(FOLDER / f"{name}.{shots}-shot.txt", text + "\n")


@pytest.mark.parametrize("name", SHOWN)
def test_chat_turns_read_as_kept(name: str) -> None:
    hold_against(
        FOLDER / f"{name}.chat.json", as_conversation(load_template(find_task(name)), SHOWN[name], ASKED[name])
    )


@pytest.mark.parametrize("name", SHOWN)
def test_chat_turns_alternate_and_end_with_the_user(name: str) -> None:
    turns = chat_turns(load_template(find_task(name)), SHOWN[name], ASKED[name])
    assert [turn["role"] for turn in turns] == ["user", "assistant"] * 2 + ["user"]


@pytest.mark.parametrize(("name", "form"), CHOICES)
@pytest.mark.parametrize("shots", [0, 2])
def test_choices_by_letter_and_in_the_blank_read_as_kept(name: str, form: str, shots: int) -> None:
    template = FORMS[form](load_template(find_task(name)))
    label = "1" if form == ".blank" else None
    text = running_text(template, SHOWN[name][:shots], ASKED[name], label)
    answers = "".join(f"<{label}: {template.answer(ASKED[name], label)}>\n" for label in ("0", "1"))
    hold_against(FOLDER / f"{name}{form}.{shots}-shot.txt", f"{text}\n{answers}")


@pytest.mark.parametrize(("name", "form"), CHOICES)
def test_chat_turns_by_letter_and_in_the_blank_read_as_kept(name: str, form: str) -> None:
    template = FORMS[form](load_template(find_task(name)))
    turns = chat_turns(template, SHOWN[name], ASKED[name], "1" if form == ".blank" else None)
    hold_against(FOLDER / f"{name}{form}.chat.json", json.dumps(turns, indent=1, ensure_ascii=False) + "\n")
