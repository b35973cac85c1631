from pathlib import Path
from typing import Any

import dspy
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from beatingbert.engines.llm.engine import LlmEngine
from beatingbert.engines.llm.settings import LLMSettings
from beatingbert.engines.optimized.asking import Asker, Classify
from beatingbert.engines.optimized.budget import Meter
from beatingbert.engines.optimized.classifier import ProgramClassifier
from beatingbert.engines.optimized.engine import OptimizedEngine
from beatingbert.engines.optimized.lm import VoiceEngine, language_model
from beatingbert.engines.optimized.local import LocalVoice, local_voice
from beatingbert.engines.optimized.program import Program
from beatingbert.engines.optimized.quiet import shut_in
from beatingbert.engines.optimized.voice import Prompt
from beatingbert.engines.protocol import Access, EngineFacts, Workplace
from beatingbert.errors import SettingsError
from beatingbert.tasks.catalog import find_task
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.prediction import Prediction
from engines.optimized.parrots import asker_of, settings
from tiny_tasks import entailment, questions_of, sentiment

PROGRAM = Program(
    instruction="Good or not?\nThink of the actor.",
    demonstrations=({"sentence": "a great film", "label": "positive"}, {"sentence": "awful", "label": "negative"}),
)


def voice_of(checkpoint: Path, folder: Path, **more: Any) -> LocalVoice:
    chosen = settings(**({"checkpoint": str(checkpoint), "full_precision": True, "max_length": 8192} | more))
    return local_voice(chosen, Workplace(task=find_task("sst2"), folder=folder), 99)


def asker_on(voice: LocalVoice, adapter: str = "chat") -> Asker:
    return asker_of(voice, adapter=adapter)


@pytest.fixture(params=["tiny_far_llama", "tiny_far_qwen"])
def checkpoint(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(request.param)
    return found


def asked_both_ways(
    voice: LocalVoice, asker: Asker, program: Program, rows: list[Example], folder: Path
) -> tuple[list[Any], list[Prediction]]:
    """Labels by DSPy's module and predictions of ours, once both are known to have sent the same."""
    heard: list[Prompt] = []
    said = voice.say
    voice.say = lambda prompts, *more: heard.extend(prompts) or said(prompts, *more)  # type: ignore[method-assign]
    lm = language_model(VoiceEngine(voice, Meter(settings(), Access())), "x", 20)
    with shut_in(folder), dspy.context(lm=lm, adapter=asker.adapter, disable_history=True):
        by_dspy = [program.module(asker)(**asker.form.put(row.question)).label for row in rows]
    place = Workplace(task=find_task("sst2"), folder=folder)
    ours = ProgramClassifier(program, asker, voice, EngineFacts(), place).predict(questions_of(rows))
    assert len(heard) == 2 * len(rows)
    assert heard[: len(rows)] == heard[len(rows) :]
    return by_dspy, ours


def test_likelihoods_are_read_from_what_dspys_chat_adapter_says_to_the_letter(checkpoint: Path, tmp_path: Path) -> None:
    voice = voice_of(checkpoint, tmp_path)
    asker, rows = asker_on(voice), sentiment(5)
    by_dspy, ours = asked_both_ways(voice, asker, PROGRAM, rows, tmp_path)
    assert [one.label for one in ours] == by_dspy
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    signature = asker.form.signature(PROGRAM.instruction)
    demos = [dspy.Example(**demo) for demo in PROGRAM.demonstrations]
    for row, one in zip(rows, ours, strict=True):
        turns = dspy.ChatAdapter().format(signature, demos, asker.form.put(row.question))
        if tokenizer.chat_template:
            whole = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        else:
            whole = "\n\n".join([*(turn["content"].strip() for turn in turns), ""])
        assert one.prompt == f"{whole}[[ ## label ## ]]\n"


def test_in_the_prompt_files_words_a_program_is_a_few_shot_prompt_to_the_letter(
    checkpoint: Path, tmp_path: Path
) -> None:
    """With the same demonstrations and the shipped instruction it answers as the llm engine does."""
    asking = {"checkpoint": str(checkpoint), "full_precision": True, "shots": 3}
    place = Workplace(task=find_task("sst2"), folder=tmp_path)
    train, rows = sentiment(12), sentiment(5, start=50)
    plain = LlmEngine(LLMSettings(**asking), place).fit(train, development=[], seed=99)
    shown = {row.question.id: row for row in train}
    voice = voice_of(checkpoint, tmp_path)
    asker = asker_on(voice, "template")
    demos = [asker.form.solved(shown[name]) for name in plain.facts.notes["demonstrations"]]
    program = Program(instruction=asker.form.instruction, demonstrations=tuple(demos))
    by_dspy, ours = asked_both_ways(voice, asker, program, rows, tmp_path)
    expected = plain.predict(questions_of(rows))
    assert [one.prompt for one in ours] == [one.prompt for one in expected]
    assert [one.label for one in ours] == [one.label for one in expected] == by_dspy
    for one, other in zip(ours, expected, strict=True):
        assert one.log_likelihoods == pytest.approx(other.log_likelihoods, abs=1e-4)


def test_label_scores_are_the_models_own_log_likelihoods(checkpoint: Path, tmp_path: Path) -> None:
    voice = voice_of(checkpoint, tmp_path)
    asker = asker_on(voice)
    classifier = ProgramClassifier(
        PROGRAM, asker, voice, EngineFacts(), Workplace(task=find_task("sst2"), folder=tmp_path)
    )
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()
    for one in classifier.predict(questions_of(sentiment(3))):
        for label in ("negative", "positive"):
            context = tokenizer(one.prompt, add_special_tokens=False)["input_ids"]
            ids = tokenizer(one.prompt + label, add_special_tokens=False)["input_ids"]
            assert ids[: len(context)] == context  # nothing merges with the line's end before the label
            with torch.inference_mode():
                log_p = model(torch.tensor([ids])).logits[0].log_softmax(-1)
            expected = sum(float(log_p[at - 1, ids[at]]) for at in range(len(context), len(ids)))
            assert one.log_likelihoods is not None
            assert one.log_likelihoods[label] == pytest.approx(expected, abs=1e-3)


def test_an_earlier_candidates_beginning_does_not_reach_the_next(tiny_far_qwen: Path, tmp_path: Path) -> None:
    voice, fresh = (voice_of(tiny_far_qwen, tmp_path) for _ in range(2))
    asker = asker_on(voice)
    questions = questions_of(sentiment(4))
    plain = Program(instruction="Another.", demonstrations=())
    place = Workplace(task=find_task("sst2"), folder=tmp_path)
    for program in (PROGRAM, plain):
        ProgramClassifier(program, asker, voice, EngineFacts(), place).predict(questions)
    again = ProgramClassifier(PROGRAM, asker, voice, EngineFacts(), place).predict(questions)
    alone = ProgramClassifier(PROGRAM, asker_on(fresh), fresh, EngineFacts(), place).predict(questions)
    for one, other in zip(again, alone, strict=True):
        assert one.log_likelihoods == pytest.approx(other.log_likelihoods, abs=1e-4)


def test_only_the_long_field_is_cut_and_the_same_for_dspy(tiny_far_qwen: Path, tmp_path: Path) -> None:
    voice = voice_of(tiny_far_qwen, tmp_path)
    asker = asker_on(voice)
    signature = asker.form.signature()
    (short,) = voice.say([asker.prompt(signature, [], {"sentence": "x"})])
    tight = voice_of(tiny_far_qwen, tmp_path, max_length=short.read + 30)
    asker = asker_on(tight)
    question = Question("long", {"sentence": "a good film " * 40})
    inputs, lost = asker.fit(signature, [], asker.form.put(question))
    assert 0 < len(inputs["sentence"]) < len(question.texts["sentence"])
    assert question.texts["sentence"].startswith(inputs["sentence"])
    (said,) = tight.say([asker.prompt(signature, [], inputs)])
    assert said.read <= short.read + 30
    place = Workplace(task=find_task("sst2"), folder=tmp_path)
    (answer,) = ProgramClassifier(
        Program(instruction=asker.form.instruction, demonstrations=()), asker, tight, EngineFacts(), place
    ).predict([question])
    assert (answer.lost_tokens, answer.prompt) == (lost, said.shown)
    rows = [dspy.Example(sentence=question.texts["sentence"], label="positive").with_inputs("sentence")]
    assert Classify(asker).prompts(rows) == [asker.prompt(signature, [], inputs)]


def test_a_prompt_that_cannot_fit_is_refused(tiny_far_qwen: Path, tmp_path: Path) -> None:
    asker = asker_on(voice_of(tiny_far_qwen, tmp_path, max_length=64))
    with pytest.raises(SettingsError, match="max_length=64 even without the text that may be cut"):
        asker.fit(asker.form.signature(), [], {"sentence": "a good film"})


def test_a_model_without_system_turns_is_told_in_the_first_question(tiny_gemma_chat: Path, tmp_path: Path) -> None:
    voice = voice_of(tiny_gemma_chat, tmp_path, max_length=200)
    voice._tokenizer.chat_template = (
        "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no') }}{% endif %}"
        "{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'model: ' }}{% endif %}"
    )
    text = voice.text_of(Prompt(turns=(("system", "Be brief."), ("user", "Well?")), opens="So", answers=("yes", "no")))
    assert text == "user: Be brief.\n\nWell?\nmodel: So"


def test_written_texts_end_at_the_marker_and_depend_on_seed_and_prompt_alone(
    tiny_far_qwen: Path, tmp_path: Path
) -> None:
    voice = voice_of(tiny_far_qwen, tmp_path)
    turns = (("user", "good bad film"),)
    prompts = [
        Prompt(turns=turns, opens="x", max_tokens=12, temperature=heat, seed=seed)
        for heat, seed in ((0.0, 0), (1.0, 1), (1.0, 2), (1.0, 1))
    ]
    greedy, first, second, again = (one.text for one in voice.say(prompts))
    assert first == again
    assert len({greedy, first, second}) == 3
    assert voice.say(prompts[1:2])[0].text == first
    assert greedy.startswith("x")


def rows_of(task: str) -> tuple[list[Example], list[Example]]:
    rows = {"sst2": sentiment, "rte": entailment}[task](40)
    return rows[:30], rows[30:]


@pytest.mark.parametrize(("task", "optimizer"), [("sst2", "bootstrap"), ("rte", "miprov2")])
def test_a_saved_program_answers_as_the_compiled_one(
    task: str, optimizer: str, tiny_far_qwen: Path, tmp_path: Path
) -> None:
    train, development = rows_of(task)
    asking = {"checkpoint": str(tiny_far_qwen), "full_precision": True, "max_length": 8192, "max_new_tokens": 10}
    unseen = questions_of({"sst2": sentiment, "rte": entailment}[task](46)[40:])

    def answers(folder: str, **more: Any) -> list[Any]:
        (tmp_path / folder).mkdir()
        place = Workplace(task=find_task(task), folder=tmp_path / folder)
        engine = OptimizedEngine(settings(**(asking | more)), place)
        rows = {"train": [], "development": []} if "program" in more else {"train": train, "development": development}
        return engine.fit(rows["train"], development=rows["development"], seed=99).predict(unseen)

    first = answers("first", optimizer=optimizer)
    assert answers("second", optimizer=optimizer) == first
    assert answers("third", program=str(tmp_path / "first" / "dspy_optimized")) == first
    names = [(tmp_path / folder / "dspy_optimized" / "program.json").read_text() for folder in ("first", "third")]
    assert names[0] == names[1]
