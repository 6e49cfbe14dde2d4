"""What the numbers of a recording mean: unit, axes, confidence; and whether they can be a person's size."""

import warnings

import numpy as np

from stars_hub.errors import LayoutError
from stars_hub.skeletons.joint_rules import combination, combine
from stars_hub.skeletons.layouts import FRONT_OF_UP, SkeletonLayout, get_layout

METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001}
TORSO_METRES = 0.5  # pelvis to shoulder centre of an adult; Kinect v2 recordings: 0.51
IMPOSSIBLE_TORSO = 10.0  # metres: nobody's, whatever the unit was meant to be
PLAUSIBLE_TORSO = (0.2, 1.0)  # metres: a small child, and an adult with a good deal of measurement error
DIMS = {"xy": 2, "xyc": 3, "xyz": 3, "xyzc": 4}


def torso_length(joints: np.ndarray, layout: str | SkeletonLayout) -> float | None:
    """Median distance from pelvis to shoulder centre over all persons and frames that show one.

    Args:
        joints: (..., V, 3) in any unit; NaN: unknown, a person of zeros: absent.
        layout: of the joints.

    Returns:
        the length in the unit of the joints; None where no frame shows it, or the layout has no torso.
    """
    names = get_layout(layout).joint_names
    if any(combination(joint, frozenset(names)) is None for joint in ("pelvis", "shoulder_center")):
        return None
    ends = combine(joints, names, ("pelvis", "shoulder_center"))
    lengths = np.linalg.norm(ends[..., 1, :] - ends[..., 0, :], axis=-1)
    lengths = lengths[np.isfinite(lengths) & (lengths > 0)]
    return float(np.median(lengths)) if lengths.size else None


def plausible_units(joints: np.ndarray, layout: str | SkeletonLayout, *, units: str = "m") -> str | None:
    """Warn where joints cannot have the unit that they are said to have, and name the likely one.

    A size that no unit explains, such as that of skeletons normalised by somebody, is no reason to warn.

    Args:
        joints: (..., V, 3) as recorded.
        layout: of the joints.
        units: what they are said to have: "m", "cm" or "mm".

    Returns:
        The unit, other than `units`, in which the torso measures 0.2 to 1 m; "pixels" for flat (z = 0)
        persons and for torsos of more than 10 m; else None.
    """
    torso = torso_length(joints, layout)
    low, high = PLAUSIBLE_TORSO
    if torso is None or low <= torso * METRES[units] <= high:
        return None
    flat = not np.any(np.nan_to_num(joints[..., 2]))
    fitting = [unit for unit, metres in METRES.items() if low <= torso * metres <= high]
    if fitting and not flat:
        likely = fitting[0]
    elif flat or torso * METRES[units] > IMPOSSIBLE_TORSO:
        likely = "pixels"
    else:
        return None
    # One text for all recordings of a kind, so that Python shows it once.
    warnings.warn(
        f"a torso of {low} to {high} m is expected; the joints seem to be in {likely!r}, not in {units!r}: "
        f"pass units={likely!r}",
        UserWarning,
        stacklevel=3,
    )
    return likely


def to_metres(joints: np.ndarray, layout: SkeletonLayout, units: str) -> np.ndarray:
    """Joints (..., V, 3) in metres; pixels are scaled so that the median torso measures 0.5 m.

    The scale is one for the whole array: give sequences one by one if their cameras differ.

    Raises:
        LayoutError: the unit is unknown, or pixels come without a torso to measure.
    """
    if units in METRES:
        return joints if units == "m" else joints * np.float32(METRES[units])
    if units != "pixels":
        raise LayoutError(f"units must be one of {[*METRES, 'pixels']}, got {units!r}")
    torso = torso_length(joints, layout)
    if torso is None:
        if not np.any(np.nan_to_num(joints)):
            return joints
        raise LayoutError(
            "pixels are scaled by the torso, and no frame shows both hips and both shoulders "
            f"(or what stands for them) of layout {layout.name!r}: scale the joints yourself, pass units='m'"
        )
    return joints * np.float32(TORSO_METRES / torso)


def split_confidence(joints: np.ndarray, dims: str | None, min_confidence: float) -> np.ndarray:
    """(..., V, 2), (..., V, 3) or (..., V, 4) as (..., V, 3): z = 0 where there is none, NaN where unsure.

    A joint whose confidence is below `min_confidence` becomes NaN, unless all coordinates of its frame are
    zero: then the person is absent and stays so.

    Raises:
        LayoutError: `dims` is unknown or does not fit the last dimension.
    """
    size = joints.shape[-1]
    if dims is None:
        dims = {2: "xy", 3: "xyz"}.get(size)
        if dims is None:
            raise LayoutError(f"a joint has 2 or 3 numbers (4 with dims='xyzc'), got {size}")
    if DIMS.get(dims) != size:
        raise LayoutError(f"dims must be one of {DIMS} with as many numbers a joint, got {dims!r} and {size}")
    if dims == "xyz":
        return joints
    count = 3 if "z" in dims else 2
    result = np.zeros((*joints.shape[:-1], 3), dtype=joints.dtype)
    result[..., :count] = joints[..., :count]
    if dims.endswith("c"):
        present = np.any(result != 0, axis=(-2, -1), keepdims=True)[..., 0]
        sure = joints[..., count] >= min_confidence  # an unknown (NaN) confidence is none
        result[present & ~sure] = np.nan
    if count == 2:
        warnings.warn(
            "2D joints: z is set to 0, and features of a model that learned from 3D joints may be poor",
            UserWarning,
            stacklevel=3,
        )
    return result


def _vector(axis: str) -> np.ndarray:
    vector = np.zeros(3)
    vector["xyz".index(axis[-1])] = -1.0 if axis.startswith("-") else 1.0
    return vector


def _negative(axis: str) -> str:
    return axis[1:] if axis.startswith("-") else f"-{axis}"


def _frame(up: str, front: str, handedness: str) -> np.ndarray:
    """Columns: up, front and the person's left, as vectors of the recording's axes."""
    left = np.cross(_vector(up), _vector(front))
    return np.stack([_vector(up), _vector(front), left if handedness == "right" else -left], axis=1)


def turn_axes(
    joints: np.ndarray,
    source: SkeletonLayout,
    target: SkeletonLayout,
    *,
    up_axis: str | None = None,
    front_axis: str | None = None,
    handedness: str | None = None,
) -> np.ndarray:
    """Bring joints (..., V, 3) from the axes of their recording to those of the target layout.

    Up goes to up and front to front; the third axis follows. What is not given comes from `source`; with
    another up axis than the source's, or with left-handed axes, front is that of `FRONT_OF_UP`, reversed for
    left-handed axes (as in Unity, where characters look along +z): so z is what a left-handed y-up recording
    negates.

    Raises:
        LayoutError: an axis or the handedness is unknown, or up and front are one line.
    """
    handedness = "right" if handedness is None else handedness
    if handedness not in ("right", "left"):
        raise LayoutError(f"handedness must be 'right' or 'left', got {handedness!r}")
    up = source.up_axis if up_axis is None else up_axis.removeprefix("+")
    if up not in FRONT_OF_UP:
        raise LayoutError(f"up_axis must be one of {sorted(FRONT_OF_UP)}, got {up_axis!r}")
    if front_axis is not None:
        front = front_axis.removeprefix("+")
    else:
        front = source.front_axis if up == source.up_axis and handedness == "right" else FRONT_OF_UP[up]
        front = _negative(front) if handedness == "left" else front
    if front not in FRONT_OF_UP or front[-1] == up[-1]:
        raise LayoutError(f"front_axis must be an axis across up_axis {up!r}, got {front_axis!r}")
    turn = _frame(target.up_axis, target.front_axis, "right") @ _frame(up, front, handedness).T
    if np.array_equal(turn, np.eye(3)):
        return joints
    order = np.abs(turn).argmax(axis=1)
    signs = turn[np.arange(3), order].astype(joints.dtype)
    return joints[..., order] * signs + np.float32(0)  # + 0 makes -0 of absent persons a plain 0
