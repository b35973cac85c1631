from __future__ import annotations

from torch.utils.data import DataLoader

from beatingbert.engines.encoder.order import LengthGroupedOrder

LENGTHS = [(number * 37) % 50 + 1 for number in range(400)]


def order(epoch: int, *, seed: int = 99, batch_size: int = 8) -> list[int]:
    made = LengthGroupedOrder(LENGTHS, batch_size, seed)
    made.set_epoch(epoch)
    return list(made)


def test_every_row_comes_once() -> None:
    assert sorted(order(0)) == list(range(400))
    assert len(LengthGroupedOrder(LENGTHS, 8, 99)) == 400


def test_seed_and_epoch_alone_decide() -> None:
    assert order(1) == order(1)
    assert order(0) != order(1)
    assert order(0) != order(0, seed=7)


def test_the_global_random_sequence_is_neither_read_nor_moved() -> None:
    import torch

    torch.manual_seed(1)
    before = order(0)
    drawn = torch.rand(1)
    torch.manual_seed(1)
    assert torch.rand(1) == drawn
    torch.manual_seed(2)
    assert order(0) == before


def test_batches_hold_rows_of_like_length() -> None:
    in_order = DataLoader(range(400), batch_size=8, sampler=LengthGroupedOrder(LENGTHS, 8, 99))  # type: ignore[arg-type]
    spreads = [max(LENGTHS[at] for at in batch) - min(LENGTHS[at] for at in batch) for batch in in_order]
    assert sum(spreads) / len(spreads) < 10  # of 49 that a random batch would nearly reach
