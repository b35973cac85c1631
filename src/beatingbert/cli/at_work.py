"""`beatingbert predict`, `export` and `serve`: a classifier that a run has left, at work."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.markup import escape

from beatingbert.classifiers.estimator import KeptClassifier, load_classifier
from beatingbert.cli.console import err, live, out
from beatingbert.errors import SettingsError

Kept = tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="PATH")]]
Runtime = Literal["auto", "own", "onnx"]


@dataclass(frozen=True, kw_only=True)
class Predict:
    """Answer every row of a file of any size with a classifier that a run has kept.

    The file is .csv, .tsv, .jsonl (each also .gz) or .parquet, with the task's text columns.

    The output has the same rows and columns in the same order, and two more: label and probability.

    Stopped or killed, the same command goes on where it was.

    In CSV and TSV, a cell that a spreadsheet would run as a formula gets an apostrophe.

    Attributes:
        path: The classifier: RUN/classifier, or a RUN that was made with --keep_classifier.
        file: The rows.
        output: Where they go with their answers; the same format, and never overwritten.
        runtime: 'onnx' is the form that 'beatingbert export' has written, 'own' the engine itself; 'auto' takes the
            exported form where there is one.
        chunk_rows: Rows that are answered, and kept against a kill, together.
    """

    path: Kept
    file: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="FILE")]]
    output: Annotated[Path, tyro.conf.arg(aliases=("-o",))]
    runtime: Runtime = "auto"
    chunk_rows: int = 256

    def __call__(self) -> int:
        """Answer, and tell how it went."""
        from beatingbert.classifiers.streaming import predict_file, require_places

        if self.chunk_rows < 1:
            raise SettingsError(f"--chunk_rows must be at least 1, got {self.chunk_rows}")
        require_places(self.file, self.output)  # before a model is loaded
        with live(f"predict {self.file.name}") as progress:
            classifier = load_classifier(self.path, runtime=self.runtime, progress=progress)
            started = time.perf_counter()
            done = predict_file(classifier, self.file, self.output, chunk_rows=self.chunk_rows, progress=progress)
            seconds = time.perf_counter() - started
        if done.taken_up:
            out.print(f"{done.taken_up:,} rows had been answered by an earlier call, which this one has gone on with")
        counts = ", ".join(f"{escape(label)} {count:,}" for label, count in sorted(done.counts.items()))
        answered = done.rows - done.taken_up
        out.print(f"{done.rows:,} rows: {counts} ({answered / seconds:,.0f} rows a second, {describe(classifier)})")
        if done.unanswered:
            out.print(f"warning: {done.unanswered:,} replies named no label; their cells are empty")
        out.print(f"{escape(str(done.output))}: columns {' and '.join(done.columns)} added")
        return 0


@dataclass(frozen=True, kw_only=True)
class Export:
    """Write a kept encoder in ONNX form, for 'predict' and 'serve'; needs 'beatingbert[onnx]'.

    Before it is kept it is held against the PyTorch model on the development rows.

    Both accuracies and the share of rows that both answer alike are printed.

    A form that answers otherwise too often is refused.

    Attributes:
        path: The classifier: RUN/classifier, or a RUN that was made with --keep_classifier.
        format: The form.
        int8: Round weights and what they are multiplied with to 8 bits: a quarter of the size, faster on most
            processors, and a little less exact.
        rows: Labelled file to compare on. Default: the development rows that the run has kept with the classifier.
        min_agreement: Smallest share of rows that both must answer alike.
    """

    path: Kept
    format: Literal["onnx"] = "onnx"
    int8: bool = False
    rows: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    min_agreement: float = 0.98

    def __call__(self) -> int:
        """Export, compare and tell."""
        from beatingbert.classifiers.exported import export_kept

        with live(f"export {self.path}") as progress:
            folder, found = export_kept(
                self.path, int8=self.int8, rows_file=self.rows, min_agreement=self.min_agreement, progress=progress
            )
        out.print(
            f"on {found.rows:,} development rows: {found.agreement:.1%} answered alike; accuracy "
            f"{found.accuracy_after:.1%}, PyTorch {found.accuracy_before:.1%}; probabilities differ by "
            f"{found.largest_difference:.2g} at most"
        )
        out.print(
            f"{found.bytes_after / 1e6:,.1f} MB, PyTorch {found.bytes_before / 1e6:,.1f} MB: {escape(str(folder))}"
        )
        return 0


@dataclass(frozen=True, kw_only=True)
class Serve:
    """Answer HTTP requests with a kept classifier; needs 'beatingbert[serve]'.

    POST /predict takes {"texts": [...]}, GET /health tells who answers, /docs is the page of both.

    Requests that come at once are answered together.

    There are no keys and no encryption: open it to others only behind a proxy of yours.

    Attributes:
        path: The classifier: RUN/classifier, or a RUN that was made with --keep_classifier.
        host: Where to listen; 0.0.0.0 is every network that this machine is in.
        port: On which port.
        runtime: As in 'beatingbert predict'.
        max_body_mb: Longest request; longer ones are answered by 413.
        max_texts: Texts in a request; more are answered by 422.
        max_characters: Characters of a text; more are answered by 422.
        max_waiting: Texts that may wait; while more do, the answer is 503 and the client should try again.
        max_together: Texts that are answered in one go.
    """

    path: Kept
    host: str = "127.0.0.1"
    port: int = 8000
    runtime: Runtime = "auto"
    max_body_mb: float = 4.0
    max_texts: int = 256
    max_characters: int = 50_000
    max_waiting: int = 2048
    max_together: int = 64

    def __call__(self) -> int:
        """Serve until stopped."""
        from beatingbert.classifiers.server import Limits, require_serving, serve

        require_serving()
        if not 0 < self.port < 65536:
            raise SettingsError(f"--port must lie between 1 and 65535, got {self.port}")
        limits = Limits(
            body_bytes=int(self.max_body_mb * 1e6),
            texts=self.max_texts,
            characters=self.max_characters,
            waiting=self.max_waiting,
            together=self.max_together,
        )
        with live(f"serve {self.path}") as progress:
            classifier = load_classifier(self.path, runtime=self.runtime, progress=progress)
        err.print(
            f"{describe(classifier)} answers at http://{self.host}:{self.port}/predict; its page is /docs",
            markup=False,
        )
        serve(classifier, host=self.host, port=self.port, limits=limits)
        return 0


def describe(classifier: KeptClassifier) -> str:
    """Who answers, in a few words."""
    runtime = "" if classifier.runtime == "own" else " by ONNX Runtime"
    return f"{classifier.about.engine}{runtime} on {classifier.task.name}"
