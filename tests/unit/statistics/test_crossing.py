import numpy as np
import pytest

from beatingbert.errors import MisalignedError, TooFewExamplesError
from beatingbert.statistics.crossing import redraw_scores, rows_from_which


@pytest.mark.parametrize(
    ("gaps", "rows"),
    [
        ([0.1, 0.2, 0.3], 0.0),
        ([0.0, 0.0, 0.0], 0.0),
        ([-0.1, 0.1, 0.2], 10**1.5),  # half the way from 10 to 100, over the logarithm
        ([-0.3, 0.1, 0.2], 10**1.75),
        ([0.2, -0.1, 0.1], 10**2.5),  # what is ahead only for a while does not count
        ([-0.1, 0.0, 0.1], 100.0),
        ([0.1, 0.2, -0.1], np.inf),
    ],
)
def test_a_crossing_is_where_the_lead_stays(gaps: list[float], rows: float) -> None:
    sizes = np.array([10.0, 100.0, 1000.0])
    assert rows_from_which(sizes, np.array([gaps])) == pytest.approx([rows])


def test_many_draws_are_many_single_ones() -> None:
    sizes = np.array([50.0, 200.0, 1000.0])
    gaps = np.random.default_rng(0).normal(size=(50, 3))
    together = rows_from_which(sizes, gaps)
    assert together == pytest.approx([rows_from_which(sizes, one[None])[0] for one in gaps])
    assert 0 < np.isinf(together).sum() < 50


def test_redrawn_scores_scatter_as_rows_and_seeds_do() -> None:
    generator = np.random.default_rng(1)
    one = generator.random((1, 400)) < 0.8
    scores = redraw_scores([one, one], draws=4000, seed=2)
    assert (scores[:, 0] == scores[:, 1]).all()  # the same rows for everybody
    assert scores[:, 0].mean() == pytest.approx(one.mean(), abs=0.002)
    share = float(one.mean())
    assert scores[:, 0].std() == pytest.approx(np.sqrt(share * (1 - share) / 400), rel=0.05)
    far = np.repeat(np.array([[True], [False]]), 400, axis=1)  # two seeds: all right, all wrong
    assert sorted(set(redraw_scores([far], draws=100, seed=3)[:, 0].round(6).tolist())) == [0.0, 0.5, 1.0]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(MisalignedError):
        rows_from_which(np.array([1.0, 2.0]), np.zeros((3, 3)))
    with pytest.raises(MisalignedError):
        redraw_scores([np.ones((1, 3), dtype=bool), np.ones((1, 4), dtype=bool)], draws=2, seed=0)
    with pytest.raises(TooFewExamplesError):
        redraw_scores([], draws=2, seed=0)
