"""Pages made by hand: one to work with, and one in which every text tries to become markup."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from beatingbert.report.contenders import Kind
from beatingbert.report.page.data import (
    Answer,
    Curve,
    CurvePoint,
    Estimate,
    Outcome,
    PageData,
    Pair,
    Question,
    Row,
    Run,
    Sheet,
    Verdict,
)

SCRIPT = "<script>alert(1)</script>"
RUNS = ("bert (fine-tuned on 100)", "gemma (zero-shot)", "majority")
LABELS = ("negative", "positive")


def row(model: str = "bert", **about: Any) -> Row:
    """A line of the leaderboard."""
    plain = {
        "task": "sst2",
        "kind": Kind.ENCODER,
        "how": "fine-tuned on 100",
        "machine": "A",
        "precision": "fp32",
        "seeds": 1,
        "rows": 4,
        "accuracy": Estimate(0.75, 0.5, 0.9),
        "macro_f1": 0.7,
        "mcc": 0.5,
        "ece": 0.1,
        "p50_ms": 10.0,
        "p95_ms": 12.0,
        "per_second": 700.0,
        "memory_mib": 512.0,
        "load_seconds": 1.0,
        "train_seconds": 60.0,
        "cost_per_million": 0.4,
        "unparsed": 0,
        "truncated": 0,
    }
    return Row(model=model, **{**plain, **about})


def sheet(answers: dict[str, tuple[str, str, str]], gold: dict[str, str], *, name: str = "sst2", **about: Any) -> Sheet:
    """Three runs' answers to some questions; `answers` and `gold` by the question's text."""
    questions = [
        Question(
            id=str(at),
            gold=gold[text],
            texts={"sentence": text},
            choices=(),
            answers=tuple(
                Answer(
                    label=label,
                    probabilities={label: 0.9, LABELS[label == "negative"]: 0.1},
                    reply=f" {label}" if run == 1 else None,
                    prompt=f"Is this good?\nReview: {text.strip()}\nAnswer:" if run == 1 else None,
                )
                for run, label in enumerate(labels)
            ),
        )
        for at, (text, labels) in enumerate(answers.items())
    ]
    right = [[one.answers[run].label == one.gold for one in questions] for run in range(3)]
    pairs = []
    for first, second in combinations(range(3), 2):
        both = list(zip(right[first], right[second], strict=True))
        differ = sum(one.answers[first].label != one.answers[second].label for one in questions)
        counts = {"only_first": (True, False), "only_second": (False, True), "both_wrong": (False, False)}
        found = {name: both.count(case) for name, case in counts.items()}
        pairs.append(Pair(first=first, second=second, differ=differ, **found))
    kinds = (Kind.ENCODER, Kind.PROMPTED, Kind.BASELINE)
    runs = [Run(name=run, kind=kind, right=sum(own)) for run, kind, own in zip(RUNS, kinds, right, strict=True)]
    whole = {
        "name": name,
        "rows": len(questions),
        "runs": tuple(runs),
        "left_out_runs": 0,
        "pairs": tuple(pairs),
        "questions": tuple(one for one in questions if any(answer.label != one.gold for answer in one.answers)),
        "wrong_rows": sum(any(answer.label != one.gold for answer in one.answers) for one in questions),
    }
    return Sheet(**{**whole, **about})


def small_page() -> PageData:
    """Two tasks, three contenders, one sheet: bert and gemma differ on three of its six rows."""
    good, bad = "positive", "negative"
    answers = {
        "a joy from start to end": (good, good, good),
        "a bore that never ends ": (bad, good, good),
        f"the review said {SCRIPT} and left": (bad, good, good),
        "not the mess that i feared": (bad, good, good),
        "so bad that it hurts": (good, good, good),
        "all of it is lost on me": (bad, bad, good),
    }
    gold = dict(zip(answers, (good, bad, bad, good, bad, bad), strict=True))
    rows = (
        row(),
        row("gemma", kind=Kind.PROMPTED, how="zero-shot", accuracy=Estimate(0.6, 0.4, 0.8), p50_ms=60.0, ece=None),
        row("majority", kind=Kind.BASELINE, how="trained on 100", accuracy=Estimate(0.5, 0.3, 0.7), p50_ms=0.002),
        row("bert", task="rte", accuracy=Estimate(0.9, 0.8, 0.95), p50_ms=100.0),
    )
    points = tuple(
        CurvePoint(train_rows=size, accuracy=Estimate(value, value - 0.1, value + 0.1), seeds=1)
        for size, value in ((10, 0.6), (100, 0.75))
    )
    level = CurvePoint(train_rows=0, accuracy=Estimate(0.6, 0.4, 0.8), seeds=2)
    return PageData(
        title="Who wins?",
        facts=("4 runs",),
        rows=rows,
        verdicts=(
            Verdict(task="sst2", outcome=Outcome.ENCODER, sentence="bert leads gemma by 15.0 points."),
            Verdict(task="rte", outcome=Outcome.OPEN, sentence="Nothing can be claimed."),
        ),
        curves=(
            Curve(task="sst2", kind=Kind.ENCODER, name="bert (fine-tuned)", points=points),
            Curve(task="sst2", kind=Kind.PROMPTED, name="gemma (zero-shot)", points=(level,)),
        ),
        sheets=(sheet(answers, gold),),
        notes=("A note.",),
    )


def hostile_page(text: str) -> PageData:
    """A page on which every text that may come from outside is this one."""
    answer = Answer(label=text, probabilities={text: 1.0}, reply=text, prompt=f"{text} {text}")
    wrong = Answer(label=None, reply=text)
    question = Question(id=text, gold=text, texts={text: text}, choices=(text,), answers=(answer, wrong))
    point = CurvePoint(train_rows=10, accuracy=Estimate(0.5, 0.4, 0.6), seeds=1)
    return PageData(
        title=text,
        facts=(text,),
        rows=(row(text, task=text, how=text, machine=text),),
        verdicts=(Verdict(task=text, outcome=Outcome.OPEN, sentence=text),),
        curves=(Curve(task=text, kind=Kind.ENCODER, name=text, points=(point,)),),
        sheets=(
            Sheet(
                name=text,
                rows=1,
                runs=(Run(name=text, kind=Kind.ENCODER, right=1), Run(name=text, kind=Kind.PROMPTED, right=0)),
                left_out_runs=0,
                pairs=(Pair(first=0, second=1, only_first=1, only_second=0, both_wrong=0, differ=1),),
                questions=(question,),
                wrong_rows=1,
            ),
        ),
        notes=(text,),
        currency=text,
    )
