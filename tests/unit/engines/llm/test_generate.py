from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy import stats
from transformers import GenerationConfig

from beatingbert.engines.llm.generate import Writer, drop_decoding_habits
from beatingbert.engines.llm.likelihood import split_answers
from beatingbert.engines.llm.reply import Written
from beatingbert.engines.llm.wording import Asked
from beatingbert.errors import BeatingBertError
from beatingbert.prompts.parse import parse_reply
from engines.llm.asking import ask, load

MODELS = ("tiny_llama", "tiny_gemma", "tiny_qwen", "tiny_gpt2")
ANSWERS = (" positive", " negative")
PROMPTS = [
    "Review: a good film\nSentiment:",
    "Answer:",
    "Premise: The cat sat on the mat.\nHypothesis: An animal sat.\nDoes it follow, yes, no or maybe?\nAnswer:",
    "Review: a bad film\nSentiment:",
]
MANY = [f"Review: {'a good plain film ' * (number % 5)}{number}\nSentiment:" for number in range(18)]
CHOICES = [
    ask("Which is it 1? Answer:", " great story", " great film", " awful", " great"),
    ask("Which is it, the second time? Answer:", " maybe", " not"),
    ask("Which? Answer:", " not good", " not bad film", " not", " plain actor", " a story and a film"),
]


@pytest.fixture(params=MODELS)
def loaded(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    return load(request.getfixturevalue(request.param))


@pytest.fixture
def to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replies are written to their end, whatever they name."""
    monkeypatch.setattr("beatingbert.engines.llm.reply.is_settled", lambda reply, words: False)


def asking(prompts: Sequence[str], *answers: str) -> list[Asked]:
    return [ask(prompt, *(answers or ANSWERS)) for prompt in prompts]


def write(
    model: Any, tokenizer: Any, asked: Sequence[Asked] | None = None, ids: Sequence[str] | None = None, **options: Any
) -> list[Written]:
    asked = asking(PROMPTS) if asked is None else asked
    writer = Writer(model, tokenizer, **({"bos": [], "batch_size": 3, "max_new_tokens": 8, "seed": 99} | options))
    return writer.write(asked, [str(at) for at in range(len(asked))] if ids is None else ids)


def texts(written: Sequence[Written]) -> list[str]:
    return [one.text for one in written]


@torch.no_grad()
def next_logits(model: Any, ids: Sequence[int]) -> torch.Tensor:
    return model(torch.tensor([ids])).logits[0, -1]


def most_likely_tokens(model: Any, tokenizer: Any, prompt: str, count: int) -> str:
    """Greedy decoding by hand: the argmax of the last logits, one token after another, without cache or padding."""
    ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    start = len(ids)
    for _ in range(count):
        ids.append(int(next_logits(model, ids).argmax()))
        if ids[-1] == model.generation_config.eos_token_id:
            break
    return tokenizer.decode(ids[start:], skip_special_tokens=True)


def written_by_generate(model: Any, tokenizer: Any, prompt: str, count: int) -> str:
    """What transformers' own greedy decoding writes, alone and to the end."""
    ids = torch.tensor([tokenizer(prompt, add_special_tokens=False)["input_ids"]])
    written = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, do_sample=False)
    return tokenizer.decode(written[0, ids.shape[1] :], skip_special_tokens=True)


@pytest.mark.usefixtures("to_the_end")
@pytest.mark.parametrize("batch_size", [1, 3, 10])
def test_greedy_replies_are_the_most_likely_tokens_one_by_one(loaded: tuple[Any, Any], batch_size: int) -> None:
    expected = [most_likely_tokens(*loaded, prompt, 8) for prompt in PROMPTS]
    assert texts(write(*loaded, batch_size=batch_size)) == expected
    assert len(set(expected)) > 1


@pytest.mark.usefixtures("to_the_end")
def test_greedy_replies_are_those_of_generate_one_at_a_time(loaded: tuple[Any, Any]) -> None:
    assert texts(write(*loaded)) == [written_by_generate(*loaded, prompt, 8) for prompt in PROMPTS]


@pytest.mark.parametrize("constrained", [False, True], ids=["free", "constrained"])
@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_neither_batch_size_nor_order_changes_a_reply(
    loaded: tuple[Any, Any], temperature: float, constrained: bool
) -> None:
    asked, ids = asking(MANY, " positive", " negative", " not good", " no"), [f"q{at}" for at in range(len(MANY))]
    options: dict[str, Any] = {"temperature": temperature, "constrained": constrained, "stop_at_line": True}
    expected = write(*loaded, asked, ids, batch_size=1, **options)
    for batch_size in (3, 16):
        assert write(*loaded, asked, ids, batch_size=batch_size, **options) == expected
    shuffled = random.Random(1).sample(range(len(MANY)), len(MANY))
    again = write(*loaded, [asked[at] for at in shuffled], [ids[at] for at in shuffled], batch_size=5, **options)
    assert again == [expected[at] for at in shuffled]
    if temperature:
        assert len(set(texts(expected))) > 2
        assert write(*loaded, asked, ids, seed=1, **options) != expected


def test_the_same_question_draws_the_same_whatever_else_is_asked(tiny_llama: Path) -> None:
    loaded = load(tiny_llama)
    alike = asking(["Answer:"] * 6)
    first = write(*loaded, alike, list("abcdef"), temperature=2.0)
    torch.rand(7)  # whatever else draws random numbers in between
    assert write(*loaded, alike[:2], ["e", "b"], temperature=2.0) == [first[4], first[1]]
    assert len(set(texts(first))) > 1  # the same words, but other questions


@pytest.mark.usefixtures("to_the_end")
def test_a_low_temperature_comes_near_to_greedy(tiny_llama: Path) -> None:
    loaded = load(tiny_llama)
    assert write(*loaded, temperature=1e-4) == write(*loaded)


@pytest.mark.usefixtures("to_the_end")
def test_tokens_are_drawn_from_the_whole_softmax(tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """First tokens, and second ones after the most frequent first: their counts fit softmax(logits / temperature)."""
    model, tokenizer = load(tiny_llama)
    drop_decoding_habits(model)
    prompt, draws = tokenizer("Answer:", add_special_tokens=False)["input_ids"], 4000
    drawn: list[tuple[int, int]] = []
    generate = model.generate

    def spy(**options: Any) -> Any:
        written = generate(**options)
        drawn.extend(tuple(row) for row in written[:, -2:].tolist())
        return written

    monkeypatch.setattr(model, "generate", spy)
    write(model, tokenizer, asking(["Answer:"] * draws), temperature=0.4, max_new_tokens=2, batch_size=1000)
    top = Counter(first for first, _ in drawn).most_common(1)[0][0]
    seconds = [second for first, second in drawn if first == top]
    for context, tokens in ((prompt, [first for first, _ in drawn]), ([*prompt, top], seconds)):
        assert len(tokens) > 200
        logits = next_logits(model, context).double()
        assert fits(tokens, torch.softmax(logits / 0.4, dim=-1)) > 0.001
        assert fits(tokens, torch.softmax(logits / 0.6, dim=-1)) < 1e-6


def fits(tokens: Sequence[int], probabilities: torch.Tensor) -> float:
    """p-value of a chi-square test; tokens that are expected less than five times are counted together."""
    expected = probabilities * len(tokens)
    often = expected >= 5
    counts = torch.bincount(torch.tensor(tokens), minlength=len(probabilities)).double()
    observed = [*counts[often].tolist(), float(counts[~often].sum())]
    wanted = [*expected[often].tolist(), float(expected[~often].sum())]
    return float(stats.chisquare(observed, wanted).pvalue)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_reply_that_stops_early_names_what_it_would_name_at_its_end(
    loaded: tuple[Any, Any], temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words to be named are such as the untrained model writes itself."""
    options: dict[str, Any] = {"max_new_tokens": 20, "temperature": temperature, "batch_size": 20}
    with monkeypatch.context() as never_settled:
        never_settled.setattr("beatingbert.engines.llm.reply.is_settled", lambda reply, words: False)
        whole = texts(write(*loaded, asking(MANY * 4), **options))
    if not temperature:
        assert whole[:6] == [written_by_generate(*loaded, prompt, 20) for prompt in MANY[:6]]
    openings = [word for text in whole for word in text.split()[:1] if parse_reply(text, {"a": word})] or ["good"]
    words = {"a": openings[0], "b": openings[-1], "c": "d"}
    stopped = write(*loaded, asking(MANY * 4, *(f" {word}" for word in words.values())), **options)
    labels = [one.label for one in stopped]
    assert labels == [parse_reply(text, words) for text in whole]
    assert all(text.startswith(one.text) for one, text in zip(stopped, whole, strict=True))
    if temperature:
        assert labels.count(None) not in (0, len(labels))
        assert sum(len(one.text) for one in stopped) < sum(map(len, whole)) / 2


def test_a_batch_ends_when_all_its_rows_are_over(tiny_llama: Path) -> None:
    model, tokenizer = load(tiny_llama)
    passes: list[int] = []
    model.register_forward_pre_hook(lambda *_: passes.append(1))
    write(model, tokenizer, asking(PROMPTS[:1]), max_new_tokens=60)
    assert len(passes) < 60


def test_a_reply_ends_before_any_end_token(tiny_llama: Path) -> None:
    model, tokenizer = load(tiny_llama)
    (ids,) = (model.generate(**tokenizer("Answer:", return_tensors="pt"), max_new_tokens=8)[0].tolist(),)
    written = ids[-8:]
    end = next(at for at in range(1, 8) if written[at] not in written[:at])
    model.generation_config.eos_token_id = [0, written[end]]
    (one,) = write(model, tokenizer, asking(["Answer:"], tokenizer.decode(written)), stop_at_line=False)
    assert one.text == tokenizer.decode(written[:end], skip_special_tokens=True)


def test_a_checkpoints_own_decoding_habits_do_not_colour_the_replies(loaded: tuple[Any, Any]) -> None:
    """Qwen's generation_config.json asks for a repetition penalty, which works on greedy decoding as well."""
    model, tokenizer = loaded
    ends = model.generation_config.eos_token_id
    plain = write(model, tokenizer)
    model.generation_config = GenerationConfig(
        repetition_penalty=3.0, no_repeat_ngram_size=1, min_new_tokens=3, suppress_tokens=[5], eos_token_id=ends
    )
    assert write(model, tokenizer) != plain
    drop_decoding_habits(model)
    assert write(model, tokenizer) == plain
    assert model.generation_config.eos_token_id == ends


@pytest.mark.usefixtures("to_the_end")
def test_stopping_at_the_line_ends_a_reply_with_its_first_line(loaded: tuple[Any, Any]) -> None:
    whole, stopped = (
        texts(write(*loaded, asking(MANY), max_new_tokens=60, stop_at_line=stop)) for stop in (False, True)
    )
    for one, other in zip(whole, stopped, strict=True):
        assert one.startswith(other)
        assert one.partition("\n")[0] == other.partition("\n")[0]
        assert other.count("\n") <= 2  # a token may hold two of them


def test_the_options_reach_the_model(tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = remember_calls(loaded := load(tiny_llama), monkeypatch)
    write(*loaded, batch_size=3, max_new_tokens=5, temperature=0.7, bos=[1])
    assert [len(call["input_ids"]) for call in calls] == [3, 1]
    assert {(call["max_new_tokens"], call["do_sample"]) for call in calls} == {(5, False)}
    for call in calls:
        lengths = call["attention_mask"].sum(dim=1)
        assert all(row[-length] == 1 for row, length in zip(call["input_ids"], lengths, strict=True))  # bos comes first
        assert (call["attention_mask"][:, -1] == 1).all()  # padding is on the left


def remember_calls(
    loaded: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch, *, most_rows: int = 1000
) -> list[dict[str, Any]]:
    """What `generate` is called with from now on; more rows than `most_rows` do not fit its memory."""
    model, _ = loaded
    calls: list[dict[str, Any]] = []
    generate = model.generate

    def remember(**options: Any) -> Any:
        calls.append(options)
        if len(options["input_ids"]) > most_rows:
            raise torch.cuda.OutOfMemoryError("too many rows")
        return generate(**options)

    monkeypatch.setattr(model, "generate", remember)
    return calls


def test_batches_are_filled_by_tokens_longest_first(tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = remember_calls(loaded := load(tiny_llama), monkeypatch)
    write(*loaded, asking(MANY), batch_size=None, max_tokens=200)
    shapes = [tuple(call["input_ids"].shape) for call in calls]
    assert sum(rows for rows, _ in shapes) == len(MANY)
    assert all(rows * (width + 8) <= 200 for rows, width in shapes)
    assert all((rows + 1) * (width + 8) > 200 for rows, width in shapes[:-1])
    assert [width for _, width in shapes] == sorted((width for _, width in shapes), reverse=True)
    write(*loaded, asking(MANY[:1]), batch_size=None, max_tokens=1)
    assert len(calls) == len(shapes) + 1  # a prompt that is longer than the budget is a batch of its own


def test_a_batch_that_does_not_fit_is_halved_and_later_ones_are_no_larger(
    tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load(tiny_llama)
    expected = write(*loaded, asking(MANY))
    calls = remember_calls(loaded, monkeypatch, most_rows=5)
    writer = Writer(*loaded, bos=[], max_new_tokens=8, seed=99)
    ids = [str(at) for at in range(len(MANY))]
    assert writer.write(asking(MANY), ids) == expected
    failed = [len(call["input_ids"]) for call in calls if len(call["input_ids"]) > 5]
    assert failed == sorted(failed, reverse=True)
    assert len(failed) >= 2
    calls.clear()
    assert writer.write(asking(MANY[:5]), ids[:5]) == expected[:5]
    assert max(len(call["input_ids"]) for call in calls) <= 5


def test_a_prompt_that_does_not_fit_alone_is_an_error(tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember_calls(loaded := load(tiny_llama), monkeypatch, most_rows=0)
    with pytest.raises(BeatingBertError, match=r"not hold even one prompt of \d+ tokens; use a smaller checkpoint"):
        write(*loaded)


def test_progress_is_told_after_every_batch(tiny_llama: Path) -> None:
    told: list[tuple[int, int]] = []
    writer = Writer(*load(tiny_llama), bos=[], max_new_tokens=2, seed=99, batch_size=3)
    writer.write(asking(PROMPTS), list("abcd"), on_batch=lambda done, total: told.append((done, total)))
    assert told == [(3, 4), (4, 4)]


def test_nothing_asked_is_nothing_written(tiny_llama: Path) -> None:
    assert write(*load(tiny_llama), []) == []


def test_a_prompt_without_any_token_is_refused(tiny_llama: Path) -> None:
    with pytest.raises(BeatingBertError, match="nothing comes before the first written token"):
        write(*load(tiny_llama), asking([""]))


@pytest.mark.parametrize("stop_at_line", [False, True])
def test_a_constrained_reply_is_the_likeliest_way_through_the_labels_words(
    loaded: tuple[Any, Any], stop_at_line: bool
) -> None:
    """By hand: of the tokens with which a label can go on, or end, the one with the highest logit, step by step."""
    model, tokenizer = loaded
    ends = {model.generation_config.eos_token_id, tokenizer.eos_token_id}
    if stop_at_line:
        ends |= {tokenizer(text)["input_ids"][-1] for text in ("\n", "\n\n")}
    for asked, one in zip(
        CHOICES,
        write(model, tokenizer, CHOICES, constrained=True, max_new_tokens=1, stop_at_line=stop_at_line),
        strict=True,
    ):
        context, answers = split_answers(asked, tokenizer)
        written: list[int] = []
        while len(left := [label for label, ids in answers.items() if ids[: len(written)] == written]) > 1:
            going_on = {answers[label][len(written)] for label in left if len(answers[label]) > len(written)}
            ending = ends if any(answers[label] == written for label in left) else set()
            logits = next_logits(model, [*context, *written])
            token = max(going_on | ending, key=lambda token: float(logits[token]))
            if token in ending - going_on:
                left = [label for label in left if answers[label] == written]
                break
            written.append(token)
        assert one == Written(asked.answers[left[0]], left[0])


def test_constrained_sampling_draws_each_label_as_often_as_its_way_is_likely(tiny_llama: Path) -> None:
    model, tokenizer = load(tiny_llama)
    asked = ask("Answer:", " great story", " great film", " awful", " great")
    context, answers = split_answers(asked, tokenizer)
    ways: dict[tuple[int, ...], float] = {(): 1.0}
    probabilities: dict[str, float] = {}
    while ways:
        written, likely = ways.popitem()
        left = [label for label, ids in answers.items() if tuple(ids[: len(written)]) == written]
        if len(left) == 1:
            probabilities[left[0]] = likely
            continue
        going_on = {answers[label][len(written)]: None for label in left if len(answers[label]) > len(written)}
        ending = [label for label in left if len(answers[label]) == len(written)]
        tokens = [*going_on, *([tokenizer.eos_token_id] if ending else [])]
        shares = torch.softmax(next_logits(model, [*context, *written])[tokens].double() / 1.5, dim=0).tolist()
        if ending:
            probabilities[ending[0]] = likely * shares.pop()
        ways |= {(*written, token): likely * share for token, share in zip(going_on, shares, strict=True)}
    draws = 2000
    drawn = write(model, tokenizer, [asked] * draws, constrained=True, temperature=1.5, batch_size=500)
    counts = Counter(one.label for one in drawn)
    assert sum(probabilities.values()) == pytest.approx(1)
    observed = [counts[label] for label in asked.answers]
    expected = [probabilities[label] * draws for label in asked.answers]
    assert min(expected) > 5
    assert stats.chisquare(observed, expected).pvalue > 0.001
