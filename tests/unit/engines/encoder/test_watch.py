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


class Messenger:
    """Stands in for a CUDA event that arrives after some questions."""

    def __init__(self, questions: int) -> None:
        self.left = questions
        self.waited = False

    def query(self) -> bool:
        self.left -= 1
        return self.left < 0

    def synchronize(self) -> None:
        self.waited = True


def test_answers_that_come_late_name_the_right_step() -> None:
    watch = LossWatch()
    for step, value in ((1, 0.5), (2, math.nan), (3, math.nan)):
        watch._asked.append((step, torch.tensor(value), Messenger(questions=1)))
    assert watch._hear(wait=False) is None
    found = watch._hear(wait=False)
    assert found is None  # the first has arrived, the second not yet
    assert [step for step, _, _ in watch._asked] == [2, 3]
    found = watch._hear(wait=False)
    assert found is not None
    assert found[0] == 2


def test_who_must_know_now_waits() -> None:
    watch, last = LossWatch(), Messenger(questions=100)
    watch._asked.extend([(1, torch.tensor(0.5), Messenger(0)), (2, torch.tensor(math.inf), last)])
    assert watch._hear(wait=True) == (2, math.inf)
    assert last.waited


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
