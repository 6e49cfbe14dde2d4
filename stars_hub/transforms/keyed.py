"""Random numbers by address: each is a function of its key alone, so no order of drawing can change it.

A counter-based generator (SplitMix64's output function over a key) instead of a stream: what a sample gets
depends on the seed, the epoch and the sample's id, not on the batch, rank or thread that asks.

Reference: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
"""

import numpy as np
import numpy.typing as npt

_STEP = 0x9E3779B97F4A7C15  # 2^64 / golden ratio, odd
_MASK = 2**64 - 1


def _mix(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Scramble 64 bits, one to one."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def keyed_uniform(
    seed: int, epoch: int, ids: npt.NDArray[np.int64], count: int, *, purpose: int = 0
) -> npt.NDArray[np.float64]:
    """Give each sample its own uniform numbers.

    Args:
        seed: of the run.
        epoch: of the run.
        ids: (N,) sample ids.
        count: numbers wanted for each sample.
        purpose: what they are for; different purposes get independent numbers.

    Returns:
        (N, count) in [0, 1), 53 bits each.
    """
    key = np.zeros((1, 1), dtype=np.uint64)
    for part in (seed, epoch, purpose):
        key = _mix(key + np.array([[(part + 1) * _STEP & _MASK]], dtype=np.uint64))
    key = _mix(key + ids.astype(np.uint64)[:, None] * np.uint64(_STEP))
    bits = _mix(key + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_STEP))
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def keyed_order(seed: int, epoch: int, count: int, *, purpose: int = 1) -> npt.NDArray[np.int64]:
    """Shuffle 0 … count - 1: a permutation (count,) that seed and epoch alone decide."""
    places = keyed_uniform(seed, epoch, np.arange(count), 1, purpose=purpose)
    return np.argsort(places[:, 0], kind="stable")
