"""The contest on users' own tables, with peers that are no libraries and a decision between two cheap candidates."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmarks import own_data
from benchmarks.own import contest, environments, files, systems
from benchmarks.own.contest import Conditions, keep_decided, play_ours, play_peer
from benchmarks.own.decided import data_revision, read_decided
from benchmarks.own.exchange import Job, Row, read_rows, write_rows
from benchmarks.own.figures import compare, judge
from benchmarks.own.files import File, Rows, hand_out
from benchmarks.own.kept import Result, keep_failure, read_failure, read_result, require_same_settings
from benchmarks.own.page import PAGE, render_markdown, sentences, write_page
from benchmarks.own.systems import Peer, choose_peers
from sklearn.metrics import f1_score

from beatingbert.decision.decide import decide
from beatingbert.errors import (
    BeatingBertError,
    DataError,
    MissingExtraError,
    RunBusyError,
    SettingsError,
    UnknownNameError,
)
from beatingbert.statistics.intervals import Interval
from beatingbert.tables.divide import split_own
from beatingbert.tables.own import read_own
from tiny_tasks import sentiment

ROOT = Path(__file__).resolve().parents[3]
TABLE = File(name="tiny", path="tiny.csv")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    rows = [(one.question.texts["sentence"], one.label) for one in sentiment(200)]
    for name, kept in (("tiny.csv", rows), ("other.csv", rows[:150])):
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *kept])
    return folder


@pytest.fixture(scope="module")
def rows(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    return hand_out(TABLE, data_dir, tmp_path_factory.mktemp("bench") / "tiny" / "rows")


@pytest.fixture(scope="module")
def decided(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """TF-IDF and the majority label always take part; nobody else does."""
    folder = tmp_path_factory.mktemp("decided")
    candidates = folder / "candidates.yaml"
    candidates.write_text("candidates:\n  - {name: majority, engine: majority}\n", encoding="utf-8")
    decide(data_dir / "tiny.csv", budget="60s", candidates=candidates, output_dir=folder / "out")
    return folder / "out"


class Heard(list[str]):
    def conditions(self, budget: float = 60.0) -> Conditions:
        return Conditions(budget=budget, threads=1, tell=self.append, tick=lambda _: None)


def fake(setting: str) -> Peer:
    return Peer(name=f"fake-{setting}", title=setting, module="tests.unit.benchmarks.fake_peer", setting=setting)


def result(system: str, answers: dict[str, str | None], **more: Any) -> Result:
    given: dict[str, Any] = {"seconds": 12.0, "cpu": "a processor", "finished": "2026-11-26", **more}
    return Result(file="tiny", system=system, revision="r", answers=answers, **given)


def test_everybody_gets_the_rows_of_our_own_split_and_no_label_to_be_tested_on(data_dir: Path, rows: Rows) -> None:
    _, splits = split_own(read_own(data_dir / "tiny.csv"))
    train, test = read_rows(rows.folder / "train.jsonl"), read_rows(rows.folder / "test.jsonl")
    assert [row.id for row in train if not row.development] == [one.question.id for one in splits.train]
    assert [row.id for row in train if row.development] == [one.question.id for one in splits.development]
    assert rows.gold == {one.question.id: one.label for one in splits.evaluation["test"]}
    assert [row.id for row in test] == list(rows.gold)
    assert {row.label for row in test} == {None}
    assert not {row.id for row in test} & {row.id for row in train}
    assert len(test) == rows.test > 20


def test_an_interrupted_split_leaves_no_rows(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_json", interrupted)
        with pytest.raises(KeyboardInterrupt):
            hand_out(TABLE, data_dir, tmp_path / "tiny" / "rows")
    assert not (tmp_path / "tiny" / "rows").exists()
    assert hand_out(TABLE, data_dir, tmp_path / "tiny" / "rows").test > 0


def test_a_table_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no 'tiny\.csv'; leave tiny out"):
        hand_out(TABLE, tmp_path, tmp_path / "rows")


def test_rows_keep_whatever_a_text_holds(tmp_path: Path) -> None:
    odd = [Row("1", ('a "b"\r\n\u2028\x85c', ""), "x|y", True), Row("2", ("", " title "))]
    write_rows(tmp_path / "rows.jsonl", odd)
    assert read_rows(tmp_path / "rows.jsonl") == odd
    assert Row("1", ("text\n", " title ")).joined == "text\ntitle"
    assert odd[1].joined == "title"


def test_a_peer_answers_once_and_its_result_is_kept(rows: Rows, tmp_path: Path) -> None:
    heard = Heard()
    first = play_peer(fake("reads"), TABLE, rows, tmp_path / "fake", heard.conditions())
    assert first.answers == rows.gold
    assert first.notes == {"rows_learnt": rows.train + rows.development}
    assert first.seconds > 0
    assert heard == ["tiny: reads"]
    again = play_peer(fake("reads"), TABLE, rows, tmp_path / "fake", heard.conditions())
    assert again == first
    assert len(heard) == 1
    assert not (tmp_path / "fake" / "work").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [("fails", "status 1.*the peer has lost its way"), ("strange", "labels that nobody has: purple")],
)
def test_a_peer_that_fails_leaves_its_words_and_no_result(
    rows: Rows, tmp_path: Path, setting: str, message: str
) -> None:
    with pytest.raises(BeatingBertError, match=message):
        play_peer(fake(setting), TABLE, rows, tmp_path, Heard().conditions())
    assert read_result(tmp_path) is None
    assert not (tmp_path / "work").exists()


def test_who_does_not_answer_in_time_is_stopped(
    rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: list[subprocess.Popen[bytes]]
) -> None:
    monkeypatch.setattr(contest, "GRACE_SECONDS", 0.0)
    with pytest.raises(BeatingBertError, match="no answers after"):
        play_peer(fake("sleeps"), TABLE, rows, tmp_path, Heard().conditions(budget=1.0))
    assert [one.poll() is None for one in processes] == [False]
    assert read_result(tmp_path) is None


def test_an_interruption_takes_the_peer_along(
    rows: Rows, tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    conditions = Conditions(budget=60.0, threads=1, tell=print, tick=interrupted)
    with pytest.raises(KeyboardInterrupt):
        play_peer(fake("sleeps"), TABLE, rows, tmp_path, conditions)
    assert [one.poll() is None for one in processes] == [False]
    assert read_result(tmp_path) is None
    assert not (tmp_path / "work").exists()


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Whatever the contest has started."""
    started: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def start(*given: Any, **named: Any) -> subprocess.Popen[bytes]:
        started.append(real(*given, **named))
        return started[-1]

    with monkeypatch.context() as patch:
        patch.setattr(contest.subprocess, "Popen", start)
        yield started


def test_two_commands_do_not_do_the_same_work(rows: Rows, tmp_path: Path) -> None:
    with contest._alone(tmp_path), pytest.raises(RunBusyError, match="another process is working"):
        play_peer(fake("reads"), TABLE, rows, tmp_path, Heard().conditions())


def test_the_right_to_work_is_let_go_at_the_end_of_the_work(tmp_path: Path) -> None:
    kept = contest._alone(tmp_path)  # not let go merely because nobody holds the object any more
    with kept:
        pass
    with contest._alone(tmp_path):
        pass


def test_a_decision_that_is_there_is_our_result(decided: Path, rows: Rows, tmp_path: Path) -> None:
    told = json.loads((decided / "decision.json").read_text(encoding="utf-8"))
    found = read_decided(decided, rows)
    assert data_revision(decided) == rows.revision
    assert found.recommended == "TF-IDF"
    assert (found.budget, found.seconds) == (60.0, told["seconds"]["spent"])
    assert found.answers.keys() == rows.gold.keys()
    right = sum(found.answers[id] == label for id, label in rows.gold.items())
    assert right / rows.test > 0.9
    kept = keep_decided(found, TABLE, rows, tmp_path)
    assert read_result(tmp_path) == kept
    assert kept.notes == {"recommended": "TF-IDF"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"partial": True}, "was interrupted"),
        ({"metric": "accuracy"}, "--metric macro_f1"),
        ({"recommended": None}, "recommends nobody"),
    ],
)
def test_a_decision_that_is_none_for_this_is_refused(
    decided: Path, rows: Rows, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    told = json.loads((decided / "decision.json").read_text(encoding="utf-8"))
    (tmp_path / "decision.json").write_text(json.dumps({**told, **change}), encoding="utf-8")
    (tmp_path / "runs").symlink_to(decided / "runs")
    with pytest.raises(BeatingBertError, match=message):
        read_decided(tmp_path, rows)


def test_a_decision_on_other_rows_is_refused(decided: Path, data_dir: Path, rows: Rows, tmp_path: Path) -> None:
    other = hand_out(File(name="other", path="other.csv"), data_dir, tmp_path / "other" / "rows")
    with pytest.raises(DataError, match="decided on other files"):
        read_decided(decided, other)
    fewer = dict(list(rows.gold.items())[1:])
    moved = Rows(
        folder=rows.folder, revision=rows.revision, labels=rows.labels, train=1, development=1, test=1, gold=fewer
    )
    with pytest.raises(DataError, match="tested on other rows"):
        read_decided(decided, moved)


def test_ours_is_decide_with_the_same_time_and_seed(
    decided: Path, data_dir: Path, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f"import shutil, sys; print(sys.argv[1:]); shutil.copytree({str(decided)!r}, sys.argv[-1])"
    monkeypatch.setattr(contest, "COMMAND", script)
    table = File(name="tiny", path="tiny.csv", columns={"text": "text"})
    found = play_ours(table, data_dir / "tiny.csv", rows, tmp_path / "ours", Heard().conditions())
    said = (tmp_path / "ours" / "log.txt").read_text(encoding="utf-8")
    for words in ("'decide'", "'--text', 'text'", "'--metric', 'macro_f1'", "'--budget', '60s'", "'--seed', '99'"):
        assert words in said
    assert found.notes["recommended"] == "TF-IDF"
    assert read_result(tmp_path / "ours") == found


def test_the_lead_is_the_difference_of_macro_f1_on_the_same_rows(rows: Rows) -> None:
    gold = dict(rows.gold)
    names = list(gold)
    turned = {"positive": "negative", "negative": "positive"}
    worse = {id: turned[label] if at < 6 else label for at, (id, label) in enumerate(gold.items())}
    worst = dict.fromkeys(gold, "positive")
    table = compare("tiny", rows, [result("weak", worst), result("ours", gold), result("good", worse)], {"x": "why"})
    assert [line.system for line in table.lines] == ["ours", "good", "weak"]
    assert table.best_peer is not None
    assert table.best_peer.system == "good"
    assert table.lines[0].lead is None
    for line, answers in zip(table.lines[1:], (worse, worst), strict=True):
        theirs = f1_score([gold[id] for id in names], [answers[id] for id in names], average="macro")
        assert line.lead is not None
        assert line.lead.value == pytest.approx(1 - theirs)
        assert line.macro_f1.value == pytest.approx(theirs)
        assert line.lead.low < line.lead.value < line.lead.high
    assert table.verdict == "ahead"
    told = table.to_json()
    assert (told["best_peer"], told["verdict"], told["missing"]) == ("good", "ahead", {"x": "why"})


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(0.001, 0.02, "ahead"), (-0.009, 0.02, "as good"), (-0.02, 0.02, "open"), (-0.02, -0.001, "behind")],
)
def test_what_an_interval_allows_to_say(low: float, high: float, said: str) -> None:
    assert judge(Interval((low + high) / 2, low, high, 0.95)) == said


def test_without_ours_nothing_is_compared(rows: Rows) -> None:
    table = compare("tiny", rows, [result("setfit", dict(rows.gold))], {"ours": "not run yet"})
    assert table.verdict == ""
    assert sentences(table) == ["Missing: beatingbert decide: not run yet."]


def test_only_the_section_of_the_page_is_replaced(rows: Rows, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    ours = result("ours", dict(rows.gold), notes={"recommended": "a|b <i>"}, versions={"torch": "2.13.0"})
    peer = result("tfidf-words", dict.fromkeys(rows.gold, "positive"), versions={"scikit-learn": "1.9.1"})
    table = compare("tiny", rows, [ours, peer], {"setfit": "no index | here"})
    write_page([table], budget=600.0, cores=1, page=page)
    write_page([table], budget=600.0, cores=1, page=page)
    before, after = PAGE.read_text(encoding="utf-8"), page.read_text(encoding="utf-8")
    assert after.split("<!--")[0] == before.split("<!--")[0]
    assert after.count("### tiny:") == 1
    for words in (r"a\|b \<i\>", "10 min 00 s and 1 core each", "torch 2.13.0", "ours is ahead", r"no index \| here"):
        assert words in after
    lines = [line for line in render_markdown([table], budget=600.0, cores=1).splitlines() if line.startswith("|")]
    assert len({line.replace(r"\|", "").count("|") for line in lines}) == 1


def test_results_of_different_conditions_do_not_meet(tmp_path: Path) -> None:
    require_same_settings(tmp_path, budget=600.0, cores=1)
    require_same_settings(tmp_path, budget=600.0, cores=1)
    with pytest.raises(SettingsError, match=r"600 s on 1 core.*60 s on 1 core.*another --output_dir"):
        require_same_settings(tmp_path, budget=60.0, cores=1)


def test_a_failure_is_forgotten_once_there_is_a_result(tmp_path: Path) -> None:
    keep_failure(tmp_path, "no index")
    assert read_failure(tmp_path) == "no index"
    result("setfit", {"1": "a"}).keep(tmp_path)
    assert read_failure(tmp_path) is None


def test_peers_are_chosen_by_name_and_by_family() -> None:
    assert [one.name for one in choose_peers(["tfidf"])] == ["tfidf-words", "tfidf-letters"]
    assert [one.name for one in choose_peers(["setfit", "tfidf-letters"])] == ["tfidf-letters", "setfit"]
    with pytest.raises(UnknownNameError, match="Did you mean 'setfit'"):
        choose_peers(["setfi"])
    for one in systems.PEERS:
        assert one.environment in ("", *environments.PACKAGES)
        assert (ROOT / f"{one.module.replace('.', '/')}.py").is_file()


def test_a_half_made_environment_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEATINGBERT_CACHE", str(tmp_path))
    monkeypatch.setattr(environments, "PACKAGES", {"thing-1": ("thing==1",)})
    ran: list[list[str]] = []
    works = False

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        ran.append(command)
        if "venv" in command:
            Path(command[-1]).mkdir()
        fails = "install" in command and not works
        return subprocess.CompletedProcess(command, int(fails), '[{"name": "thing", "version": "1"}]', "no such thing")

    monkeypatch.setattr(environments.subprocess, "run", run)
    heard: list[str] = []
    with pytest.raises(MissingExtraError, match=r"no such thing\. By hand: .*pip install .*thing==1"):
        environments.install("thing-1", heard.append)
    works = True
    python = environments.install("thing-1", heard.append)
    assert python.is_relative_to(tmp_path / "peers" / "thing-1")
    tries = len(ran)
    assert environments.install("thing-1", heard.append) == python
    assert len(ran) == tries
    assert len(heard) == 2
    monkeypatch.setattr(environments, "PACKAGES", {"thing-1": ("thing==1", "more==2")})
    environments.install("thing-1", heard.append)
    assert len(heard) == 3
    assert environments.install("", heard.append) == Path(sys.executable)


@pytest.mark.parametrize("setting", ["words", "letters"])
def test_the_usual_recipe_learns_a_rule(rows: Rows, tmp_path: Path, setting: str) -> None:
    import time

    from benchmarks.own.by_tfidf import STRENGTHS, WEIGHTS, play

    job = Job(
        rows=str(rows.folder),
        setting=setting,
        checkpoint="",
        labels=rows.labels,
        begun=time.time(),
        seconds=600.0,
        threads=1,
        seed=99,
    )
    answers, notes = play(job, tmp_path)
    right = sum(answer == label for answer, label in zip(answers, rows.gold.values(), strict=True))
    assert right / rows.test > 0.9
    assert notes["whole_folds"] == 5
    assert notes["fits"] == 5 * len(STRENGTHS) * len(WEIGHTS)


def test_without_time_the_first_settings_are_all_that_is_tried(rows: Rows, tmp_path: Path) -> None:
    from benchmarks.own.by_tfidf import play

    job = Job(
        rows=str(rows.folder),
        setting="words",
        checkpoint="",
        labels=rows.labels,
        begun=0.0,
        seconds=1.0,
        threads=1,
        seed=99,
    )
    answers, notes = play(job, tmp_path)
    assert len(answers) == rows.test
    assert (notes["fits"], notes["whole_folds"]) == (1, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no data: give --data_dir"),
        (["--data_dir", "x", "--cores", "4096"], "this machine's cores are 0 to"),
        (["--data_dir", "x", "--files", "tricks"], "unknown file 'tricks'"),
        (["--data_dir", "x", "--peers", "setfi"], "unknown peer 'setfi'"),
        (["--data_dir", "x", "--budget", "soon"], "--budget 'soon' is no time"),
        (["--data_dir", "x", "--decided", "x"], "'x' holds no finished decision"),
    ],
)
def test_misuse_is_refused_with_the_way_out(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BEATINGBERT_DATA", raising=False)
    try:
        status = own_data.main(arguments)
    except SystemExit as left:
        status = int(str(left.code))
    assert status == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_the_command_fills_a_table_and_goes_on(
    data_dir: Path, decided: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "FILES", (TABLE,))
    monkeypatch.setattr(systems, "PEERS", (fake("fails"), fake("majority")))
    flags = ["--data_dir", str(data_dir), "--output_dir", str(tmp_path / "out"), "--json", str(tmp_path / "found.json")]
    flags += ["--decided", str(decided)]
    assert own_data.main(flags) == 1
    told = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    (table,) = told["tables"]
    assert told["budget"] == 60.0
    assert [one["system"] for one in table["systems"]] == ["ours", "fake-majority"]
    assert table["verdict"] == "ahead"
    assert "the peer has lost its way" in table["missing"]["fake-fails"]
    monkeypatch.setattr(systems, "PEERS", (fake("majority"),))
    capsys.readouterr()
    assert own_data.main(flags) == 0
    heard = capsys.readouterr()
    assert "tiny: majority" not in heard.err
    assert "ours is ahead" in " ".join(heard.out.split())
