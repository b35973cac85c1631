import logging
import sqlite3
import threading
from pathlib import Path

import pytest

from beatingbert.engines.served.cache import AnswerCache
from beatingbert.engines.served.client import Reply, Token
from beatingbert.errors import BeatingBertError

REPLY = Reply(
    text="positive",
    tokens=(Token("pos", -0.25, (("pos", -0.25), ("neg", -1.5))),),
    input_tokens=10,
    output_tokens=1,
    finished=False,
    seconds=0.5,
    company=8,
)


def change(path: Path, statement: str) -> None:
    base = sqlite3.connect(path)
    with base:
        base.execute(statement)
    base.close()


def test_a_reply_comes_back_as_it_was_also_for_another_process(kept_answers: Path) -> None:
    AnswerCache(kept_answers).put("k", REPLY)
    assert AnswerCache(kept_answers).get("k") == REPLY
    assert AnswerCache(kept_answers).get("another") is None


def test_a_later_reply_replaces_an_earlier_one(kept_answers: Path) -> None:
    cache = AnswerCache(kept_answers)
    cache.put("k", Reply(text="old"))
    cache.put("k", REPLY)
    assert cache.get("k") == REPLY


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE answers SET reply = replace(reply, 'positive', 'negative') WHERE key = 'k'",
        "UPDATE answers SET reply = substr(reply, 1, 20) WHERE key = 'k'",
        "UPDATE answers SET reply = '{}', sha256 = "
        "'44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a' WHERE key = 'k'",
    ],
    ids=["another answer", "cut", "another form"],
)
def test_a_damaged_reply_counts_as_never_asked_and_the_others_stay(kept_answers: Path, damage: str) -> None:
    cache = AnswerCache(kept_answers)
    cache.put("k", REPLY)
    cache.put("other", REPLY)
    change(kept_answers, damage)
    assert cache.get("k") is None
    assert cache.get("other") == REPLY
    cache.put("k", REPLY)
    assert cache.get("k") == REPLY


@pytest.mark.parametrize("whole", [True, False], ids=["no database", "a database of another kind"])
def test_a_file_that_is_no_cache_is_set_aside(
    kept_answers: Path, whole: bool, caplog: pytest.LogCaptureFixture
) -> None:
    kept_answers.parent.mkdir(parents=True)
    if whole:
        kept_answers.write_bytes(b"this was never a database, but it is long enough to look at" * 40)
    else:
        change(kept_answers, "CREATE TABLE answers (something TEXT)")
    before = kept_answers.read_bytes()
    with caplog.at_level(logging.WARNING):
        cache = AnswerCache(kept_answers)
    cache.put("k", REPLY)
    assert cache.get("k") == REPLY
    assert kept_answers.with_name("answers.sqlite.damaged").read_bytes() == before
    assert "damaged" in caplog.text


def test_a_place_that_cannot_be_written_is_told_with_the_way_out(kept_answers: Path) -> None:
    kept_answers.mkdir(parents=True)
    with pytest.raises(BeatingBertError, match="BEATINGBERT_CACHE"):
        AnswerCache(kept_answers)


def test_many_threads_may_keep_answers_at_once(kept_answers: Path) -> None:
    cache = AnswerCache(kept_answers)

    def keep(start: int) -> None:
        for number in range(start, start + 10):
            cache.put(str(number), Reply(text=str(number)))

    threads = [threading.Thread(target=keep, args=(start,)) for start in range(0, 80, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [cache.get(str(number)) for number in range(80)]
    assert [one.text for one in found if one is not None] == [str(number) for number in range(80)]
