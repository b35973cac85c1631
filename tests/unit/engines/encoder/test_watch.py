from __future__ import annotations

import math

import pytest
import torch

from beatingbert.engines.encoder.watch import LossWatch, weights_are_numbers


def losses(watch: LossWatch, *values: float) -> None:
    for value in values:
        watch.add(torch.tensor(value))


def test_losses_are_added_up_from_the_start_of_the_epoch() -> None:
    watch = LossWatch()
    assert watch.sum == 0
    losses(watch, 0.5, 0.25)
    assert watch.sum == 0.75
    watch.restart()
    losses(watch, 1.0)
    assert watch.sum == 1.0


def test_what_an_earlier_process_has_summed_up_is_counted_as_if_nothing_had_happened() -> None:
    values = [0.1 * number for number in range(1, 20)]
    unbroken, resumed = LossWatch(), LossWatch()
    losses(unbroken, *values)
    losses(resumed, *values[:7])
    kept = resumed.sum
    resumed.restart(kept)
    losses(resumed, *values[7:])
    assert resumed.sum == unbroken.sum


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_noticed_at_its_own_step(value: float) -> None:
    watch = LossWatch()
    losses(watch, 0.5)
    assert watch.look(1) is None
    losses(watch, value)
    found = watch.look(2)
    assert found is not None
    assert found[0] == 2
    assert not math.isfinite(found[1])


def test_nothing_is_wrong_before_the_first_loss() -> None:
    assert LossWatch().look(0, wait=True) is None


@pytest.mark.gpu
def test_on_a_gpu_the_step_is_known_without_waiting() -> None:
    watch = LossWatch()
    for step in range(1, 200):
        watch.add(torch.tensor(math.nan if step == 60 else 0.5, device="cuda"))
        if found := watch.look(step):
            break
    found = found or watch.look(200, wait=True)
    assert found is not None
    assert found[0] == 60


@pytest.mark.parametrize(("value", "sound"), [(1.0, True), (math.nan, False), (math.inf, False)])
def test_one_bad_weight_is_enough(value: float, sound: bool) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 2))
    with torch.no_grad():
        model[1].weight[1, 2] = value
    assert weights_are_numbers(model) is sound
