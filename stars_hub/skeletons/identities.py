"""Identity switches: a tracker that gives a person another slot in the middle of a recording."""

from itertools import combinations

import numpy as np
import numpy.typing as npt

from stars_hub.skeletons.presence import FloatArray, present


def _ways(tracks: FloatArray, slots: FloatArray, max_jump: float) -> npt.NDArray[np.float64]:
    """Mean distance (M, M) of the joints known in both, from where each track was to what each slot holds.

    A track not seen yet, and a slot without a known joint in common, count as `max_jump` away.
    """
    distances = np.linalg.norm(tracks[:, None] - slots[None], axis=-1)
    known = ~np.isnan(distances)
    total, count = np.where(known, distances, 0).sum(axis=-1), known.sum(axis=-1)
    return np.where(count > 0, np.minimum(total / np.maximum(count, 1), max_jump), max_jump)


def _shortest(ways: npt.NDArray[np.float64], order: list[int]) -> list[int]:
    """Swap the slots of two tracks as long as that shortens the sum of all ways by more than rounding."""
    order, improved = list(order), True
    while improved:
        improved = False
        for a, b in combinations(range(len(order)), 2):
            gain = ways[a, order[a]] + ways[b, order[b]] - ways[a, order[b]] - ways[b, order[a]]
            if gain > 1e-6:
                order[a], order[b] = order[b], order[a]
                improved = True
    return order


def identity_order(joints: FloatArray, *, max_jump: float = 0.5) -> npt.NDArray[np.intp]:
    """Find which slot holds which person, frame by frame.

    Each person is compared with where they were last seen. Persons change slots where that makes the sum of
    the ways shorter; a way longer than `max_jump` says nothing, so that somebody new who appears in a free
    slot is not taken for somebody who left.

    Args:
        joints: (T, M, V, 3) metres.
        max_jump: the longest way, as a mean over the joints, that a person makes from frame to frame.

    Returns:
        (T, M): the slot in which person m of the first frame is found in frame t.
    """
    there = present(joints)
    count = joints.shape[1]
    tracks = np.full((count, *joints.shape[2:]), np.nan, dtype=joints.dtype)
    orders = np.tile(np.arange(count), (len(joints), 1))
    order = list(range(count))
    for frame, (slots, here) in enumerate(zip(joints, there, strict=True)):
        ways = np.where(here[None], _ways(tracks, slots, max_jump), 0)  # an empty slot costs nothing
        orders[frame] = order = _shortest(ways, order)
        found = here[order]
        tracks[found] = slots[order][found]
    return orders


def bridge_identities(joints: FloatArray, *, max_jump: float = 0.5) -> FloatArray:
    """Put persons back who change places in the array between frames, by the nearest skeleton.

    Args:
        joints: (T, M, V, 3) metres.
        max_jump: the longest way, as a mean over the joints, that a person makes from frame to frame.

    Returns:
        (T, M, V, 3); person m is who was seen first in slot m.
    """
    if joints.shape[1] < 2:
        return joints
    orders = identity_order(joints, max_jump=max_jump)
    if (orders == np.arange(joints.shape[1])).all():
        return joints
    return np.take_along_axis(joints, orders[:, :, None, None], axis=1)


def count_switches(joints: FloatArray, *, max_jump: float = 0.5) -> int:
    """Count the frames at which persons change places; joints (T, M, V, 3)."""
    orders = identity_order(joints, max_jump=max_jump)
    return int((np.diff(orders, axis=0) != 0).any(axis=1).sum())
