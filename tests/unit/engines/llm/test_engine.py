from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from beatingbert.checkpoints import device
from beatingbert.engines import onednn
from beatingbert.engines.llm import engine as llm_engine
from beatingbert.engines.llm.classifier import LlmClassifier
from beatingbert.engines.llm.engine import LlmEngine
from beatingbert.engines.llm.settings import LLMSettings
from beatingbert.engines.protocol import Workplace
from beatingbert.errors import CheckpointError, PromptError, SettingsError, TooFewExamplesError
from beatingbert.tasks.example import Question
from engines.llm.asking import load, naive_log_likelihood
from tiny_tasks import blanks, questions_of, science, sentiment

MODELS = ("tiny_llama", "tiny_gemma", "tiny_gemma_that_forgets_bos", "tiny_gemma_chat", "tiny_qwen", "tiny_gpt2")
TRAIN = sentiment(12)
QUESTIONS = questions_of(sentiment(7, start=100))
Fit = Callable[..., LlmClassifier]


@pytest.fixture
def fit(workplace: Callable[[str], Workplace]) -> Fit:
    """fit(checkpoint, task="sst2", **settings) in full precision."""

    def make(
        checkpoint: Path, task: str = "sst2", train: Any = TRAIN, seed: int = 99, **settings: Any
    ) -> LlmClassifier:
        given = {"full_precision": True} | settings
        place = replace(workplace(task), prompt_dir=given.pop("prompt_dir", None))
        engine = LlmEngine(LLMSettings(checkpoint=str(checkpoint), **given), place)
        return engine.fit(train, development=[], seed=seed)

    return make


@pytest.fixture(params=MODELS)
def checkpoint(request: pytest.FixtureRequest) -> Path:
    return Path(request.getfixturevalue(request.param))


@pytest.mark.parametrize("shots", [0, 2])
def test_answers_follow_from_the_prompts_that_are_kept(fit: Fit, checkpoint: Path, shots: int) -> None:
    """Each kept prompt, read by plain transformers, gives the kept log-likelihoods and so the label."""
    classifier = fit(checkpoint, shots=shots)
    model, tokenizer = load(checkpoint)
    for one in classifier.predict(QUESTIONS):
        assert one.prompt is not None
        assert one.log_likelihoods is not None
        assert one.probabilities is not None
        context = tokenizer(one.prompt, add_special_tokens=False)["input_ids"]
        for label in ("negative", "positive"):
            whole = tokenizer(f"{one.prompt} {label}", add_special_tokens=False)["input_ids"]
            expected = naive_log_likelihood(model, context, whole[len(context) :])
            assert one.log_likelihoods[label] == pytest.approx(expected, abs=1e-4)
        assert one.label == max(one.log_likelihoods, key=one.log_likelihoods.__getitem__)
        softmax = torch.softmax(torch.tensor(list(one.log_likelihoods.values()), dtype=torch.float64), dim=0).tolist()
        assert list(one.probabilities.values()) == pytest.approx(softmax)


def test_layers_are_packed_where_the_processor_likes_it_and_the_scores_stay(
    fit: Fit, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = []
    monkeypatch.setattr(llm_engine, "best_device", lambda: "cpu")
    for pays in (False, True):
        monkeypatch.setattr(onednn, "pays", lambda device, pays=pays: pays)
        classifier = fit(checkpoint, shots=2)
        assert any(isinstance(one, onednn.PackedLinear) for one in classifier.model.modules()) is pays
        answers.append(classifier.predict(QUESTIONS))
    for one, other in zip(*answers, strict=True):
        assert one.log_likelihoods == pytest.approx(other.log_likelihoods, abs=1e-4)


def test_ranking_alone_gives_the_same_answers_and_says_so(fit: Fit, checkpoint: Path) -> None:
    exact, ranked = fit(checkpoint), fit(checkpoint, rank_only=True)
    assert exact.facts.notes["scoring"]["log_likelihoods"] == "over the whole vocabulary"
    assert ranked.facts.notes["scoring"]["log_likelihoods"].startswith("bare logits")
    for one, other in zip(exact.predict(QUESTIONS), ranked.predict(QUESTIONS), strict=True):
        assert one.label == other.label
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-4)


@pytest.mark.parametrize("fixture", ["tiny_gemma", "tiny_gemma_that_forgets_bos", "tiny_gemma_chat"])
@pytest.mark.parametrize("answer_by", ["likelihood", "generation"])
def test_gemma_reads_its_beginning_token_exactly_once(
    request: pytest.FixtureRequest, fit: Fit, fixture: str, answer_by: str
) -> None:
    classifier = fit(request.getfixturevalue(fixture), answer_by=answer_by)
    read: list[list[int]] = []

    def remember(module: Any, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        ids = options.get("input_ids")
        if ids is not None and ids.shape[1] > 1:
            read.extend(ids.tolist())

    classifier.model.base_model.register_forward_pre_hook(remember, with_kwargs=True)
    (prediction,) = classifier.predict(QUESTIONS[:1])
    assert prediction.prompt is not None
    assert prediction.prompt.startswith("<bos>")
    assert prediction.prompt.count("<bos>") == 1
    ids, bos = classifier.tokenizer(prediction.prompt, add_special_tokens=False)["input_ids"], 2
    assert ids[0] == classifier.tokenizer.bos_token_id == bos
    assert read
    assert [row.count(bos) for row in read] == [1] * len(read)
    assert any(row[: len(ids)] == ids for row in read)


def test_the_prompt_of_a_chat_model_is_its_own_markup(fit: Fit, tiny_qwen: Path) -> None:
    classifier = fit(tiny_qwen, shots=2)
    (prediction,) = classifier.predict(QUESTIONS[:1])
    assert prediction.prompt is not None
    assert prediction.prompt.startswith("<|im_start|>user\nClassify")
    assert prediction.prompt.count("<|im_start|>assistant\nSentiment:") == 3
    assert classifier.facts.notes["chat_template"] is True


def test_a_chat_template_can_be_declined(fit: Fit, tiny_qwen: Path) -> None:
    (prediction,) = fit(tiny_qwen, chat_template="never").predict(QUESTIONS[:1])
    assert prediction.prompt is not None
    assert "<|im_start|>" not in prediction.prompt


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_the_batch_size_changes_neither_scores_nor_replies(fit: Fit, checkpoint: Path, batch_size: int) -> None:
    expected = fit(checkpoint).predict(QUESTIONS)
    for one, other in zip(expected, fit(checkpoint, batch_size=batch_size).predict(QUESTIONS), strict=True):
        assert one.log_likelihoods == pytest.approx(other.log_likelihoods, abs=1e-5)
        assert one.label == other.label
    replies = [
        [one.reply for one in fit(checkpoint, answer_by="generation", batch_size=size).predict(QUESTIONS)]
        for size in (2, batch_size)
    ]
    assert replies[0] == replies[1]


@pytest.mark.parametrize("answer_by", ["likelihood", "generation"])
def test_answers_come_in_the_order_of_the_questions(fit: Fit, tiny_llama: Path, answer_by: str) -> None:
    classifier = fit(tiny_llama, answer_by=answer_by, batch_size=3)
    forwards, backwards = classifier.predict(QUESTIONS), classifier.predict(QUESTIONS[::-1])
    assert [one.question_id for one in forwards] == [question.id for question in QUESTIONS]
    for one, other, question in zip(forwards, backwards[::-1], QUESTIONS, strict=True):
        assert one.question_id == other.question_id
        assert one.label == other.label
        assert one.prompt is not None
        assert question.texts["sentence"] in one.prompt


@pytest.mark.parametrize("answer_by", ["likelihood", "generation"])
def test_cut_questions_are_counted_and_keep_the_rest(fit: Fit, tiny_gpt2: Path, answer_by: str) -> None:
    """GPT-2 has a window of 256 learned positions: one token more would be an error, so the cap must be exact."""
    long = Question("long", {"sentence": "a plain story, " * 300})
    short = Question("short", {"sentence": "good"})
    classifier = fit(tiny_gpt2, shots=2, answer_by=answer_by, max_length=100_000)
    cut, whole = classifier.predict([long, short])
    assert (cut.lost_tokens > 500, whole.lost_tokens) == (True, 0)
    assert cut.prompt is not None
    assert whole.prompt is not None
    opening = whole.prompt.partition("Review: good")[0]
    assert cut.prompt.startswith(opening + "Review: a plain story,")
    assert cut.prompt.endswith("\nSentiment:")
    room = classifier.facts.notes.get("window", 256) - len(classifier.tokenizer(cut.prompt)["input_ids"])
    assert 0 <= room <= 20


def test_max_length_reaches_the_prompt(fit: Fit, tiny_llama: Path) -> None:
    long = Question("long", {"sentence": "a plain story, " * 100})
    lengths = {}
    for max_length in (80, 120):
        classifier = fit(tiny_llama, max_length=max_length)
        (cut,) = classifier.predict([long])
        lengths[max_length] = len(classifier.tokenizer(f"{cut.prompt} negative")["input_ids"])
    assert 76 <= lengths[80] <= 80
    assert 116 <= lengths[120] <= 120


def test_demonstrations_that_do_not_fit_are_refused(fit: Fit, tiny_llama: Path) -> None:
    with pytest.raises(SettingsError, match="even without its sentence; use fewer demonstrations"):
        fit(tiny_llama, shots=8, max_length=64).predict(QUESTIONS)


def test_the_settings_of_writing_reach_the_model(fit: Fit, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = fit(tiny_llama, answer_by="generation", batch_size=4, max_new_tokens=3, temperature=0.5)
    calls: list[dict[str, Any]] = []
    generate = classifier.model.generate
    monkeypatch.setattr(classifier.model, "generate", lambda **options: calls.append(options) or generate(**options))
    classifier.predict(QUESTIONS)
    assert [len(call["input_ids"]) for call in calls] == [4, 3]
    assert {call["max_new_tokens"] for call in calls} == {3}
    assert {one._temperature for call in calls for one in call["logits_processor"]} == {0.5}


def test_replies_do_not_obey_a_checkpoints_own_decoding_habits(fit: Fit, tiny_llama: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_llama, tmp_path / "with-habits")
    habits = json.loads((folder / "generation_config.json").read_text())
    habits |= {"repetition_penalty": 3.0, "no_repeat_ngram_size": 1}
    (folder / "generation_config.json").write_text(json.dumps(habits))
    replies = [
        [one.reply for one in fit(checkpoint, answer_by="generation").predict(QUESTIONS)]
        for checkpoint in (tiny_llama, folder)
    ]
    assert replies[0] == replies[1]


def test_temperature_zero_is_greedy(fit: Fit, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = fit(tiny_llama, answer_by="generation")
    calls: list[dict[str, Any]] = []
    generate = classifier.model.generate
    monkeypatch.setattr(classifier.model, "generate", lambda **options: calls.append(options) or generate(**options))
    classifier.predict(QUESTIONS)
    assert {(call["max_new_tokens"], len(call["logits_processor"])) for call in calls} == {(10, 0)}


def test_a_reply_that_names_no_label_is_no_label(fit: Fit, tiny_llama: Path) -> None:
    predictions = fit(tiny_llama, answer_by="generation").predict(QUESTIONS)
    assert [one.label for one in predictions] == [None] * len(QUESTIONS)  # random weights write nonsense
    assert all(one.reply for one in predictions)
    assert all(one.probabilities is None for one in predictions)


@pytest.mark.parametrize(
    ("reply", "label"), [(" Positive.", "positive"), (" negative\n", "negative"), (" so", None), ("", None)]
)
def test_a_reply_is_read_strictly(fit: Fit, tiny_llama: Path, reply: str, label: str | None) -> None:
    classifier = fit(tiny_llama, answer_by="generation")
    tokens = iter([*classifier.tokenizer(reply)["input_ids"], classifier.tokenizer.eos_token_id])

    def dictate(module: Any, args: Any, output: Any) -> Any:
        output.logits[:] = 0
        output.logits[..., next(tokens)] = 1
        return output

    classifier.model.register_forward_hook(dictate)
    (prediction,) = classifier.predict(QUESTIONS[:1])
    assert (prediction.label, prediction.reply) == (label, reply)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("task", ["sst2", "arc_challenge"])
def test_a_constrained_reply_always_names_a_label(fit: Fit, checkpoint: Path, task: str, temperature: float) -> None:
    rows = TRAIN if task == "sst2" else science(9)
    classifier = fit(
        checkpoint, task, answer_by="generation", constrained=True, max_new_tokens=1, temperature=temperature
    )
    for one, question in zip(classifier.predict(questions_of(rows)), questions_of(rows), strict=True):
        assert one.label is not None
        assert one.reply is not None
        assert one.reply.strip() == (question.choices[int(one.label)] if question.choices else one.label)


def test_constrained_writing_of_labels_of_one_token_takes_the_most_likely_one(fit: Fit, tiny_llama: Path) -> None:
    """Only then is the first choice the whole choice."""
    likely = fit(tiny_llama).predict(questions_of(TRAIN))
    ids = fit(tiny_llama).tokenizer([" negative", " positive"])["input_ids"]
    written = fit(tiny_llama, answer_by="generation", constrained=True).predict(questions_of(TRAIN))
    assert [len(one) for one in ids] == [1, 1]
    assert [one.label for one in written] == [one.label for one in likely]


def by_plain_forward_pass(model: Any, tokenizer: Any, context: str, continuation: str) -> float:
    """The log-likelihood of a continuation, by transformers alone; no token may merge across the boundary."""
    start = tokenizer(context, add_special_tokens=False)["input_ids"]
    whole = tokenizer(context + continuation, add_special_tokens=False)["input_ids"]
    assert whole[: len(start)] == start
    return naive_log_likelihood(model, start, whole[len(start) :])


def position_of_best(values: list[float]) -> str:
    """As numpy.argmax, which lm-evaluation-harness uses."""
    return str(np.argmax(np.array(values)))


@pytest.mark.parametrize("shots", [0, 2])
@pytest.mark.parametrize("normalise_by", ["characters", "none"])
def test_endings_are_scored_and_chosen_as_the_harness_does(
    fit: Fit, checkpoint: Path, shots: int, normalise_by: str
) -> None:
    rows = science(16)
    classifier = fit(checkpoint, "arc_challenge", rows[:8], shots=shots, normalise_by=normalise_by)
    model, tokenizer = load(checkpoint)
    differing = 0
    for one, row in zip(classifier.predict(questions_of(rows[8:])), rows[8:], strict=True):
        assert one.prompt is not None
        assert one.log_likelihoods is not None
        choices = row.question.choices
        expected = [by_plain_forward_pass(model, tokenizer, one.prompt, f" {choice}") for choice in choices]
        assert list(one.log_likelihoods.values()) == pytest.approx(expected, abs=1e-4)
        per_character = [value / len(choice) for value, choice in zip(expected, choices, strict=True)]
        rules = {"acc": position_of_best(expected), "acc_norm": position_of_best(per_character)}
        assert one.labels_by_rule == rules
        assert one.label == rules["acc_norm" if normalise_by == "characters" else "acc"]
        compared = per_character if normalise_by == "characters" else expected
        softmax = torch.softmax(torch.tensor(compared, dtype=torch.float64), dim=0).tolist()
        assert list((one.probabilities or {}).values()) == pytest.approx(softmax, abs=1e-4)
        differing += rules["acc"] != rules["acc_norm"]
    assert differing > 0
    assert classifier.facts.notes["choices"] == "by ending"


@pytest.mark.parametrize("task", ["arc_challenge", "winogrande"])
@pytest.mark.parametrize("shots", [0, 1])
def test_letters_are_scored_after_the_listed_choices(fit: Fit, checkpoint: Path, task: str, shots: int) -> None:
    rows = science(12) if task == "arc_challenge" else blanks(12)
    classifier = fit(checkpoint, task, rows[:6], shots=shots, choice_by="letter")
    model, tokenizer = load(checkpoint)
    for one, row in zip(classifier.predict(questions_of(rows[6:])), rows[6:], strict=True):
        assert one.prompt is not None
        assert one.log_likelihoods is not None
        letters = "ABCDE"[: len(row.question.choices)]
        for letter, choice in zip(letters, row.question.choices, strict=True):
            assert f"\n{letter}. {choice}" in one.prompt
        expected = [by_plain_forward_pass(model, tokenizer, one.prompt, f" {letter}") for letter in letters]
        assert list(one.log_likelihoods.values()) == pytest.approx(expected, abs=1e-4)
        assert one.label == position_of_best(expected)
        assert one.labels_by_rule is None
    assert classifier.facts.notes["choices"] == "by letter"


@pytest.mark.parametrize("shots", [0, 2])
@pytest.mark.parametrize("chat_template", ["never", "auto"])
def test_what_follows_the_blank_is_scored_after_each_choice(
    fit: Fit, checkpoint: Path, shots: int, chat_template: str
) -> None:
    """Zero-shot, every fourth prompt begins with the choice itself, so nothing at all is shared."""
    rows = blanks(12)
    classifier = fit(checkpoint, "winogrande", rows[:4], shots=shots, chat_template=chat_template)
    model, tokenizer = load(checkpoint)
    for one, row in zip(classifier.predict(questions_of(rows[4:])), rows[4:], strict=True):
        assert one.prompt is not None
        assert one.log_likelihoods is not None
        before, _, after = row.question.texts["sentence"].partition("_")
        contexts = one.prompt.split("\n--- or ---\n")
        gap = "" if classifier.wording.chat else " "
        expected = []
        for choice, context in zip(row.question.choices, contexts, strict=True):
            assert f"{before}{choice}" in context
            if not classifier.wording.chat:
                assert context.endswith(f"{before}{choice}")
                assert shots or context.removeprefix("<bos>") == f"{before}{choice}"
            expected.append(by_plain_forward_pass(model, tokenizer, context, gap + after.strip()))
        assert list(one.log_likelihoods.values()) == pytest.approx(expected, abs=1e-4)
        assert one.label == position_of_best(expected)
        assert one.labels_by_rule == {"acc": one.label}
    assert classifier.facts.notes["choices"] == "in the blank"


def test_endings_keep_their_normaliser_because_lengths_divide_it(fit: Fit, tiny_llama: Path) -> None:
    """All choices are one token here, so a bare logit would be divided otherwise."""
    questions = [Question(str(at), {"question": f"Which {at}"}, ("positive", "no", "yes")) for at in range(4)]
    exact, ranked = fit(tiny_llama, "arc_challenge"), fit(tiny_llama, "arc_challenge", rank_only=True)
    assert exact.predict(questions) == ranked.predict(questions)
    assert ranked.facts.notes["scoring"]["log_likelihoods"] == "over the whole vocabulary"
    lettered = fit(tiny_llama, "arc_challenge", rank_only=True, choice_by="letter")
    assert lettered.facts.notes["scoring"]["log_likelihoods"].startswith("bare logits")


def test_a_blank_has_the_same_answer_under_either_rule(fit: Fit, tiny_llama: Path) -> None:
    questions = questions_of(blanks(8))
    normalised, plain = (
        fit(tiny_llama, "winogrande", normalise_by=rule).predict(questions) for rule in ("characters", "none")
    )
    assert normalised == plain


def test_a_prompt_file_without_a_filled_section_scores_the_choices_themselves(
    fit: Fit, tiny_llama: Path, tmp_path: Path
) -> None:
    text = "[instruction]\nFill it.\n[question]\n{sentence}\n[cue]\nIt is\n[labels]\nchoice: {choice}\n"
    (tmp_path / "winogrande.txt").write_text(text, encoding="utf-8")
    classifier = fit(tiny_llama, "winogrande", prompt_dir=tmp_path)
    (one,) = classifier.predict(questions_of(blanks(1)))
    assert one.prompt == "Fill it.\n\nThe actor saw film 0 because _ was great in review 0.\nIt is"
    assert set(one.labels_by_rule or {}) == {"acc", "acc_norm"}


def test_the_window_holds_with_a_blank_and_with_letters(fit: Fit, tiny_gpt2: Path) -> None:
    """GPT-2's window of 256 learned positions: one token more would be an error."""
    long = "a plain story, " * 300
    blank = Question("w", {"sentence": f"{long} so _ was great."}, ("Ann", "the zebra"))
    listed = Question("a", {"question": long}, ("a cat", "two dogs"))
    ways: list[tuple[str, Question, dict[str, Any]]] = [
        ("winogrande", blank, {}),
        ("winogrande", blank, {"choice_by": "letter"}),
        ("arc_challenge", listed, {"choice_by": "letter"}),
    ]
    for task, question, settings in ways:
        (one,) = fit(tiny_gpt2, task, max_length=100_000, **settings).predict([question])
        assert one.lost_tokens > 500
        assert one.label in ("0", "1")


@pytest.mark.parametrize(
    ("reply", "label"), [(" B. a story", "1"), (" A", "0"), (" C", None), (" good", None), (" A or B", None)]
)
def test_a_reply_by_letter_is_read_strictly(fit: Fit, tiny_llama: Path, reply: str, label: str | None) -> None:
    classifier = fit(tiny_llama, "winogrande", answer_by="generation", choice_by="letter", max_new_tokens=20)
    tokens = iter([*classifier.tokenizer(reply)["input_ids"], classifier.tokenizer.eos_token_id])

    def dictate(module: Any, args: Any, output: Any) -> Any:
        output.logits[:] = 0
        output.logits[..., next(tokens)] = 1
        return output

    classifier.model.register_forward_hook(dictate)
    (one,) = classifier.predict(questions_of(blanks(1)))
    assert (one.label, one.reply, one.labels_by_rule) == (label, reply, None)
    assert one.prompt is not None
    assert one.prompt.endswith("\nA. the good film 0\nB. a story\nThe blank stands for:")


def test_a_constrained_reply_by_letter_names_a_choice(fit: Fit, checkpoint: Path) -> None:
    rows = questions_of(science(6))
    classifier = fit(checkpoint, "arc_challenge", answer_by="generation", choice_by="letter", constrained=True)
    for one, question in zip(classifier.predict(rows), rows, strict=True):
        assert one.label is not None
        assert one.reply == f" {'ABCDE'[int(one.label)]}"
        assert int(one.label) < len(question.choices)


def test_letters_are_refused_where_labels_are_named(fit: Fit, tiny_llama: Path) -> None:
    with pytest.raises(SettingsError, match=r"choice_by 'letter' is for multiple choice, .*'sst2'"):
        fit(tiny_llama, choice_by="letter")


def test_a_question_never_sees_itself_among_the_demonstrations(fit: Fit, tiny_llama: Path) -> None:
    classifier = fit(tiny_llama, shots=4)
    shown = classifier.facts.notes["demonstrations"]
    asked = [example.question for example in TRAIN if example.question.id in shown]
    for one, question in zip(classifier.predict(asked), asked, strict=True):
        assert one.prompt is not None
        assert one.prompt.count(question.texts["sentence"]) == 1
        assert one.prompt.count("Review:") == 5


def test_demonstrations_follow_the_seed(fit: Fit, tiny_llama: Path) -> None:
    shown = [fit(tiny_llama, shots=4, seed=seed).facts.notes["demonstrations"] for seed in (1, 1, 2)]
    assert shown[0] == shown[1] != shown[2]


def test_ones_own_prompt_file_is_used_and_recorded(fit: Fit, tiny_llama: Path, tmp_path: Path) -> None:
    folder = tmp_path / "prompts"
    folder.mkdir()
    text = "[instruction]\nJudge.\n[question]\n{sentence}\n[labels]\nnegative: bad\npositive: good\n"
    (folder / "sst2.txt").write_text(text, encoding="utf-8")
    classifier = fit(tiny_llama, prompt_dir=folder)
    (prediction,) = classifier.predict([Question("q", {"sentence": "so {it} goes"})])
    assert prediction.prompt == "Judge.\n\nso {it} goes"
    assert classifier.facts.template["text"] == text
    with pytest.raises(PromptError):
        fit(tiny_llama, prompt_dir=tmp_path / "nowhere")


@pytest.mark.parametrize("answer_by", ["likelihood", "generation"])
def test_half_precision_runs_where_the_hardware_has_it(
    fit: Fit, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, answer_by: str
) -> None:
    monkeypatch.setattr(device, "_has_bf16", lambda kind: True)
    classifier = fit(checkpoint, full_precision=False, answer_by=answer_by)
    assert classifier.facts.precision == "bf16"
    assert next(classifier.model.parameters()).dtype is torch.bfloat16
    predictions = classifier.predict(QUESTIONS)
    if answer_by == "likelihood":
        exact = fit(checkpoint).predict(QUESTIONS)
        for one, other in zip(predictions, exact, strict=True):
            assert one.log_likelihoods == pytest.approx(other.log_likelihoods, rel=0.05, abs=0.3)


@pytest.mark.parametrize("fixture", ["tiny_bert", "tiny_distilbert"])
def test_an_encoder_cannot_be_prompted(request: pytest.FixtureRequest, fit: Fit, fixture: str) -> None:
    with pytest.raises(CheckpointError, match=r"bert' model, which does not continue a text.*run_bert\.py"):
        fit(request.getfixturevalue(fixture))


def test_too_few_train_rows_for_the_demonstrations_are_refused(fit: Fit, tiny_llama: Path) -> None:
    with pytest.raises(TooFewExamplesError, match="30 demonstrations"):
        fit(tiny_llama, shots=30)


def test_the_facts_name_the_weights(fit: Fit, tiny_llama: Path) -> None:
    facts = fit(tiny_llama).facts
    model, _ = load(tiny_llama)
    assert facts.parameters == sum(weights.numel() for weights in model.parameters())
    assert facts.disk_bytes == (tiny_llama / "model.safetensors").stat().st_size
    assert facts.checkpoint["kind"] == "folder"
    assert len(facts.checkpoint["sha256"]) == 64
    assert facts.load_seconds > 0
