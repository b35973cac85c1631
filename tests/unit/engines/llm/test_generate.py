from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import GenerationConfig

from beatingbert.engines.llm.generate import drop_decoding_habits, write_replies
from engines.llm.asking import load

MODELS = ("tiny_llama", "tiny_gemma", "tiny_qwen", "tiny_gpt2")
PROMPTS = [
    "Review: a good film\nSentiment:",
    "Answer:",
    "Premise: The cat sat on the mat.\nHypothesis: An animal sat.\nDoes it follow, yes, no or maybe?\nAnswer:",
    "Review: a bad film\nSentiment:",
]


@pytest.fixture(params=MODELS)
def loaded(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    return load(request.getfixturevalue(request.param))


def write(model: Any, tokenizer: Any, prompts: list[str] = PROMPTS, **options: Any) -> list[str]:
    given: dict[str, Any] = {
        "bos": [],
        "batch_size": 3,
        "max_new_tokens": 8,
        "temperature": 0.0,
        "seed": 99,
        "stop_at_line": False,
    }
    return write_replies(model, tokenizer, prompts, **(given | options))


@torch.no_grad()
def most_likely_tokens(model: Any, tokenizer: Any, prompt: str, count: int) -> str:
    """Greedy decoding by hand: the argmax of the last logits, one token after another, without cache or padding."""
    ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    start = len(ids)
    ends = model.generation_config.eos_token_id
    for _ in range(count):
        ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
        if ids[-1] == ends:
            break
    return tokenizer.decode(ids[start:], skip_special_tokens=True)


@pytest.mark.parametrize("batch_size", [1, 3, 10])
def test_greedy_replies_are_the_most_likely_tokens_one_by_one(loaded: tuple[Any, Any], batch_size: int) -> None:
    expected = [most_likely_tokens(*loaded, prompt, 8) for prompt in PROMPTS]
    assert write(*loaded, batch_size=batch_size) == expected
    assert len(set(expected)) > 1


def test_greedy_replies_are_those_of_generate_one_at_a_time(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    expected = []
    for prompt in PROMPTS:
        ids = torch.tensor([tokenizer(prompt, add_special_tokens=False)["input_ids"]])
        written = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False)
        expected.append(tokenizer.decode(written[0, ids.shape[1] :], skip_special_tokens=True))
    assert write(*loaded) == expected


def test_replies_come_in_the_order_of_the_prompts(loaded: tuple[Any, Any]) -> None:
    assert write(*loaded, PROMPTS[::-1]) == write(*loaded)[::-1]


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


def test_sampling_depends_on_the_seed_alone(tiny_llama: Path) -> None:
    loaded = load(tiny_llama)
    first = write(*loaded, temperature=1.5, seed=1)
    torch.rand(7)  # whatever else draws random numbers in between
    assert write(*loaded, temperature=1.5, seed=1) == first
    assert write(*loaded, temperature=1.5, seed=2) != first


def test_a_low_temperature_comes_near_to_greedy(tiny_llama: Path) -> None:
    loaded = load(tiny_llama)
    assert write(*loaded, temperature=1e-4) == write(*loaded)


def test_sampling_is_from_the_whole_softmax(tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first token's frequencies are the softmax's at that temperature; top-k 50 alone would shift them."""
    model, tokenizer = load(tiny_llama)
    drop_decoding_habits(model)
    ids = torch.tensor([tokenizer("Answer:", add_special_tokens=False)["input_ids"]])
    with torch.no_grad():
        probabilities = torch.softmax(model(ids).logits[0, -1] / 2.0, dim=-1)
    draws = 2000
    drawn: list[int] = []
    generate = model.generate

    def spy(**options: Any) -> Any:
        written = generate(**options)
        drawn.extend(written[:, -1].tolist())
        return written

    monkeypatch.setattr(model, "generate", spy)
    write(model, tokenizer, ["Answer:"] * draws, temperature=2.0, max_new_tokens=1, batch_size=draws)
    likely = probabilities.topk(50).indices.tolist()
    share = sum(token in likely for token in drawn) / draws
    expected = float(probabilities[likely].sum())
    assert expected < 0.9
    assert share == pytest.approx(expected, abs=4 * (expected * (1 - expected) / draws) ** 0.5)


def test_stopping_at_the_line_ends_a_reply_with_its_first_line(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    whole, stopped = (write(model, tokenizer, max_new_tokens=60, stop_at_line=stop) for stop in (False, True))
    for one, other in zip(whole, stopped, strict=True):
        assert one.startswith(other.rstrip("\n") if "\n" in other else other)
        assert one.partition("\n")[0] == other.partition("\n")[0]


def test_the_options_reach_the_model(tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, tokenizer = load(tiny_llama)
    calls: list[dict[str, Any]] = []
    generate = model.generate
    monkeypatch.setattr(model, "generate", lambda **options: calls.append(options) or generate(**options))
    write(model, tokenizer, batch_size=3, max_new_tokens=5, temperature=0.7, bos=[1])
    assert [len(call["input_ids"]) for call in calls] == [3, 1]
    assert {(call["max_new_tokens"], call["temperature"], call["do_sample"]) for call in calls} == {(5, 0.7, True)}
    for call in calls:
        lengths = call["attention_mask"].sum(dim=1)
        assert all(row[-length] == 1 for row, length in zip(call["input_ids"], lengths, strict=True))  # bos comes first
        assert (call["attention_mask"][:, -1] == 1).all()  # padding is on the left


def test_nothing_asked_is_nothing_written(tiny_llama: Path) -> None:
    model, tokenizer = load(tiny_llama)
    assert write(model, tokenizer, []) == []
