from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beatingbert.engines.llm.classifier import LlmClassifier
from beatingbert.engines.llm.engine import LlmEngine
from beatingbert.engines.llm.settings import LLMSettings
from beatingbert.engines.lora.rows import encode
from beatingbert.engines.protocol import Workplace
from tiny_tasks import blanks, entailment, science, sentiment

TASKS: dict[str, Any] = {"sst2": sentiment, "rte": entailment, "arc_challenge": science, "winogrande": blanks}
MODELS = ("tiny_llama", "tiny_gemma", "tiny_gemma_that_forgets_bos", "tiny_gemma_chat", "tiny_qwen")


def ask_with(checkpoint: Path, place: Workplace, **settings: Any) -> LlmClassifier:
    engine = LlmEngine(LLMSettings(checkpoint=str(checkpoint), full_precision=True, **settings), place)
    return engine.fit([], development=[], seed=99)


@pytest.mark.parametrize("fixture", MODELS)
@pytest.mark.parametrize("task", TASKS)
def test_a_row_is_what_the_scorer_reads_and_scores_for_the_gold_label(
    request: pytest.FixtureRequest, workplace: Callable[[str], Workplace], fixture: str, task: str
) -> None:
    classifier = ask_with(request.getfixturevalue(fixture), workplace(task))
    examples = TASKS[task](8)
    rows = encode(classifier.tokenizer, classifier.wording, examples)
    for row, example in zip(rows, examples, strict=True):
        asked = classifier.wording.ask(example.question)
        tree = classifier._scorer._tree(asked)
        scored = [one for one in tree.readings if one.label == list(asked.answers).index(example.label)]
        assert row.answer == tuple(one.token for one in scored)
        path, place = [], scored[-1].place
        while place >= 0:
            path.append(tree.tokens[place])
            place = tree.parents[place]
        assert row.read == tuple(path[::-1])


def test_a_row_is_the_kept_prompt_and_the_words_of_the_label(
    workplace: Callable[[str], Workplace], tiny_gemma_chat: Path
) -> None:
    classifier = ask_with(tiny_gemma_chat, workplace("sst2"))
    examples = sentiment(4)
    predictions = classifier.predict([example.question for example in examples])
    for row, example, one in zip(
        encode(classifier.tokenizer, classifier.wording, examples), examples, predictions, strict=True
    ):
        assert classifier.tokenizer.decode([*row.context, *row.answer]) == f"{one.prompt} {example.label}"


def test_what_is_cut_to_fit_is_counted(workplace: Callable[[str], Workplace], tiny_llama: Path) -> None:
    classifier = ask_with(tiny_llama, workplace("sst2"), max_length=36)
    rows = encode(classifier.tokenizer, classifier.wording, sentiment(40))
    assert {row.lost_tokens > 0 for row in rows} == {True, False}
    assert max(len(row.context) + len(row.answer) for row in rows) <= 36
