"""Random numbers and orders by key."""

import numpy as np

from stars_hub.transforms.keyed import keyed_order, keyed_uniform


def test_keyed_numbers_are_even_and_independent() -> None:
    numbers = keyed_uniform(0, 0, np.arange(50_000), 3)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    for column in numbers.T:
        counts = np.histogram(column, bins=20, range=(0, 1))[0]
        assert ((counts - 2500) ** 2 / 2500).sum() < 50  # chi-squared, 19 degrees: p < 0.0002
    others = [keyed_uniform(1, 0, np.arange(50_000), 1), keyed_uniform(0, 1, np.arange(50_000), 1)]
    others += [keyed_uniform(0, 0, np.arange(50_000), 1, purpose=9), numbers[1:, :1], numbers[:, 1:]]
    for other in others:
        for column in other.T:
            assert abs(np.corrcoef(numbers[: len(column), 0], column)[0, 1]) < 0.02
    assert (keyed_uniform(0, 0, np.array([7, 3]), 2) == numbers[[7, 3], :2]).all()
    assert (keyed_uniform(-5, 2**70, np.array([0]), 1) < 1).all()


def test_keyed_orders_are_permutations_that_seed_and_epoch_choose() -> None:
    orders = [keyed_order(seed, epoch, 1000) for seed in (0, 1) for epoch in (0, 1)]
    for order in orders:
        assert (np.sort(order) == np.arange(1000)).all()
    assert len({tuple(order) for order in orders}) == 4
    assert (keyed_order(0, 1, 1000) == orders[1]).all()
