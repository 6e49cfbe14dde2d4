"""Recordings of four joints, and how they look as tables."""

from pathlib import Path

import numpy as np

from stars_hub.skeletons import read_sequence
from tests.motions import drifting

ONE = drifting(6)[:, 0, :4]  # (T, V, 3)
TWO = drifting(5, persons=2)[:, :, :4]  # (T, M, V, 3)


def equal(path: Path, expected: np.ndarray) -> None:
    joints = read_sequence(path)
    assert joints.dtype == np.float32
    np.testing.assert_array_equal(joints, expected)


def wide(joints: np.ndarray, delimiter: str = ",", newline: str = "\n") -> str:
    names = ["head", "neck", "hip", "foot"]
    lines = [delimiter.join(["frame", "person", *(f"{name}_{axis}" for name in names for axis in "xyz")])]
    for t, frame in enumerate(joints):
        lines += [
            delimiter.join([str(t), f"p{m}", *map(repr, person.ravel().tolist())])
            for m, person in enumerate(frame)
        ]
    return newline.join(lines) + newline
