"""The interval of the difference between two trainers over seeds."""

from __future__ import annotations

import pytest
from benchmarks.seeds import difference


def test_the_interval_is_welchs() -> None:
    # By hand: means 3 and 5, variances 1 and 4, three each; t(0.975) at 2.94 degrees of freedom is 3.2197.
    low, high = difference([2.0, 3.0, 4.0], [3.0, 5.0, 7.0])
    assert (low + high) / 2 == pytest.approx(-2.0)
    assert (high - low) / 2 == pytest.approx(3.2197 * (5 / 3) ** 0.5, rel=1e-3)
