from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from beatingbert.engines.llm.likelihood import Scorer, split_at_boundary
from beatingbert.engines.llm.packed import PackedReader, Prefix
from beatingbert.engines.llm.tree import Tree
from beatingbert.engines.llm.wording import Asked, opening_tokens
from beatingbert.errors import BeatingBertError, SettingsError
from engines.llm.asking import ask, ask_apart, load, naive_log_likelihood, score

MODELS = ("tiny_llama", "tiny_gemma", "tiny_gemma_that_forgets_bos", "tiny_qwen", "tiny_gpt2")
OPENING = "Classify the sentiment of the movie review."
ASKED = [
    ask(f"{OPENING}\n\nReview: a good film\nSentiment:", " positive", " negative"),
    ask(f"{OPENING}\n\nReview: bad and boring, not moving, not great\nSentiment:", " maybe not", " yes", " no"),
    ask("Premise: it rains", ", so", " and it is zebra-striped", " \u00fcber"),
    ask("Answer:", " yes", " yes and no", " yes and"),  # each begins another
    ask(f"{OPENING} {'a plain story, ' * 20}\nSentiment:", " positive", " negative", " not bad"),  # past any window
    ask(f"{OPENING}\n\nReview: a good film\nSentiment:", " positive", " negative"),  # the first again
]


APART = [
    ask_apart(" was great and good.", f"{OPENING}\n\nThe actor saw the film", f"{OPENING}\n\nThe actor saw the story"),
    ask_apart(" was great.", "The good film", "The good film story", "The great"),  # one begins another
    ask_apart(" was great, not awful.", "Story", "film and film"),  # nothing is shared
    ask_apart(".", f"{OPENING} A plain story", f"{OPENING} A plain"),  # one token to score
    ask_apart(" and so on", f"{'a plain story, ' * 20}good", f"{'a plain story, ' * 20}bad or zebra"),
]


@pytest.fixture(params=MODELS)
def loaded(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    return load(request.getfixturevalue(request.param))


@pytest.fixture(params=[True, False], ids=["packed", "padded"])
def share(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def scores(model: Any, tokenizer: Any, asked: list[Asked], **options: Any) -> list[dict[str, float]]:
    bos = opening_tokens(tokenizer, model.config.model_type)
    return [one.log_likelihood for one in score(model, tokenizer, asked, bos=bos, **options)]


def shared_opening(model: Any, tokenizer: Any) -> list[int]:
    """Ids of what most prompts begin with, long enough to be worth reading once."""
    ids = tokenizer(OPENING, add_special_tokens=False)["input_ids"]
    return [*opening_tokens(tokenizer, model.config.model_type), *ids]


@pytest.mark.parametrize("with_prefix", [False, True], ids=["whole", "prefix read once"])
def test_scores_are_those_of_a_full_forward_pass_per_answer(
    loaded: tuple[Any, Any], share: bool, with_prefix: bool
) -> None:
    model, tokenizer = loaded
    bos = [tokenizer.bos_token_id] if model.config.model_type == "gemma3_text" else []
    opening = shared_opening(model, tokenizer) if with_prefix else []
    for one, scored in zip(ASKED, scores(model, tokenizer, ASKED, share=share, opening=opening), strict=True):
        context = tokenizer(one.text, add_special_tokens=False)["input_ids"]
        for label, answer in one.answers.items():
            whole = tokenizer(one.text + answer, add_special_tokens=False)["input_ids"]
            assert whole[: len(context)] == context
            expected = naive_log_likelihood(model, [*bos, *context], whole[len(context) :])
            assert scored[label] == pytest.approx(expected, abs=1e-4)


def test_shared_work_is_done_once_for_every_family_under_test(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    assert Scorer(model, tokenizer, bos=[0]).is_packed
    assert not Scorer(model, tokenizer, bos=[0], share=False).is_packed


def test_the_answers_under_test_have_one_and_more_tokens(tiny_llama: Path) -> None:
    scored = score(*load(tiny_llama), ASKED, bos=[])
    counts = {count for one in scored for count in one.tokens.values()}
    assert min(counts) == 1
    assert max(counts) > 5


@pytest.mark.parametrize(
    "limit", [{"batch_size": 1}, {"batch_size": 3}, {"max_tokens": 64}, {"max_tokens": 4096}], ids=str
)
def test_the_size_of_batches_does_not_change_scores(
    loaded: tuple[Any, Any], share: bool, limit: dict[str, int]
) -> None:
    expected = scores(*loaded, ASKED, share=share)
    for one, other in zip(expected, scores(*loaded, ASKED, share=share, **limit), strict=True):
        assert one == pytest.approx(other, abs=1e-5)


def test_a_batch_that_does_not_fit_is_halved_and_later_ones_are_no_larger(
    tiny_llama: Path, share: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [ask(f"Review: {'good ' * at}film\nSentiment:", " positive", " negative") for at in range(16)]
    expected = scores(*load(tiny_llama), asked, share=share)
    scorer = Scorer(*load(tiny_llama), bos=[], share=share, batch_size=8, max_tokens=100_000)
    plain, tried = scorer._score, []

    def cramped(trees: Sequence[Tree], prefix: Prefix) -> list[list[float]]:
        tried.append(len(trees))
        if len(trees) > 3:
            raise torch.cuda.OutOfMemoryError("too many")
        return plain(trees, prefix)

    monkeypatch.setattr(scorer, "_score", cramped)
    for one, other in zip(expected, scorer.score(asked), strict=True):
        assert one == pytest.approx(other.log_likelihood, abs=1e-5)
    assert tried[0] == 8
    assert len([size for size in tried if size > 3]) <= 2  # 8, then 4: none is tried again as it was
    tried.clear()
    scorer.score(asked)
    assert max(tried[:3]) <= 3


def test_a_prompt_that_does_not_fit_alone_is_told(tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = Scorer(*load(tiny_llama), bos=[])

    def full(trees: Any, prefix: Any) -> Any:
        raise torch.cuda.OutOfMemoryError("full")

    monkeypatch.setattr(scorer, "_score", full)
    with pytest.raises(BeatingBertError, match=r"not hold even one prompt of \d+ tokens; use a smaller checkpoint"):
        scorer.score(ASKED)


def test_only_want_of_memory_is_no_reason_to_read_the_slow_way(
    tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = iter([RuntimeError("positions are taken some other way"), torch.cuda.OutOfMemoryError("full")])

    def fails(self: Any, tokens: Any) -> Any:
        raise next(errors)

    monkeypatch.setattr(PackedReader, "read_prefix", fails)
    assert not Scorer(*load(tiny_llama), bos=[0]).is_packed
    with pytest.raises(torch.cuda.OutOfMemoryError):
        Scorer(*load(tiny_llama), bos=[0])


def test_scores_come_in_the_order_of_the_questions(loaded: tuple[Any, Any], share: bool) -> None:
    forwards, backwards = scores(*loaded, ASKED, share=share), scores(*loaded, ASKED[::-1], share=share)
    for one, other, asked in zip(forwards, backwards[::-1], ASKED, strict=True):
        assert list(one) == list(asked.answers)
        assert one == pytest.approx(other, abs=1e-5)


def test_scoring_twice_gives_the_same_bits(loaded: tuple[Any, Any], share: bool) -> None:
    model, tokenizer = loaded
    scorer = Scorer(model, tokenizer, bos=[0], opening=[0, *shared_opening(model, tokenizer)], share=share)
    assert scorer.score(ASKED) == scorer.score(ASKED)


def test_the_model_is_left_as_it_was(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    before, attention = naive_log_likelihood(model, [5, 6, 7], [8, 9]), model.config._attn_implementation
    scores(model, tokenizer, ASKED)
    assert naive_log_likelihood(model, [5, 6, 7], [8, 9]) == before
    assert model.config._attn_implementation == attention


def test_without_normaliser_single_tokens_rank_the_same(loaded: tuple[Any, Any], share: bool) -> None:
    asked = [one for one in ASKED if set(one.answers.values()) == {" positive", " negative"}]
    whole, ranks = scores(*loaded, asked, share=share), scores(*loaded, asked, share=share, normalise=False)
    for one, other in zip(whole, ranks, strict=True):
        assert one["a"] - one["b"] == pytest.approx(other["a"] - other["b"], abs=1e-4)


def test_without_normaliser_answers_of_several_tokens_are_exact_all_the_same(
    loaded: tuple[Any, Any], share: bool
) -> None:
    asked = [ASKED[3]]
    for one, other in zip(
        scores(*loaded, asked, share=share), scores(*loaded, asked, share=share, normalise=False), strict=True
    ):
        assert one == pytest.approx(other, abs=1e-4)


def test_without_normaliser_a_question_is_scored_the_same_whatever_is_asked_beside_it(tiny_llama: Path) -> None:
    loaded = load(tiny_llama)
    one_token, several = ask("Review: fine\nSentiment:", " yes", " no"), ask("Review: fine\nSentiment:", " maybe not")
    alone = scores(*loaded, [one_token], normalise=False)
    beside = scores(*loaded, [one_token, several], normalise=False)
    assert beside[0] == pytest.approx(alone[0], abs=1e-5)


def test_the_beginning_token_changes_the_scores_of_a_model_that_expects_it(tiny_gemma: Path, share: bool) -> None:
    model, tokenizer = load(tiny_gemma)
    with_bos, without = (
        score(model, tokenizer, ASKED[:1], bos=bos, share=share)[0].log_likelihood["a"]
        for bos in ([tokenizer.bos_token_id], [])
    )
    assert abs(with_bos - without) > 1e-3


def test_a_token_that_merges_across_the_boundary_is_scored_as_part_of_the_answer(
    loaded: tuple[Any, Any], share: bool
) -> None:
    """ "Answer: y" + "es" ends with the one token " yes", so the context must end before it."""
    model, tokenizer = loaded
    bos = opening_tokens(tokenizer, model.config.model_type)
    one = ask("Answer: y", "es", "oyo")
    prompt, merged, kept = tokenizer([one.text, "Answer: yes", "Answer: yoyo"], add_special_tokens=False)["input_ids"]
    shared = len(prompt) - len(tokenizer(" y", add_special_tokens=False)["input_ids"])
    assert merged[shared] not in prompt
    assert prompt[:shared] == merged[:shared] == kept[:shared]
    scored = score(model, tokenizer, [one], bos=bos, share=share)[0]
    for label, ids in zip("ab", (merged, kept), strict=True):
        expected = naive_log_likelihood(model, [*bos, *ids[:shared]], ids[shared:])
        assert scored.log_likelihood[label] == pytest.approx(expected, abs=1e-4)
        assert scored.tokens[label] == len(ids) - shared


@pytest.mark.parametrize(
    ("prompt", "whole", "shared"),
    [
        ([1, 2, 3], [[1, 2, 3, 4], [1, 2, 3, 5]], 3),
        ([1, 2, 3], [[1, 2, 9], [1, 2, 3, 5]], 2),  # one label merges with the prompt's last token
        ([1, 2, 3], [[1, 8], [1, 2, 3, 5]], 1),  # and with its last two
        ([1, 2, 3], [[1, 2, 3], [1, 2, 3, 4]], 2),  # one label adds no token of its own
        ([1, 2, 3], [[9], [1, 2, 3, 4]], 0),
        ([1], [[1, 2], [1, 2, 3]], 1),  # one label begins the other
        ([], [[1], [2]], 0),
    ],
)
def test_context_ends_where_prompt_and_all_answers_part(prompt: list[int], whole: list[list[int]], shared: int) -> None:
    assert split_at_boundary(prompt, whole) == shared


def test_one_thread_and_two_give_the_same_scores(loaded: tuple[Any, Any], share: bool) -> None:
    threads = torch.get_num_threads()
    found = []
    for count in (1, 2):
        torch.set_num_threads(count)
        found.append(scores(*loaded, ASKED, share=share))
    torch.set_num_threads(threads)
    for one, two in zip(*found, strict=True):
        assert one == pytest.approx(two, abs=1e-5)


def test_a_prompt_that_exceeds_the_models_window_is_refused_before_the_model_runs(tiny_gpt2: Path, share: bool) -> None:
    model, tokenizer = load(tiny_gpt2)
    fits = ask("word " * 200, " yes", " no")
    too_long = ask("word " * model.config.n_positions, " yes", " no")
    scorer = Scorer(model, tokenizer, bos=[], share=share)
    model.forward = None  # whoever runs it fails
    with pytest.raises(SettingsError, match=f"reads {model.config.n_positions} at once"):
        scorer.score([fits, too_long])


def test_questions_are_taken_as_they_come_and_not_all_at_once(tiny_llama: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("beatingbert.engines.llm.likelihood.CHUNK", 2)
    taken = []

    def source() -> Iterator[Asked]:
        for one in ASKED:
            taken.append(one)
            yield one

    model, tokenizer = load(tiny_llama)
    scorer = Scorer(model, tokenizer, bos=[])
    streamed = scorer.stream(source())
    first = next(streamed)
    assert len(taken) == 2
    assert [first, *streamed] == scorer.score(ASKED)


def test_without_any_context_there_is_no_probability(tiny_llama: Path) -> None:
    with pytest.raises(BeatingBertError, match="nothing comes before"):
        score(*load(tiny_llama), [ask("", "yes", "no")], bos=[])


def test_nothing_asked_is_nothing_scored(tiny_llama: Path, share: bool) -> None:
    assert score(*load(tiny_llama), [], bos=[], share=share) == []


def test_progress_counts_the_questions(tiny_llama: Path) -> None:
    told: list[tuple[int, int]] = []
    model, tokenizer = load(tiny_llama)
    scorer = Scorer(model, tokenizer, bos=[])
    scorer.score(ASKED, on_batch=lambda done, total: told.append((done, total)))
    assert told[-1] == (len(ASKED), len(ASKED))
    assert [done for done, _ in told] == sorted(done for done, _ in told)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_comes_near(loaded: tuple[Any, Any], dtype: torch.dtype, share: bool) -> None:
    model, tokenizer = loaded
    expected = scores(model, tokenizer, ASKED, share=share)
    for one, other in zip(expected, scores(model.to(dtype), tokenizer, ASKED, share=share), strict=True):
        assert one == pytest.approx(other, rel=0.05, abs=0.2)


@pytest.mark.parametrize("with_prefix", [False, True], ids=["whole", "prefix read once"])
def test_answers_with_contexts_of_their_own_are_scored_as_by_a_forward_pass_each(
    loaded: tuple[Any, Any], share: bool, with_prefix: bool
) -> None:
    model, tokenizer = loaded
    bos = [tokenizer.bos_token_id] if model.config.model_type == "gemma3_text" else []
    opening = shared_opening(model, tokenizer) if with_prefix else []
    mixed = [*APART, *ASKED[:2]]
    found = score(model, tokenizer, mixed, bos=bos, share=share, opening=opening)
    for one, scored in zip(APART, found, strict=False):
        for label, context in one.contexts.items():
            start = tokenizer(context, add_special_tokens=False)["input_ids"]
            whole = tokenizer(context + one.answers[label], add_special_tokens=False)["input_ids"]
            assert whole[: len(start)] == start
            expected = naive_log_likelihood(model, [*bos, *start], whole[len(start) :])
            assert scored.log_likelihood[label] == pytest.approx(expected, abs=1e-4)
            assert scored.tokens[label] == len(whole) - len(start)
    others = score(model, tokenizer, ASKED[:2], bos=bos, share=share)
    for one, other in zip(found[len(APART) :], others, strict=True):
        assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-5)


def test_each_context_has_its_own_boundary_where_a_token_merges(loaded: tuple[Any, Any], share: bool) -> None:
    """ "Answer: y" + "es" ends with the one token " yes"; "Answer: no" + "es" merges nothing."""
    model, tokenizer = loaded
    bos = opening_tokens(tokenizer, model.config.model_type)
    one = ask_apart("es", "Answer: y", "Answer: no")
    prompt, whole = tokenizer(["Answer: y", "Answer: yes"], add_special_tokens=False)["input_ids"]
    start, plain = tokenizer(["Answer: no", "Answer: noes"], add_special_tokens=False)["input_ids"]
    end = next(at for at, (first, second) in enumerate(zip(prompt, whole, strict=False)) if first != second)
    assert plain[: len(start)] == start
    found = score(model, tokenizer, [one], bos=bos, share=share)[0].log_likelihood
    assert found["a"] == pytest.approx(naive_log_likelihood(model, [*bos, *whole[:end]], whole[end:]), abs=1e-4)
    expected = naive_log_likelihood(model, [*bos, *start], plain[len(start) :])
    assert found["b"] == pytest.approx(expected, abs=1e-4)


def test_an_own_context_that_is_empty_is_refused(tiny_llama: Path) -> None:
    with pytest.raises(BeatingBertError, match="nothing comes before the first scored token of one of the prompts"):
        score(*load(tiny_llama), [ask_apart(" yes", "Answer:", "")], bos=[])
