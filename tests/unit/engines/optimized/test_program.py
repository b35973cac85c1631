import json
from pathlib import Path

import dspy
import pytest

from beatingbert.engines.optimized.asking import Classify
from beatingbert.engines.optimized.program import Program, count_labels, load_program, prompt_text, save_program
from beatingbert.errors import CheckpointError
from engines.optimized.parrots import Parrot, asker_of, sentiment_form

PROGRAM = Program(
    instruction="Is it [bold]good[/bold]?\n\u00e9",
    demonstrations=({"sentence": "a great film", "label": "positive"}, {"sentence": "awful", "label": "negative"}),
)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    save_program(PROGRAM, asker_of(Parrot()), tmp_path / "dspy_optimized", "sst2")
    return tmp_path / "dspy_optimized"


def test_a_program_comes_back_as_it_was(kept: Path) -> None:
    assert load_program(kept, asker_of(Parrot())) == PROGRAM
    assert count_labels(kept) == 2


def test_what_is_kept_can_be_read_and_is_no_pickle(kept: Path) -> None:
    assert {path.name for path in kept.iterdir()} == {"program.json", "prompt.txt", "state.json"}
    assert json.loads((kept / "program.json").read_text(encoding="utf-8"))["instruction"] == PROGRAM.instruction
    prompt = (kept / "prompt.txt").read_text(encoding="utf-8")
    assert prompt == prompt_text(PROGRAM, asker_of(Parrot()))
    assert "Is it [bold]good[/bold]?" in prompt
    assert prompt.index("a great film") < prompt.index("awful") < prompt.index("{sentence}\n\nRespond")
    assert prompt.endswith("[assistant]\n[[ ## label ## ]]\n...\n")


def test_dspy_itself_can_go_on_with_it(kept: Path) -> None:
    module = Classify(asker_of(Parrot()))
    module.load(str(kept / "state.json"))
    assert Program.of(module, sentiment_form()) == PROGRAM


def test_a_demonstration_that_is_the_question_is_left_out() -> None:
    shown = PROGRAM.before({"sentence": "A  Great film "}, sentiment_form())
    assert [one["sentence"] for one in shown] == ["awful"]
    assert len(PROGRAM.before({"sentence": "another"}, sentiment_form())) == 2


@pytest.mark.parametrize(
    "damage",
    ["", "[]", '{"format": 2}', '{"format": 1, "instruction": 3}', '{"format": 1, "instruction": "x"}'],
)
def test_a_damaged_program_is_refused(kept: Path, damage: str) -> None:
    (kept / "program.json").write_text(damage, encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"program\.json' is damaged .* compile it again"):
        load_program(kept, asker_of(Parrot()))


def test_a_folder_without_a_program_is_refused_with_a_hint(kept: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds no program\.json.*did you mean '.*dspy_optimized'"):
        load_program(kept.parent, asker_of(Parrot()))
    with pytest.raises(CheckpointError, match=r"holds no program\.json, so it is no compiled program$"):
        load_program(kept / "nowhere", asker_of(Parrot()))


def test_a_program_for_other_fields_is_refused(kept: Path) -> None:
    with pytest.raises(CheckpointError, match=r"was compiled for outputs \['label'\], but here they are"):
        load_program(kept, asker_of(Parrot(), reasoning=True))


def test_a_program_for_other_words_is_refused(kept: Path) -> None:
    with pytest.raises(CheckpointError, match="was compiled for adapter chat, but here they are template"):
        load_program(kept, asker_of(Parrot(), adapter="template"))


def test_a_program_in_the_words_of_the_prompt_file_is_shown_in_them() -> None:
    assert prompt_text(PROGRAM, asker_of(Parrot(), adapter="template")) == (
        "[user]\nIs it [bold]good[/bold]?\n\u00e9\n\nReview: a great film\n\n[assistant]\nSentiment: positive\n\n"
        "[user]\nReview: awful\n\n[assistant]\nSentiment: negative\n\n[user]\nReview: {sentence}\n\n"
        "[assistant]\nSentiment: ...\n"
    )


def test_a_program_of_dspy_becomes_one_of_ours_and_back() -> None:
    asker = asker_of(Parrot(), reasoning=True)
    module = Classify(asker)
    module.predict.demos = [
        dspy.Example(augmented=True, sentence="good", reasoning="it says so", label="positive"),
        dspy.Example(sentence="bad", label="negative"),
    ]
    program = Program.of(module, asker.form)
    assert program.demonstrations[0] == {"sentence": "good", "reasoning": "it says so", "label": "positive"}
    assert program.demonstrations[1] == {"sentence": "bad", "label": "negative"}
    again = program.module(asker)
    adapter = dspy.ChatAdapter()
    inputs = {"sentence": "so so"}
    assert adapter.format(again.predict.signature, again.predict.demos, inputs) == adapter.format(
        module.predict.signature, module.predict.demos, inputs
    )
