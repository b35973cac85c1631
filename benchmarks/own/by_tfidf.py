"""The usual strong recipe: TF-IDF and logistic regression, its strength chosen by cross-validation as far as time goes.

Five folds by class; in each of them every strength, with and without classes weighed alike. A fold that is begun is
ended only if the slowest fit so far says that the final fit still finds its time; the best mean over the folds that all
settings have seen is fitted on all rows.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.own.exchange import Job, answer_job

FOLDS = 5
STRENGTHS = (10.0, 1.0, 100.0, 3.0, 30.0, 0.3)  # the likeliest first, should time run out
WEIGHTS = (None, "balanced")
WAYS: Mapping[str, Mapping[str, Any]] = {
    "words": {"ngram_range": (1, 2)},
    "letters": {"analyzer": "char_wb", "ngram_range": (2, 5), "min_df": 2},
}
SLOWER = 1.5  # than the slowest fit on four fifths of the rows, that the final fit may be


def play(job: Job, folder: Path) -> tuple[Sequence[str], Mapping[str, Any]]:
    """Choose, fit on all rows, answer."""
    import numpy as np
    from joblib import Parallel, delayed
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.model_selection import StratifiedKFold

    rows = job.train()
    texts = np.array([row.joined for row in rows], dtype=object)
    labels = np.array([row.label for row in rows], dtype=object)
    settings = list(itertools.product(STRENGTHS, WEIGHTS))
    scores: list[dict[tuple[float, str | None], float]] = []
    slowest = 0.0
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=job.seed)

    def vectorizer() -> Any:
        return TfidfVectorizer(sublinear_tf=True, dtype=np.float32, **WAYS[job.setting])

    for learnt, held in _splits(folds, texts, labels):
        scores.append({})
        begun = time.time()
        words = vectorizer()
        inputs = words.fit_transform(texts[learnt]), words.transform(texts[held])
        reading = time.time() - begun
        for start in range(0, len(settings), job.threads):
            if slowest and job.left < (1 + SLOWER) * (slowest + reading):
                break
            some = settings[start : start + job.threads]
            begun = time.time()
            found = Parallel(n_jobs=job.threads)(
                delayed(_try)(inputs, labels[learnt], labels[held], one, job.seed) for one in some
            )
            slowest = max(slowest, time.time() - begun)
            scores[-1] |= dict(zip(some, found, strict=True))
        else:
            continue
        break
    strength, weight = _best(scores)
    words = vectorizer()
    model = _model((strength, weight), job.seed).fit(words.fit_transform(texts), labels)
    answers = model.predict(words.transform([row.joined for row in job.test()]))
    whole = sum(len(one) == len(settings) for one in scores)
    return list(answers), {"C": strength, "class_weight": weight, "whole_folds": whole, "fits": sum(map(len, scores))}


def _splits(folds: Any, texts: Any, labels: Any) -> Any:
    """The folds; scikit-learn's warning that a class has fewer rows than there are folds is no news."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return list(folds.split(texts, labels))


def _model(setting: tuple[float, str | None], seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=setting[0], class_weight=setting[1], max_iter=1000, random_state=seed)


def _try(inputs: Any, learnt: Any, held: Any, setting: tuple[float, str | None], seed: int) -> float:
    from sklearn.metrics import f1_score

    answers = _model(setting, seed).fit(inputs[0], learnt).predict(inputs[1])
    return float(f1_score(held, answers, average="macro", zero_division=0.0))


def _best(scores: Sequence[Mapping[tuple[float, str | None], float]]) -> tuple[float, str | None]:
    """By the mean over the folds that all settings have seen, or over those of the first fold that were tried."""
    whole = [one for one in scores if len(one) == len(STRENGTHS) * len(WEIGHTS)] or scores[:1]
    return max(whole[0], key=lambda setting: sum(one[setting] for one in whole))


if __name__ == "__main__":
    answer_job(play, ("scikit-learn",))
