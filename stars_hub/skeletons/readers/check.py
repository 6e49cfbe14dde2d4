"""The one check that joints of every format pass before they become a sequence."""

from pathlib import Path
from typing import Any

import numpy as np

from stars_hub.errors import SkeletonFileError
from stars_hub.skeletons.sequence import LARGEST_COORDINATE, MAX_PERSONS


def as_joints(values: Any, path: Path, *, what: str = "joints", line: int | None = None) -> np.ndarray:
    """Bring numbers of a file to (T, M, V, C) float32 with C = 2 or 3.

    Args:
        values: (T, V, C) or (T, M, V, C); None and NaN are unknown.
        path: for the error message.
        what: likewise, such as "sequence 3".
        line: likewise.

    Raises:
        SkeletonFileError: another shape, nothing in it, infinite numbers, or no numbers.
    """
    try:
        array = np.asarray(values)
        if array.dtype == object:  # JSON's null among numbers
            array = array.astype(np.float64)
        if array.dtype.kind not in "fiu":
            raise TypeError(f"they are {array.dtype}")
        with np.errstate(over="ignore", invalid="ignore"):
            joints = array.astype(np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise SkeletonFileError(
            f"{what}: expected numbers in a regular array ({error})", path, line
        ) from error
    if joints.ndim == 3:
        joints = joints[:, None]
    if joints.ndim != 4 or joints.shape[-1] not in (2, 3) or 0 in joints.shape:
        raise SkeletonFileError(
            f"{what}: expected (T, V, 3) or (T, M, V, 3) with nothing empty, got {array.shape}", path, line
        )
    if joints.shape[1] > MAX_PERSONS:
        raise SkeletonFileError(
            f"{what}: {array.shape} reads as (T, M, V, 3) with {joints.shape[1]} persons; "
            "a batch of sequences goes into a ragged .npz, or a file each",
            path,
            line,
        )
    if (np.abs(joints) > LARGEST_COORDINATE).any():
        message = f"{what}: coordinates are infinite or beyond {LARGEST_COORDINATE:g}"
        raise SkeletonFileError(message, path, line)
    return joints
