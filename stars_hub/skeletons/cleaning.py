"""Cleaning of one recording: gaps, empty frames, identity switches, surplus persons, frame rate.

Pure functions over float arrays (T, M, V, 3) in metres. NaN is an unknown joint; a person who is not there in
a frame is all zeros in it. No function changes its argument, and one that has nothing to do returns it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stars_hub.errors import SequenceError
from stars_hub.skeletons.gaps import fill_gaps
from stars_hub.skeletons.identities import bridge_identities, count_switches
from stars_hub.skeletons.layouts import SkeletonLayout, get_layout
from stars_hub.skeletons.presence import FloatArray, check_joints, present

IntArray = npt.NDArray[np.int64]

__all__ = [
    "CleaningReport",
    "bridge_identities",
    "center_sequence",
    "clean",
    "fill_gaps",
    "limit_persons",
    "person_order",
    "present",
    "remove_empty_frames",
    "resample_fps",
]


@dataclass(frozen=True)
class CleaningReport:
    """What `clean` did to one recording.

    Attributes:
        frames_before: frames that came.
        frames_after: frames that are left.
        empty_frames: frames without anybody that were dropped.
        joints_filled: unknown joints of a person in a frame that got a value.
        persons_dropped: persons beyond the wanted number, who moved less.
        switches_bridged: frames at which persons changed places in the file and were put back.
        fps: the frame rate of the input, where it was resampled.
    """

    frames_before: int
    frames_after: int
    empty_frames: int = 0
    joints_filled: int = 0
    persons_dropped: int = 0
    switches_bridged: int = 0
    fps: float | None = None

    @property
    def changed(self) -> bool:
        """Whether anything was done at all."""
        counts = self.empty_frames, self.joints_filled, self.persons_dropped, self.switches_bridged
        return any(counts) or self.fps is not None or self.frames_before != self.frames_after


def limit_persons(joints: FloatArray, num_persons: int) -> FloatArray:
    """Keep the persons who move most, in order of motion.

    Motion is the variance over all joints and all frames in which the person is there, summed over x, y, z.

    Args:
        joints: (T, M, V, 3).
        num_persons: how many to keep; where there are not more, nothing changes.

    Returns:
        (T, min(M, num_persons), V, 3).

    Raises:
        SequenceError: wrong shape, or `num_persons` below 1.
    """
    if num_persons < 1:
        raise SequenceError(f"at least one person is kept, not {num_persons}")
    if joints.shape[1] <= num_persons:
        return joints
    return joints[:, np.argsort(-_motion(joints), kind="stable")[:num_persons]]


def person_order(joints: FloatArray, num_persons: int) -> IntArray:
    """The places of the persons whom an encoder sees, as encoding and training order them.

    Persons who are never there come last; of too many, those who move most are kept, as by `limit_persons`.

    Args:
        joints: (T, M, V, 3).
        num_persons: how many an encoder takes.

    Returns:
        (min(M, num_persons),) places among the M persons.
    """
    if joints.shape[1] == 1:
        return np.zeros(1, dtype=np.int64)
    never = ~present(joints).any(axis=0)
    if (~never).sum() > num_persons:
        return np.lexsort((never, -_motion(joints)))[:num_persons]
    return np.argsort(never, kind="stable")[:num_persons]


def _motion(joints: FloatArray) -> FloatArray:
    """(M,), of each person the variance while there, summed over x, y and z."""
    there = present(joints)
    motion = np.zeros(joints.shape[1])
    for person in np.flatnonzero(there.any(axis=0)):
        motion[person] = np.nanvar(joints[there[:, person], person], axis=(0, 1)).sum()
    return motion


def remove_empty_frames(joints: FloatArray) -> FloatArray:
    """Drop the frames, leading and inner ones too, in which nobody has a known coordinate that is not zero.

    Args:
        joints: (T, M, V, 3).

    Returns:
        (T', M, V, 3). A recording that is empty throughout keeps one frame, of zeros.
    """
    kept = present(joints).any(axis=1)
    if kept.all():
        return joints
    return joints[kept] if kept.any() else np.zeros_like(joints[:1])


def center_sequence(joints: FloatArray, joint: int) -> FloatArray:
    """Move a recording so that a joint of person 1 starts at the origin.

    The origin is that joint in the first frame in which person 1 is there and the joint is known; it is
    subtracted everywhere, and persons who are absent in a frame stay all zeros in it.

    Args:
        joints: (T, M, V, 3).
        joint: index of the joint, in the NTU preprocessing the middle of the spine.

    Returns:
        (T, M, V, 3), unchanged where person 1 is never there.
    """
    there = present(joints)
    usable = there[:, 0] & ~np.isnan(joints[:, 0, joint]).any(axis=1)
    if not usable.any():
        return joints
    origin = joints[np.argmax(usable), 0, joint]
    return np.where(there[..., None, None], joints - origin, joints)


def resample_fps(joints: FloatArray, fps: float, target: float = 30.0) -> FloatArray:
    """Bring a recording to another frame rate, linearly over time; the first frame stays the first.

    Between frames of which one lacks the person or the joint, the nearer frame is taken as it is.

    Args:
        joints: (T, M, V, 3).
        fps: its frames per second.
        target: the frames per second wanted.

    Returns:
        (T', M, V, 3) with T' = round(T * target / fps), at least 1.

    Raises:
        SequenceError: a frame rate that is not a positive finite number.
    """
    if not (0 < fps < np.inf and 0 < target < np.inf):
        raise SequenceError(f"frame rates are positive numbers, not {fps} and {target}")
    if fps == target:
        return joints
    count = max(1, round(len(joints) * target / fps))
    place = np.minimum(np.arange(count) * (fps / target), len(joints) - 1)
    left = place.astype(np.intp)
    right = np.minimum(left + 1, len(joints) - 1)
    weight = (place - left).astype(joints.dtype)[:, None, None, None]
    usable = present(joints)[..., None] & ~np.isnan(joints).any(axis=3)
    mixed = (1 - weight) * joints[left] + weight * joints[right]
    nearest = joints[np.where(place - left < 0.5, left, right)]
    return np.where((usable[left] & usable[right])[..., None], mixed, nearest)


def clean(
    joints: FloatArray,
    *,
    layout: str | SkeletonLayout,
    num_persons: int = 2,
    fps: float | None = None,
    target_fps: float = 30.0,
    bridge: bool = True,
    centered: bool = False,
) -> tuple[FloatArray, CleaningReport]:
    """Make a recording fit for the encoder, and say what that took.

    In this order: persons who changed places are put back, the persons who move most are kept, gaps are
    filled, the frame rate is changed, frames without anybody are dropped, and the recording is centred.

    Args:
        joints: (T, V, 3) or (T, M, V, 3) metres.
        layout: whose bones lead from a joint that is never known to its neighbours.
        num_persons: how many persons to keep.
        fps: frames per second of the recording; where not given, its rate is left alone.
        target_fps: frames per second wanted.
        bridge: whether to look for persons who change places.
        centered: whether to end with the middle of person 1's spine at the origin (`center_sequence`).

    Returns:
        joints (T', M', V, 3) without NaN, and the report.

    Raises:
        SequenceError: wrong shape, an infinite number, or another number of joints than the layout's.
    """
    layout = get_layout(layout)
    joints = check_joints(joints[:, None] if joints.ndim == 3 else joints)
    if joints.shape[2] != layout.num_joints:
        raise SequenceError(
            f"layout {layout.name} has {layout.num_joints} joints, the recording {joints.shape[2]}"
        )
    bridged = bridge_identities(joints) if bridge else joints
    limited = limit_persons(bridged, num_persons)
    filled = fill_gaps(limited, layout.parents)
    timed = filled if fps is None else resample_fps(filled, fps, target_fps)
    kept = remove_empty_frames(timed)
    persons_lost = present(bridged).any(axis=0).sum() - present(limited).any(axis=0).sum()
    got_values = np.isnan(limited).any(axis=3) & present(filled)[..., None]
    report = CleaningReport(
        frames_before=len(joints),
        frames_after=len(kept),
        empty_frames=len(timed) - len(kept),
        joints_filled=int(got_values.sum()),
        persons_dropped=int(persons_lost),
        switches_bridged=0 if bridged is joints else count_switches(joints),
        fps=None if timed is filled else fps,
    )
    return (center_sequence(kept, layout.spine_middle) if centered else kept), report
