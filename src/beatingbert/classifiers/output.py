"""The user's rows written back in the format they came in, with two more columns. Nothing else of them is changed.

But one thing: in CSV and TSV, which spreadsheets open, a cell that would be run as a formula gets an apostrophe before
it, as in every table that is exported here (`runs.store.disarmed`); a number with a sign gets none.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

from beatingbert.classifiers.journal import Answer
from beatingbert.runs.files import disarmed
from beatingbert.tasks.rows import StoredRow
from beatingbert.tasks.tables import PARQUET_ROWS, stream_table

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
Names = tuple[str, str]
"""Of the label's and the probability's column."""


def write_table(source: Path, target: IO[bytes], answers: Iterable[Answer], names: Names, *, packed: bool) -> int:
    """Write every row of a file with its answer; returns their number.

    Args:
        source: the file that was answered.
        target: open for writing.
        answers: one per row, in order.
        names: of the two columns.
        packed: whether what is written is compressed by gzip.

    Raises:
        ValueError: there are more rows than answers, or fewer.
    """
    kind = source.name.removesuffix(".gz").rpartition(".")[2]
    if kind == "parquet":
        return _write_parquet(source, target, iter(answers), names)
    # No time of writing in the header: the same answers are the same bytes.
    body = cast(IO[bytes], gzip.GzipFile(fileobj=target, mode="wb", filename="", mtime=0)) if packed else target
    text = io.TextIOWrapper(body, encoding="utf-8", newline="", write_through=False)
    with source.open("rb") as file:
        rows = stream_table(file, str(source))
        count = {"csv": _write_csv, "tsv": _write_tsv, "jsonl": _write_jsonl}[kind](rows, text, answers, names)
    text.flush()
    text.detach()
    if packed:
        body.close()
    return count


def _write_csv(rows: Iterator[StoredRow], text: io.TextIOBase, answers: Iterable[Answer], names: Names) -> int:
    writer = csv.writer(text)
    count = 0
    for row, answer in zip(rows, answers, strict=True):
        if count == 0:
            writer.writerow([_safe(name) for name in (*row.cells, *names)])
        writer.writerow([_safe(cell) for cell in (*row.cells.values(), *_cells(answer))])
        count += 1
    return count


def _write_tsv(rows: Iterator[StoredRow], text: io.TextIOBase, answers: Iterable[Answer], names: Names) -> int:
    """Tabs part and nothing is quoted, as such a file is read; nothing in it holds a tab or a line end."""
    count = 0
    for row, answer in zip(rows, answers, strict=True):
        if count == 0:
            text.write("\t".join(str(_safe(name)) for name in (*row.cells, *names)) + "\n")
        text.write("\t".join(str(_safe(cell)) for cell in (*row.cells.values(), *_cells(answer))) + "\n")
        count += 1
    return count


def _write_jsonl(rows: Iterator[StoredRow], text: io.TextIOBase, answers: Iterable[Answer], names: Names) -> int:
    count = 0
    for row, answer in zip(rows, answers, strict=True):
        whole = {**row.cells, **dict(zip(names, answer, strict=True))}
        line = json.dumps(whole, ensure_ascii=False)
        # Half of a surrogate pair, which some files hold in an escape, has no bytes of its own.
        text.write((line if _has_bytes(line) else json.dumps(whole)) + "\n")
        count += 1
    return count


def _safe(cell: Any) -> Any:
    return cell if isinstance(cell, str) and NUMBER.fullmatch(cell) else disarmed(cell)


def _has_bytes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _cells(answer: Answer) -> tuple[str, str]:
    label, probability = answer
    return label or "", "" if probability is None else repr(probability)


def _write_parquet(source: Path, target: IO[bytes], answers: Iterator[Answer], names: Names) -> int:
    """The file's own types stay, for its columns go through as they are."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    file = parquet.ParquetFile(source)
    schema = file.schema_arrow.append(pa.field(names[0], pa.string())).append(pa.field(names[1], pa.float64()))
    count = 0
    with parquet.ParquetWriter(target, schema) as writer:
        for batch in file.iter_batches(batch_size=PARQUET_ROWS):
            chosen: list[Any] = list(islice(answers, batch.num_rows))
            if len(chosen) < batch.num_rows:
                raise ValueError(f"{len(chosen)} answers for {batch.num_rows} rows")
            columns = [
                *batch.columns,
                pa.array([label for label, _ in chosen], pa.string()),
                pa.array([probability for _, probability in chosen], pa.float64()),
            ]
            writer.write_batch(pa.record_batch(columns, schema=schema))
            count += batch.num_rows
    if next(answers, None) is not None:
        raise ValueError(f"more answers than the {count} rows")
    return count
