"""NTU RGB+D: from the bodies of a `.skeleton` file to the persons of a recording.

Kinect loses people and finds them again under another id, and sees people in furniture. The field's common
preprocessing, followed here to the letter, keeps the bodies that move like people and joins those that follow
each other in time to at most two persons.

Reference: NTU RGB+D 120 (Liu et al. 2019, arXiv 1905.04757), and the preprocessing that STARS (arXiv
2407.10935) and MAMP (arXiv 2308.07092) share with their field.
"""

import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from einops import rearrange

from stars_hub.skeletons.readers.skeleton import NUM_JOINTS, SkeletonFile, read_skeleton_file
from stars_hub.skeletons.sequence import Sequence

_NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})")
_SHORTEST_BODY = 12  # frames; shorter ones are ghosts
_WIDE = 0.8  # a frame in which a body is wider than this times its height is no person's
_TOO_MANY_WIDE = 0.69754  # share of such frames that makes a body a thing
_SPINE_MIDDLE = 1


@dataclass(frozen=True, eq=False)
class _Track:
    """A body on the recording's clock: first and last frame, (n, 25, 3) joints, how much it moves."""

    start: int
    end: int
    joints: np.ndarray
    motion: float


def read_ntu(path: str | Path) -> list[Sequence]:
    """Read a `.skeleton` file of NTU RGB+D, cleaned as the field does it, centred on person 1's spine.

    Args:
        path: named SsssCcccPpppRrrrAaaa (setup, camera, performer, replication, action), or anything else:
            then label, subject and columns stay unknown.

    Returns:
        One sequence: joints (T, 1, 25, 3) if there was one body, else (T, 2, 25, 3), metres; label is the
        action minus 1. None, if there is nobody in any frame, or nobody with a coordinate other than zero.

    Raises:
        SkeletonFileError: the file cannot be read.

    Warns:
        UserWarning: every body was too short to be a person's; the longest is kept.
    """
    path = Path(path)
    content = read_skeleton_file(path)
    if not content.bodies:
        return []
    if len(content.bodies) > 1 and all(len(b.joints) < _SHORTEST_BODY for b in content.bodies.values()):
        warnings.warn(
            f"{path}: no body is seen in {_SHORTEST_BODY} frames; the longest is kept", stacklevel=2
        )
    joints = persons_of(content)
    if not joints.any():
        return []
    sequence = Sequence(joints, name=path.stem)
    if name := _NAME.fullmatch(path.stem):
        setup, camera, performer, replication, action = map(int, name.groups())
        sequence.label, sequence.subject = action - 1, performer
        sequence.columns = {"setup": setup, "camera": camera, "replication": replication}
    return [sequence]


def persons_of(content: SkeletonFile) -> np.ndarray:
    """Make persons of bodies: denoise, join, centre.

    Args:
        content: a file with at least one body.

    Returns:
        (T, M, 25, 3) float32; M = 1 if one body was left, else 2, of which the second may be all zeros.
        T is 0 if every frame was dropped as empty.
    """
    tracks, num_frames = _tracks(content)
    if len(tracks) == 1:
        return _centered(tracks[0].joints[:, None])
    tracks = _long_enough(tracks)
    tracks = sorted(_without_things(tracks), key=lambda track: -track.motion)
    joints = _joined(tracks, num_frames) if len(tracks) > 1 else tracks[0].joints[:, None]
    seen = rearrange(joints, "t m v c -> t (m v c)").sum(axis=1) != 0
    return _centered(joints[seen])


def _tracks(content: SkeletonFile) -> tuple[list[_Track], int]:
    """The bodies on a clock that only counts frames with somebody in them."""
    occupied = np.unique(np.concatenate([body.frames for body in content.bodies.values()]))
    tracks = []
    for body in content.bodies.values():
        # A body that leaves and returns is stored as if it had stayed: so did the authors.
        start = int(np.searchsorted(occupied, body.frames[0]))
        tracks.append(_Track(start, start + len(body.joints) - 1, body.joints, _motion(body.joints)))
    return tracks, len(occupied)


def _motion(joints: np.ndarray) -> float:
    """Variance over all frames and joints together, summed over x, y, z."""
    return float(rearrange(joints, "t v c -> (t v) c").var(axis=0).sum())


def _long_enough(tracks: list[_Track]) -> list[_Track]:
    kept = [track for track in tracks if len(track.joints) >= _SHORTEST_BODY]
    return kept or [max(tracks, key=lambda track: len(track.joints))]


def _without_things(tracks: list[_Track]) -> list[_Track]:
    """Drop bodies that are wider than people, and count only the upright frames of the others as motion."""
    kept = list(tracks)
    for track in tracks:
        if len(kept) == 1:
            break
        width, height = np.moveaxis(np.ptp(track.joints[..., :2], axis=1), -1, 0)
        upright = width <= _WIDE * height
        if 1 - upright.mean() >= _TOO_MANY_WIDE:
            kept.remove(track)
        else:
            motion = min(track.motion, _motion(track.joints[upright]))
            kept[kept.index(track)] = replace(track, motion=motion)
    return kept


def _joined(tracks: list[_Track], num_frames: int) -> np.ndarray:
    """Two persons (T, 2, 25, 3): each body joins the first of them whose time it does not share."""
    joints = np.zeros((num_frames, 2, NUM_JOINTS, 3), dtype=np.float32)
    intervals = [(tracks[0].start, tracks[0].end), (0, 0)]
    joints[tracks[0].start : tracks[0].end + 1, 0] = tracks[0].joints
    for track in tracks[1:]:
        for person, (start, end) in enumerate(intervals):
            if min(end, track.end) - max(start, track.start) <= 0:
                joints[track.start : track.end + 1, person] = track.joints
                intervals[person] = min(start, track.start), max(end, track.end)
                break
    return joints


def _centered(joints: np.ndarray) -> np.ndarray:
    """Put the middle of the first person's spine, when that person first appears, at the origin."""
    if not len(joints):
        return joints
    present = rearrange(joints != 0, "t m v c -> t m (v c)").any(axis=2)
    missing = rearrange(joints, "t m v c -> t m (v c)").sum(axis=2) == 0
    origin = joints[int(np.argmax(present[:, 0])), 0, _SPINE_MIDDLE]
    centered = joints - origin
    if joints.shape[1] == 2:
        centered[missing] = 0
    return centered
