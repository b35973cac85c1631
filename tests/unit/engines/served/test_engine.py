import json
import math
from pathlib import Path

import pytest

from beatingbert.errors import UnreachableError
from engines.served.asking import fit
from stand_in import OTHERWISE, SURE, StandIn, serving
from tiny_tasks import questions_of, science, sentiment

ROWS = sentiment(8, start=20)
LABELS = [row.label for row in ROWS]
QUESTIONS = questions_of(ROWS)


def test_probabilities_are_the_servers_own_among_the_labels() -> None:
    with serving(StandIn()) as place:
        predictions = fit(place).predict(QUESTIONS)
    assert [one.label for one in predictions] == LABELS
    for one in predictions:
        assert one.probabilities is not None
        assert one.log_likelihoods is not None
        assert max(one.probabilities.values()) == pytest.approx(SURE / (SURE + OTHERWISE))
        assert max(one.log_likelihoods.values()) == pytest.approx(math.log(SURE))


def test_echoed_labels_give_the_same_probabilities() -> None:
    with serving(StandIn(owner="vllm", echoes=True)) as place:
        predictions = fit(place, chat_template="never").predict(QUESTIONS)
        assert len(place.asked) == 1 + 2 * len(QUESTIONS)  # one request per label
    assert [one.label for one in predictions] == LABELS
    assert predictions[0].probabilities is not None
    assert max(predictions[0].probabilities.values()) == pytest.approx(SURE / (SURE + OTHERWISE))


@pytest.mark.parametrize("choices", ["response_format", "structured_outputs"])
def test_a_choice_from_the_list_is_a_label_without_probability(choices: str) -> None:
    with serving(StandIn(logprobs=False, choices=choices)) as place:
        predictions = fit(place).predict(QUESTIONS)
    assert [one.label for one in predictions] == LABELS
    assert {one.probabilities for one in predictions} == {None}


def test_what_is_written_freely_is_read_strictly() -> None:
    with serving(StandIn(logprobs=False, prefix="Answer: ")) as place:
        assert [one.label for one in fit(place).predict(QUESTIONS)] == LABELS
    with serving(StandIn(logprobs=False, prefix="it is not ")) as place:
        predictions = fit(place).predict(QUESTIONS)
    assert {one.label for one in predictions} == {None}
    assert predictions[0].reply == f"it is not {LABELS[0]}"


def test_where_the_first_token_leaves_it_open_more_is_asked_for() -> None:
    with serving(StandIn(prefix="\n")) as place:
        predictions = fit(place, answer_by="likelihood").predict(QUESTIONS)
    assert [one.label for one in predictions] == LABELS
    with serving(StandIn(prefix="Hm")) as place:
        place.faults = []
        classifier = fit(place, answer_by="likelihood")
        place.asked.clear()
        first = classifier.predict(QUESTIONS[:1])[0]
    assert first.label is not None  # another label than the one written is listed, as likelihood has it
    assert [body["max_tokens"] for body in place.asked] == [1]


def test_multiple_choice_goes_by_letter() -> None:
    rows = science(9)
    with serving(StandIn()) as place:
        classifier = fit(place, task="arc_challenge", shots=2, train=rows[:4])
        predictions = classifier.predict(questions_of(rows[4:]))
    assert [one.label for one in predictions] == [row.label for row in rows[4:]]
    assert classifier.facts.notes["choices"] == "by letter"
    assert all("A. " in prompt for prompt in place.prompts)


def test_demonstrations_come_from_train_and_are_named() -> None:
    train = sentiment(12)
    with serving(StandIn()) as place:
        classifier = fit(place, shots=4, train=train)
        classifier.predict(QUESTIONS[:1])
        turns = place.asked[-1]["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant"] * 4 + ["user"]
    shown = classifier.facts.notes["demonstrations"]
    assert len(set(shown)) == 4
    assert set(shown) <= {row.question.id for row in train}


def test_the_prompt_that_is_kept_is_the_one_that_was_sent() -> None:
    with serving(StandIn()) as place:
        (prediction,) = fit(place).predict(QUESTIONS[:1])
        (turn,) = place.asked[-1]["messages"]
    assert prediction.prompt == f"[user]\n{turn['content']}"
    assert QUESTIONS[0].texts["sentence"] in turn["content"]


def test_sampling_is_seeded_and_greedy_answers_need_no_seed() -> None:
    with serving(StandIn()) as place:
        fit(place, temperature=0.7).predict(QUESTIONS[:1])
        assert {(body["temperature"], body["seed"]) for body in place.asked} == {(0.7, 99)}
        place.asked.clear()
        fit(place).predict(QUESTIONS[:1])
        assert all("seed" not in body and body["temperature"] == 0 for body in place.asked)


def test_the_record_says_what_was_used_and_what_nobody_knows() -> None:
    with serving(StandIn()) as place:
        classifier = fit(place, access={"price_in": 1.0, "price_out": 2.0, "concurrency": 3})
        classifier.predict(QUESTIONS)
        again = fit(place, access={"price_in": 1.0, "price_out": 2.0})
        again.predict(QUESTIONS)
    facts, notes = classifier.facts, classifier.facts.notes
    usage = notes["usage"]
    assert (usage["answers"], usage["output_tokens"]) == (len(QUESTIONS), len(QUESTIONS))
    assert usage["input_tokens"] > len(QUESTIONS)
    assert notes["requests"] == {"sent": len(QUESTIONS) + 1, "kept_from_earlier_runs": 0}
    assert notes["cost"]["spent"] > (usage["input_tokens"] + 2 * usage["output_tokens"]) / 1e6  # the probe's besides
    assert (facts.parameters, facts.disk_bytes, facts.device) == (None, None, "server")
    assert "process of its own" in facts.memory_unknown
    assert again.facts.notes["usage"] == usage  # what the answers took, whoever paid for them
    assert again.facts.notes["requests"] == {"sent": 0, "kept_from_earlier_runs": len(QUESTIONS) + 1}
    assert again.facts.notes["cost"]["spent"] == 0
    json.dumps(notes, allow_nan=False)


def test_tokens_are_not_made_up_where_the_server_does_not_count() -> None:
    with serving(StandIn(counts=False)) as place:
        classifier = fit(place)
        classifier.predict(QUESTIONS)
    assert "usage" not in classifier.facts.notes


def test_time_alone_and_time_together_are_those_of_the_server_also_when_kept() -> None:
    with serving(StandIn(seconds=0.1)) as place:
        first = fit(place, access={"concurrency": 4})
        alone = first.seconds_alone(QUESTIONS[0])
        first.predict(QUESTIONS)
        together = first.seconds_together(QUESTIONS)
        sent = len(place.asked)
        later = fit(place, access={"concurrency": 4})
        later.predict(QUESTIONS)
        assert later.seconds_alone(QUESTIONS[0]) == alone
        assert later.seconds_together(QUESTIONS) == together
        assert len(place.asked) == sent
    assert alone >= 0.1
    # Eight answers, four at a time: twice 0.1 s at least, and far from the 0.8 s of one after the other.
    assert 0.2 <= together * (1 + 1e-9) < 0.8


def test_a_request_that_fails_is_no_answer_and_the_next_run_goes_on(kept_answers: Path) -> None:
    with serving(StandIn()) as place:
        classifier = fit(place, access={"max_retries": 0, "concurrency": 2})
        place.dies_after = place.answered + 3
        with pytest.raises(UnreachableError, match="4 answers are kept"):
            classifier.predict(QUESTIONS)
        place.dies_after = None
        place.asked.clear()
        assert [one.label for one in fit(place).predict(QUESTIONS)] == LABELS
    assert len(place.asked) == 5


def test_ollama_answers_the_same_way() -> None:
    with serving(StandIn(names=["tiny:latest", "tiny"])) as place:
        classifier = fit(place, ollama=True)
        predictions = classifier.predict(QUESTIONS)
    assert [one.label for one in predictions] == LABELS
    assert predictions[0].probabilities is not None
    assert classifier.facts.checkpoint["sha256"] == "ab" * 32
    assert classifier.facts.parameters == 494_032_768
