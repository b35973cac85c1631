"""AutoGluon: its tables with n-grams of texts as columns, by two of its presets; or its multi-modal text models.

The texts of a pair stay columns of their own. AutoGluon is told what time is left when its library is loaded, less what
comes after training may take, and keeps to it by itself.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.own.exchange import Job, Row, answer_job

ANSWERING = 0.05  # of the time, that is kept for the end at least
MOST_SHARE, LEAST_SHARE = 0.3, 0.4  # of the time, that joining checkpoints may take, and that is for training anyway
HELD_SHARE, MOST_HELD = 0.2, 2500  # rows that AutoGluon holds out, at most
SLOWER = 1.5  # than the bare encoder, that answering is
TRIED_ROWS, BATCH_SIZE = 64, 32  # its own batch size for answers
MULTIMODAL = "multimodal"
BAGGED = ("best_quality",)
LABEL = "label"
AUGMENTED_BY = ["random_swap(0.05)", "random_delete(0.05)", "insert_punc"]
"""What AutoGluon does to texts in training by default, less synonyms: those need WordNet, which would have to come from
elsewhere, and without it there is a vain download for every text."""
FEW_THREADS = 4  # below which AutoGluon fits its folds one after the other here, without starting Ray
_kept: list[Any] = []  # definitions go when their library does


def play(job: Job, folder: Path) -> tuple[Sequence[str], Mapping[str, Any]]:
    """Fit for as long as there is time, then answer."""
    import torch

    torch.set_num_threads(job.threads)
    return (_multimodal if job.setting == MULTIMODAL else _tabular)(job, folder)


def _tabular(job: Job, folder: Path) -> tuple[Sequence[str], Mapping[str, Any]]:
    from autogluon.tabular import TabularPredictor

    predictor = TabularPredictor(
        label=LABEL,
        problem_type=_problem(job),
        eval_metric="f1_macro",
        path=str(folder / "autogluon"),
        verbosity=2,
    )
    predictor.fit(
        _table(job.train()),
        time_limit=_time_limit(job),
        presets=job.setting,
        num_cpus=job.threads,
        num_gpus=_gpus(),
        **_without_ray(job),
    )
    answers = predictor.predict(_table(job.test()).drop(columns=LABEL))
    board = predictor.leaderboard(silent=True)
    return list(answers), {"models": len(board), "best": str(predictor.model_best)}


def _multimodal(job: Job, folder: Path) -> tuple[Sequence[str], Mapping[str, Any]]:
    _bring_torchvision()
    from autogluon.multimodal import MultiModalPredictor

    predictor = MultiModalPredictor(
        label=LABEL,
        problem_type=_problem(job),
        eval_metric="f1_macro",
        # Of two classes its f1_macro would be the F1 of one of them: there it chooses by what is its own default.
        validation_metric="roc_auc" if len(job.labels) == 2 else "f1_macro",
        path=str(folder / "autogluon"),
        verbosity=2,
    )
    averaging, ending = _ending(job)
    predictor.fit(
        _table(job.train()),
        time_limit=max(LEAST_SHARE * job.left, job.left - ending),
        seed=job.seed,
        hyperparameters={
            "model.names": ["hf_text"],
            "model.hf_text.checkpoint_name": job.checkpoint,
            "model.hf_text.text_train_augment_types": AUGMENTED_BY,
            "optim.top_k_average_method": averaging,
            "env.num_gpus": _gpus(),
            "env.num_workers": 0,
            "env.num_workers_inference": 0,
        },
        column_types=dict.fromkeys(_names(job.train()[0]), "text"),
    )
    answers = predictor.predict(_table(job.test()).drop(columns=LABEL), as_pandas=False)
    return list(answers), {"averaging": averaging, "seconds_kept_for_the_end": round(ending)}


def _ending(job: Job) -> tuple[str, float]:
    """How to join the best checkpoints, and the seconds that this and answering take; `time_limit` does not cover them.

    The default, a greedy soup, answers the held-out rows once for each of three checkpoints. Where that takes too much
    of the time, the best checkpoint is taken as it is.
    """
    learnt, asked = len(job.train()), len(job.test())
    held = min(MOST_HELD, HELD_SHARE * learnt)
    row = SLOWER * _seconds_per_row(job)
    soup = row * (3 * held + asked) + ANSWERING * job.seconds
    if soup <= MOST_SHARE * job.seconds:
        return "greedy_soup", soup
    return "best", row * asked + ANSWERING * job.seconds


def _seconds_per_row(job: Job) -> float:
    """Of reading a few of the test rows with the encoder as it is."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    texts = [row.joined for row in job.test()[:TRIED_ROWS]]
    tokenizer, model = AutoTokenizer.from_pretrained(job.checkpoint), AutoModel.from_pretrained(job.checkpoint)
    begun = time.time()
    with torch.inference_mode():
        for start in range(0, len(texts), BATCH_SIZE):
            model(**tokenizer(texts[start : start + BATCH_SIZE], padding=True, truncation=True, return_tensors="pt"))
    return (time.time() - begun) / len(texts)


def _bring_torchvision() -> None:
    """Let torchvision be imported beside a CPU build of torch.

    AutoGluon imports it whatever the data are. The registry's build of it is for CUDA: beside a torch without CUDA its
    operators are missing, and it stumbles over two that it only wants to describe. Texts need none of them.
    """
    import torch

    if torch.version.cuda is None:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor boxes, Tensor scores, float threshold) -> Tensor")
        _kept.append(library)
    import torchvision  # noqa: F401


def _table(rows: Sequence[Row]) -> Any:
    import pandas as pd

    columns: dict[str, list[Any]] = {name: [row.texts[at] for row in rows] for at, name in enumerate(_names(rows[0]))}
    return pd.DataFrame({**columns, LABEL: [row.label for row in rows]})


def _names(row: Row) -> list[str]:
    return [f"text_{at}" for at in range(1, len(row.texts) + 1)]


def _without_ray(job: Job) -> dict[str, Any]:
    """What spares the seconds that Ray's processes take to start, where there are no cores for them to use."""
    if job.threads >= FEW_THREADS or job.setting not in BAGGED:
        return {}
    return {
        "ag_args_ensemble": {"fold_fitting_strategy": "sequential_local"},
        "ds_args": {"memory_safe_fits": False},
    }


def _problem(job: Job) -> str:
    return "binary" if len(job.labels) == 2 else "multiclass"


def _time_limit(job: Job) -> float:
    return max(5.0, job.left - ANSWERING * job.seconds)


def _gpus() -> int:
    import torch

    return int(torch.cuda.device_count())


if __name__ == "__main__":
    answer_job(play, ("autogluon.tabular", "autogluon.multimodal", "transformers", "torch", "lightgbm", "catboost"))
