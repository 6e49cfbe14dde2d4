"""Recordings that a loader may meet, and its samples by number."""

import numpy as np
from torch import Tensor

from stars_hub.transforms import BatchLoader

COUNT = 23


def recordings() -> list[np.ndarray]:
    """One to four persons, 1 to 90 frames; with empty frames, persons who come late, unknown joints."""
    rng = np.random.default_rng(0)
    made = []
    for index in range(COUNT):
        joints = rng.normal(1, 1, (rng.integers(1, 91), 1 + index % 2, 25, 3)).astype(np.float32)
        if index in (3, 4, 9):
            joints[: len(joints) // 3] = 0  # nobody at first,
            joints[-1] = 0  # nor at the end
        if index in (5, 9, 11):
            joints[: len(joints) // 2, -1] = 0  # the last person comes late
        if index == 7:
            joints[: len(joints) // 2, 0] = 0  # person 1 does
        if index in (8, 11):
            joints[rng.random(joints.shape[:3]) < 0.1] = np.nan
        if index == 12:
            joints[:, 0, [0, 22]] = np.nan  # never known, the first joint among them
        if index == 13:
            joints[:, 1] = 0  # a second person who is zeros throughout
        if index == 15:
            joints[:, 0] = 0  # a first one
        if index == 17:
            joints[:, 0] = np.nan  # or one of whom nothing is known
        if index in (18, 19):
            joints = np.concatenate([joints[:, :1] / 4, joints, joints[:, :1] * 2], axis=1)  # a crowd
        if index == 20:
            joints = np.concatenate([0 * joints, joints, 2 * joints], axis=1)  # no crowd: the first is nobody
        made.append(joints)
    return made


def by_id(*loaders: BatchLoader) -> dict[int, Tensor]:
    return {
        int(i): x for loader in loaders for batch in loader for i, x in zip(batch.ids, batch.x, strict=True)
    }
