from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from beatingbert.engines.encoder.batches import encode, pad, sequence_pairs
from beatingbert.engines.hush import hushed
from beatingbert.tasks.catalog import find_task
from beatingbert.tasks.example import Question
from tiny_tasks import entailment, questions_of, science, sentiment

RTE, SST2, ARC = find_task("rte"), find_task("sst2"), find_task("arc_challenge")
PAIRS = questions_of(entailment(5))


@pytest.fixture
def tokenizer(tiny_bert: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_bert)


def test_a_pair_is_read_as_the_tokenizer_reads_it_with_its_token_types(tokenizer: Any) -> None:
    for one, question in zip(encode(tokenizer, RTE, PAIRS, max_length=64, token_types=True), PAIRS, strict=True):
        by_hand = tokenizer(*question.texts.values(), return_token_type_ids=True)
        (row,) = one.rows
        assert row == {name: by_hand[name] for name in ("input_ids", "token_type_ids")}
        first = row["input_ids"].index(tokenizer.sep_token_id) + 1
        assert row["token_type_ids"] == [0] * first + [1] * (one.length - first)
        assert one.lost_tokens == 0


def test_a_model_without_token_types_is_given_none(tokenizer: Any) -> None:
    for one in encode(tokenizer, RTE, PAIRS, max_length=64, token_types=False):
        assert list(one.rows[0]) == ["input_ids"]


def test_a_single_text_has_one_type_only(tokenizer: Any) -> None:
    (one,) = encode(tokenizer, SST2, [Question("q", {"sentence": "a good film"})], max_length=64, token_types=True)
    assert set(one.rows[0]["token_type_ids"]) == {0}
    assert one.rows[0]["input_ids"] == tokenizer("a good film")["input_ids"]


def test_multiple_choice_reads_the_question_with_each_choice(tokenizer: Any) -> None:
    question = Question("q", {"question": "Which?"}, ("a cat", "great", "no"))
    (one,) = encode(tokenizer, ARC, [question], max_length=64, token_types=True)
    assert [row["input_ids"] for row in one.rows] == [
        tokenizer("Which?", choice)["input_ids"] for choice in question.choices
    ]


def test_winogrande_is_split_at_its_blank() -> None:
    question = Question("q", {"sentence": "The cat saw the dog, so _ ran."}, ("the cat", "the dog"))
    assert sequence_pairs(find_task("winogrande"), question) == [
        ("The cat saw the dog, so", "the cat ran."),
        ("The cat saw the dog, so", "the dog ran."),
    ]


@pytest.mark.parametrize("max_length", [8, 12, 20])
def test_what_does_not_fit_is_cut_from_the_longer_text_and_counted(tokenizer: Any, max_length: int) -> None:
    question = Question("q", {"sentence1": "cat " * 40, "sentence2": "a good film"})
    short = Question("s", {"sentence1": "cat", "sentence2": "a"})
    one, whole = encode(tokenizer, RTE, [question, short], max_length=max_length, token_types=True)
    assert (one.length, one.lost_tokens) == (max_length, 40 + 3 + 3 - max_length)
    assert whole.lost_tokens == 0
    if max_length >= 12:
        second = [at for at, kind in enumerate(one.rows[0]["token_type_ids"]) if kind == 1]
        assert tokenizer.decode([one.rows[0]["input_ids"][at] for at in second[:-1]]) == "a good film"


def test_a_text_of_exactly_the_longest_length_loses_nothing(tokenizer: Any) -> None:
    (one,) = encode(tokenizer, SST2, [Question("q", {"sentence": "cat " * 10})], max_length=12, token_types=True)
    assert (one.length, one.lost_tokens) == (12, 0)


def test_nothing_to_encode_is_nothing(tokenizer: Any) -> None:
    assert encode(tokenizer, SST2, [], max_length=12, token_types=True) == []


@pytest.mark.parametrize("fixture", ["tiny_bert", "tiny_distilbert"])
def test_padding_does_not_change_the_logits(request: pytest.FixtureRequest, fixture: str) -> None:
    folder = request.getfixturevalue(fixture)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with hushed():
        model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    encoded = encode(tokenizer, RTE, PAIRS, max_length=64, token_types=fixture == "tiny_bert")
    with torch.no_grad():
        together = model(**pad(encoded, pad_id=tokenizer.pad_token_id, choice=False)).logits
        alone = [model(**pad([one], pad_id=tokenizer.pad_token_id, choice=False)).logits[0] for one in encoded]
        by_hand = [model(**tokenizer(*q.texts.values(), return_tensors="pt")).logits[0] for q in PAIRS]
    torch.testing.assert_close(together, torch.stack(alone), atol=1e-5, rtol=1e-5)
    assert together.std() > 0.01
    if fixture == "tiny_distilbert":  # the plain call gives the tiny tokenizer's BERT no token types
        torch.testing.assert_close(together, torch.stack(by_hand), atol=1e-5, rtol=1e-5)


def test_token_types_change_what_bert_answers(tiny_bert: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    with hushed():
        model = AutoModelForSequenceClassification.from_pretrained(tiny_bert, dtype=torch.float32).eval()
    batch = pad(encode(tokenizer, RTE, PAIRS, max_length=64, token_types=True), pad_id=0, choice=False)
    with torch.no_grad():
        typed = model(**batch).logits
        untyped = model(**{name: tensor for name, tensor in batch.items() if name != "token_type_ids"}).logits
    assert (typed - untyped).abs().max() > 1e-3


def test_a_batch_is_padded_with_the_pad_token_to_its_own_longest_row(tokenizer: Any) -> None:
    encoded = encode(tokenizer, SST2, questions_of(sentiment(6)), max_length=64, token_types=True)
    batch = pad(encoded, pad_id=99, choice=False)
    assert batch["input_ids"].shape == (6, max(one.length for one in encoded))
    for row, mask, one in zip(batch["input_ids"], batch["attention_mask"], encoded, strict=True):
        assert row.tolist() == one.rows[0]["input_ids"] + [99] * (len(row) - one.length)
        assert mask.tolist() == [1] * one.length + [0] * (len(row) - one.length)


def test_missing_choices_are_marked(tokenizer: Any) -> None:
    rows = science(4)  # 2, 3, 4 and 5 choices
    batch = pad(encode(tokenizer, ARC, questions_of(rows), max_length=64, token_types=True), pad_id=0, choice=True)
    assert batch["choice_mask"].sum(dim=1).tolist() == [2, 3, 4, 5]
    assert batch["input_ids"].shape[:2] == (4, 5)
