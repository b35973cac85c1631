"""Which texts are the same, and which nearly so? Duplicates that are parted by a split make a test too easy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

NEAR = 0.8  # Jaccard index of words and pairs of words
COMPARED = 4000  # letters of a text that are compared; the rest of a longer one is not
NEIGHBOURS = 16  # texts after it, among those that share a rare word, with which a text is compared
FEATURES = 2**22
BATCH = 100_000  # pairs
# Japanese, Chinese, Thai: no blanks between words.
UNSPACED = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0e7f"
WORD = rf"[{UNSPACED}]|[^\W{UNSPACED}]+"  # a word, or one letter of such a script

IntArray = NDArray[np.int64]


def fold(text: str) -> str:
    """What makes two texts the same: blanks collapsed, case folded, as `tasks.subsample.text_key` does."""
    return " ".join(text.split()).casefold()


def same_texts(texts: Sequence[str]) -> IntArray:
    """A number for each text, equal exactly where the folded texts are."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(fold(text), len(numbers)) for text in texts], dtype=np.int64)


def near_texts(texts: Sequence[str]) -> IntArray:
    """A number for each text, equal where texts are the same or joined by a chain of near duplicates.

    Near duplicates have a Jaccard index of at least 0.8 over their words and pairs of neighbouring words, which
    forgives case, punctuation and about one word in twenty.

    Only texts that share one of their rarest features can be so near (prefix filtering: Chaudhuri et al., A primitive
    operator for similarity joins, 2006). Of many texts that share one, in their order by the alphabet, each is compared
    with the next 16: templates that are filled in thousands of times are joined by their neighbours.

    Args:
        texts: any order; 100,000 of 20 words take some seconds.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from sklearn.feature_extraction.text import HashingVectorizer

    folded = [fold(text[:COMPARED]) + ("" if len(text) <= COMPARED else f" {len(text)}") for text in texts]
    unique, back = np.unique(np.array(folded, dtype=object), return_inverse=True)
    if len(unique) < 2:
        return np.asarray(back, dtype=np.int64)
    counter = HashingVectorizer(
        n_features=FEATURES,
        token_pattern=WORD,
        ngram_range=(1, 2),
        lowercase=False,
        binary=True,
        norm=None,
        alternate_sign=False,
        dtype=np.float32,
    )
    matrix = counter.transform(unique)
    sizes = np.diff(matrix.indptr)
    row, feature = _prefixes(matrix, sizes)
    components = np.arange(len(unique))
    joined: list[IntArray] = []
    for step in range(1, NEIGHBOURS + 1):
        together = feature[step:] == feature[:-step]
        if not together.any():
            break
        pairs = np.unique(np.stack([row[:-step][together], row[step:][together]]), axis=1)
        small, large = np.sort(sizes[pairs], axis=0)
        pairs = pairs[:, (small >= NEAR * large) & (components[pairs[0]] != components[pairs[1]])]
        near = pairs[:, _jaccard(matrix, sizes, pairs) >= NEAR]
        if near.size:
            joined.append(near)
            first, second = np.concatenate(joined, axis=1)
            edges = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(len(unique), len(unique)))
            components = connected_components(edges, directed=False)[1]
    return np.asarray(components[back], dtype=np.int64)


def join(*numberings: Sequence[int] | IntArray) -> IntArray:
    """A number for each row, equal where any of the numberings joins two rows, directly or by a chain."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows = len(numberings[0])
    at = np.arange(rows)
    edges = []
    for numbering in numberings:
        _, first, back = np.unique(np.asarray(numbering), return_index=True, return_inverse=True)
        edges.append(np.stack([at, first[back]]))
    start, end = np.concatenate(edges, axis=1) if edges else (at, at)
    graph = coo_array((np.ones(len(start), dtype=np.int32), (start, end)), shape=(rows, rows))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _prefixes(matrix: Any, sizes: NDArray[Any]) -> tuple[IntArray, IntArray]:
    """(row, feature) of each text's rarest features, by feature and then by row, without those that only it has."""
    seen = np.bincount(matrix.indices, minlength=matrix.shape[1])
    order = np.lexsort((matrix.indices, seen[matrix.indices], np.repeat(np.arange(len(sizes)), sizes)))
    feature = matrix.indices[order].astype(np.int64)
    row = np.repeat(np.arange(len(sizes)), sizes)
    position = np.arange(len(row)) - np.repeat(matrix.indptr[:-1], sizes)
    length = sizes - np.ceil(NEAR * sizes - 1e-9).astype(int) + 1
    kept = (position < length[row]) & (seen[feature] > 1)
    row, feature = row[kept], feature[kept]
    by_feature = np.lexsort((row, feature))
    return row[by_feature], feature[by_feature]


def _jaccard(matrix: Any, sizes: NDArray[Any], pairs: NDArray[Any]) -> NDArray[np.float64]:
    """Of each pair of rows: features of both by features of either."""
    parts = [np.zeros(0)]
    for start in range(0, pairs.shape[1], BATCH):
        first, second = pairs[:, start : start + BATCH]
        both = np.asarray(matrix[first].multiply(matrix[second]).sum(axis=1)).ravel()
        parts.append(both / (sizes[first] + sizes[second] - both))
    return np.concatenate(parts)
