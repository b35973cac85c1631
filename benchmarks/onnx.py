"""A kept encoder one question at a time: by transformers, by our own answering path, and by ONNX Runtime.

Every question goes to all contestants in turn, so that whatever else the machine does falls on all alike; ratios are of
medians. Agreement is with plain PyTorch in fp32 on the same questions. Needs a run of an encoder that was made with
--keep_classifier, and evaluation rows of its task.

    python -m benchmarks.onnx RUN --data_dir DIR --rows 872 --threads 1 2
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from rich.table import Table
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from beatingbert.classifiers.estimator import KeptClassifier, load_classifier
from beatingbert.classifiers.exported import export_kept
from beatingbert.classifiers.kept import FOLDER, find_kept
from beatingbert.cli.console import out, quiet_libraries
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.splits import load_splits
from benchmarks.table import describe_machine

WARM_UP = 20  # questions
AIM, AGREEMENT_AIM = 2.0, 0.98
PLAIN, OWN, FP32, INT8 = "PyTorch fp32", "beatingbert's own", "ONNX Runtime fp32", "ONNX Runtime int8"


@dataclass
class Contestant:
    """Who answers, and what came of it."""

    name: str
    answer: Callable[[Question], str | None]
    seconds: list[float] = field(default_factory=list)
    labels: list[str | None] = field(default_factory=list)


def main() -> None:
    """Export, answer, and print a table for each number of threads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="of an encoder, made with --keep_classifier")
    parser.add_argument("--data_dir", type=Path, default=os.environ.get("BEATINGBERT_DATA"), help="folder of the data")
    parser.add_argument("--rows", type=int, default=872, help="questions at most")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    quiet_libraries()
    kept = find_kept(arguments.run)
    with tempfile.TemporaryDirectory() as place:
        copies = {INT8: Path(place) / "int8" / FOLDER, FP32: Path(place) / "fp32" / FOLDER}
        for name, copy in copies.items():
            shutil.copytree(kept, copy)
            shutil.rmtree(copy / "onnx", ignore_errors=True)
            _, found = export_kept(copy, int8=name == INT8, min_agreement=0.0)
            size = f"{found.bytes_after / 1e6:.1f} MB"
            out.print(f"{name}: {size}; {found.agreement:.1%} of {found.rows} development rows answered alike")
        for threads in arguments.threads:
            os.environ["OMP_NUM_THREADS"] = str(threads)
            torch.set_num_threads(threads)
            own = load_classifier(kept, runtime="own")
            rows = evaluation_rows(own, arguments.data_dir, arguments.rows)
            contestants = [Contestant(PLAIN, plain(kept, own)), Contestant(OWN, kept_one(own))]
            contestants += [Contestant(name, kept_one(load_classifier(copies[name]))) for name in (FP32, INT8)]
            answer_in_turn(contestants, [row.question for row in rows])
            out.print(f"\n{describe_machine()}\n{threads} thread(s), {len(rows)} questions one at a time")
            out.print(table(contestants, rows))


def evaluation_rows(classifier: KeptClassifier, data_dir: Path, rows: int) -> list[Example]:
    """Rows of the task's first evaluation split."""
    task = classifier.task
    splits = load_splits(task, data_dir=data_dir, eval_size=rows, need_train=False)
    return splits.evaluation[task.evaluation[0]]


def plain(kept: Path, classifier: KeptClassifier) -> Callable[[Question], str | None]:
    """The model as transformers loads it, called as its documentation does."""
    tokenizer = AutoTokenizer.from_pretrained(kept / "model")
    model = AutoModelForSequenceClassification.from_pretrained(kept / "model", dtype=torch.float32).eval()
    labels = classifier.task.labels

    def answer(question: Question) -> str:
        inputs = tokenizer(*question.texts.values(), truncation=True, max_length=512, return_tensors="pt")
        with torch.inference_mode():
            return labels[int(model(**inputs).logits.argmax())]

    return answer


def kept_one(classifier: KeptClassifier) -> Callable[[Question], str | None]:
    """What `load_classifier` gives."""
    return lambda question: classifier.answers([question])[0].label


def answer_in_turn(contestants: Sequence[Contestant], questions: Sequence[Question]) -> None:
    """Every question to everybody before the next one."""
    for one in contestants:
        for question in questions[:WARM_UP]:
            one.answer(question)
    for question in questions:
        for one in contestants:
            started = time.perf_counter()
            label = one.answer(question)
            one.seconds.append(time.perf_counter() - started)
            one.labels.append(label)


def table(contestants: Sequence[Contestant], rows: Sequence[Example]) -> Table:
    """Medians, ratios to the first, agreement with it, accuracy."""
    made = Table(box=None, pad_edge=False)
    for name in ("who", "p50 ms", "p95 ms", "x PyTorch", "same answers", "accuracy"):
        made.add_column(name, justify="left" if name == "who" else "right")
    first = contestants[0]
    for one in contestants:
        ratio = statistics.median(first.seconds) / statistics.median(one.seconds)
        alike = share(a == b for a, b in zip(one.labels, first.labels, strict=True))
        missed = one.name == INT8 and (ratio < AIM or alike < AGREEMENT_AIM)
        made.add_row(
            one.name,
            f"{1e3 * statistics.median(one.seconds):.2f}",
            f"{1e3 * statistics.quantiles(one.seconds, n=20)[-1]:.2f}",
            f"{ratio:.2f}",
            f"{alike:.1%}",
            f"{share(label == row.label for label, row in zip(one.labels, rows, strict=True)):.1%}",
            style="yellow" if missed else None,
        )
    return made


def share(right: Iterable[bool]) -> float:
    """Of those that are true."""
    found = list(right)
    return sum(found) / len(found)


if __name__ == "__main__":
    main()
