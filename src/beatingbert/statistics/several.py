"""Whether any of several classifiers differs from the others on the same rows, before pairs are looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from beatingbert.errors import MisalignedError, TooFewExamplesError
from beatingbert.statistics.discordant import check_right

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class CochranQ:
    """Cochran's Q test.

    Attributes:
        statistic: Q; 0 where all classifiers are right equally often.
        degrees: of freedom, one less than there are classifiers.
        p_value: of the hypothesis that all are right equally often.
    """

    statistic: float
    degrees: int
    p_value: float


def cochran_q(right: BoolArray) -> CochranQ:
    """Test whether all classifiers are right equally often; with two it is McNemar's test without correction.

    The p-value is that of the chi-squared approximation, good from about four discordant rows per classifier on.

    Args:
        right: shape (rows, classifiers), True where that classifier was right on that row.

    Returns:
        Statistic 0 and p-value 1 where no row tells any two apart.

    Raises:
        MisalignedError: not a matrix.
        TooFewExamplesError: under two rows or two classifiers.
        TypeError: not bool.
    Source: Cochran (1950).
    """
    import numpy as np
    from scipy.special import chdtrc

    right = np.asarray(right)
    check_right(right)
    if right.ndim != 2:
        raise MisalignedError(f"expected shape (rows, classifiers), got {right.shape}")
    rows, classifiers = right.shape
    if rows < 2 or classifiers < 2:
        raise TooFewExamplesError(f"Cochran's Q needs two rows and two classifiers, got {rows} and {classifiers}")
    hits, agreeing = right.sum(axis=0), right.sum(axis=1)
    total = int(hits.sum())
    chance = classifiers * total - int((agreeing**2).sum())
    spread = (classifiers - 1) * (classifiers * int((hits**2).sum()) - total**2)
    statistic = spread / chance if chance else 0.0
    return CochranQ(statistic, classifiers - 1, float(chdtrc(classifiers - 1, statistic)))
