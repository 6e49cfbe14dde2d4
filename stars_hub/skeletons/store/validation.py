"""Which joints a store takes, and how they become rows."""

from typing import Any

import numpy as np

from stars_hub.errors import StoreError
from stars_hub.skeletons.layouts import SkeletonLayout
from stars_hub.skeletons.sequence import LARGEST_COORDINATE, MAX_PERSONS


def check_joints(joints: Any, name: str, layout: SkeletonLayout) -> np.ndarray:
    """Return joints as (T, M, V, 3) float32.

    Args:
        joints: (T, V, 3) or (T, M, V, 3), metres. NaN (a joint unknown in a frame) is kept: it is filled
            when sequences are prepared for a model, not here.
        name: of the sequence, for errors.
        layout: gives V.

    Raises:
        StoreError: another shape, no frame, too many persons, infinite or absurd values.
    """
    try:
        array = np.asarray(joints)
        array = array.astype(np.float32) if array.dtype.kind in "biu" or array.dtype == np.float16 else array
    except (TypeError, ValueError) as error:
        raise StoreError(f"sequence {name!r}: its joints are no array of numbers ({error})") from error
    if array.ndim == 3:
        array = array[:, None]
    if array.dtype.kind != "f" or array.ndim != 4 or array.shape[2:] != (layout.num_joints, 3):
        flat = "; 2D joints get their z by convert_layout, or by prepare --units pixels"
        raise StoreError(
            f"sequence {name!r}: expected (T, {layout.num_joints}, 3) or (T, M, {layout.num_joints}, 3) "
            f"for the layout {layout.name!r}, got {np.shape(joints)} {array.dtype}"
            + (flat if array.shape[-1:] == (2,) else "")
        )
    if not array.shape[0] or not array.shape[1]:
        raise StoreError(f"sequence {name!r} is empty: its joints have the shape {np.shape(joints)}")
    if array.shape[1] > MAX_PERSONS:
        raise StoreError(
            f"sequence {name!r} has {array.shape[1]} persons, more than {MAX_PERSONS}: "
            "if that is a batch (N, T, V, 3), pass it as list(batch)"
        )
    with np.errstate(over="ignore"):
        array = array.astype(np.float32, copy=False)
    if (np.abs(array) > LARGEST_COORDINATE).any():
        raise StoreError(
            f"sequence {name!r} holds coordinates that are infinite or beyond {LARGEST_COORDINATE:g}: "
            "an unknown joint is NaN"
        )
    return array


def pack_rows(joints: Any, name: str, layout: SkeletonLayout, dtype: str) -> tuple[tuple[bool, ...], bytes]:
    """Validate joints and give the bytes that go to disk: (persons that are there, T, V, 3).

    Returns:
        For each person whether it is anywhere non-zero, and the rows of those who are.

    Raises:
        StoreError: see `check_joints`; also coordinates that float16 cannot hold.
    """
    array = check_joints(joints, name, layout)
    present = (array != 0).any(axis=(0, 2, 3))
    # (T, M, V, 3) -> (M, T, V, 3): a person's frames one after another
    rows = np.moveaxis(array[:, present], 1, 0)
    if dtype == "float16":
        with np.errstate(over="ignore"):
            rows = rows.astype(np.float16)
        if np.isinf(rows).any():
            raise StoreError(f"sequence {name!r} has coordinates beyond 65504 m, which float16 cannot hold")
    little_endian = rows.dtype.newbyteorder("<")
    return tuple(present.tolist()), np.ascontiguousarray(rows, dtype=little_endian).tobytes()
