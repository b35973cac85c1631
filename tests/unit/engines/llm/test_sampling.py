from __future__ import annotations

import numpy as np
from scipy import stats

from beatingbert.engines.llm.sampling import draw_gumbel, open_stream


def test_the_noise_is_standard_gumbel() -> None:
    noise = draw_gumbel(np.random.default_rng(99), 20_000).numpy()
    assert stats.kstest(noise, stats.gumbel_r.cdf).pvalue > 0.001


def test_each_question_and_seed_has_random_numbers_of_its_own() -> None:
    asked = [(1, "a"), (1, "b"), (2, "a"), (11, "a"), (1, "1 a")]
    drawn = [float(open_stream(seed, question_id).random()) for seed, question_id in asked]
    assert len(set(drawn)) == len(asked)
    assert drawn == [float(open_stream(seed, question_id).random()) for seed, question_id in asked]


def test_the_random_numbers_are_the_same_in_every_process_and_version() -> None:
    assert open_stream(99, "q").random(3).tolist() == [0.7811484907154351, 0.1369384524516285, 0.9256857118515723]
