"""A part of labelled recordings, for training with few labels."""

import numpy as np
import numpy.typing as npt

from stars_hub.errors import ConfigError


def stratified_subset(labels: npt.NDArray[np.int64], fraction: float, *, seed: int) -> npt.NDArray[np.int64]:
    """Draw a part of the samples at random, each class in proportion and with one sample at least.

    Classes get their places as parties get seats, by the highest quotients of Sainte-Laguë.

    Args:
        labels: (N,), the class of each sample.
        fraction: in (0, 1], the part that is drawn; at least one sample of each class.
        seed: the draw's.

    Returns:
        Indices, ascending.

    Raises:
        ConfigError: the fraction lies elsewhere.
    """
    if not 0 < fraction <= 1:
        raise ConfigError(f"fraction must lie in (0, 1], got {fraction}")
    order = np.random.default_rng(seed).permutation(len(labels))
    classes, which, sizes = np.unique(labels[order], return_inverse=True, return_counts=True)
    number = np.empty(len(order), dtype=np.int64)  # of a sample among those of its class, in random order
    for place, size in enumerate(sizes):
        number[which == place] = np.arange(size)
    quotient = np.where(number == 0, np.inf, sizes[which] / (number + 0.5))
    count = max(len(classes), round(fraction * len(labels)))
    chosen: npt.NDArray[np.int64] = np.sort(order[np.argsort(-quotient, kind="stable")[:count]])
    return chosen
