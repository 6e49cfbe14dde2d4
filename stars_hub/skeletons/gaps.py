"""Unknown joints (NaN): filled over time where the joint is known in another frame, else over the bones."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stars_hub.errors import SequenceError
from stars_hub.skeletons.presence import BoolArray, FloatArray, check_joints, present


def _neighbour_weights(known: BoolArray, parents: Sequence[int]) -> npt.NDArray[np.float64]:
    """Rows that average, for each joint, the known joints that are the fewest bones away; (V, V)."""
    count = len(parents)
    steps = np.full((count, count), np.inf)
    np.fill_diagonal(steps, 0)
    for joint, parent in enumerate(parents):
        if parent >= 0:
            steps[joint, parent] = steps[parent, joint] = 1
    for middle in range(count):  # shortest ways over bones (Floyd and Warshall)
        steps = np.minimum(steps, steps[:, middle, None] + steps[None, middle])
    steps[:, ~known] = np.inf
    nearest = (steps == steps.min(axis=1, keepdims=True)) & known
    return nearest / nearest.sum(axis=1, keepdims=True)


def _fill_over_time(track: FloatArray, unknown: BoolArray, times: npt.NDArray[np.intp]) -> FloatArray:
    """Interpolate unknown joints of one person (T, V, 3) between the known frames, and hold the ends."""
    frames = np.arange(len(track))[:, None]
    before = np.maximum.accumulate(np.where(unknown, -1, frames))
    after = np.minimum.accumulate(np.where(unknown, len(track), frames)[::-1])[::-1]
    gaps, columns = np.nonzero(unknown & ~unknown.all(axis=0))
    left, right = before[gaps, columns], after[gaps, columns]
    left, right = np.where(left < 0, right, left), np.where(right == len(track), left, right)
    weight = (times[gaps] - times[left]) / np.maximum(times[right] - times[left], 1)
    weight = weight.astype(track.dtype)[:, None]
    filled = track.copy()
    filled[gaps, columns] = (1 - weight) * track[left, columns] + weight * track[right, columns]
    return filled


def fill_gaps(joints: FloatArray, parents: Sequence[int]) -> FloatArray:
    """Give every unknown joint a value.

    Between a person's first and last frame with a known joint, an unknown joint is interpolated linearly over
    time between the frames that know it, and held before the first and after the last of them. A joint that
    is never known takes, frame by frame, the mean of the known joints the fewest bones away. Before and
    after, and for a person of whom nothing is known, unknown joints are zeros: the person is not there.
    Frames in which all known joints of a person are zeros become all zeros, and nothing is interpolated from
    them.

    Args:
        joints: (T, M, V, 3); NaN in one coordinate makes the joint unknown.
        parents: the parent of each joint, -1 for the root.

    Returns:
        (T, M, V, 3) without NaN.

    Raises:
        SequenceError: wrong shape, an infinite number, or another number of joints than parents.
    """
    if joints.ndim == 4 and joints.shape[2] != len(parents):
        raise SequenceError(f"{joints.shape[2]} joints came with {len(parents)} parents")
    check_joints(joints)
    unknown: BoolArray = np.any(np.isnan(joints), axis=3)
    if not unknown.any():
        return joints
    filled = np.where(unknown[..., None], joints.dtype.type(0), joints)
    there = present(filled)
    absent = ~there & ~unknown.all(axis=2)
    for person in np.flatnonzero(unknown.any(axis=(0, 2)) & there.any(axis=0)):
        seen = np.flatnonzero(there[:, person])
        span = np.arange(seen[0], seen[-1] + 1)
        span = span[~absent[span, person]]  # frames without the person neither get nor give
        holes = unknown[span, person]
        track = _fill_over_time(filled[span, person], holes, span)
        never = holes.all(axis=0)
        if never.any():
            track[:, never] = _neighbour_weights(~never, parents)[never].astype(track.dtype) @ track
        filled[span, person] = track
    return filled
