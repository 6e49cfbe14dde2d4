"""From the joints of one layout to those of another."""

from collections import deque
from typing import Any

import numpy as np

from stars_hub.errors import LayoutError
from stars_hub.skeletons.joint_rules import combination, combine
from stars_hub.skeletons.layouts import SkeletonLayout, get_layout
from stars_hub.skeletons.units import METRES, plausible_units, split_confidence, to_metres, turn_axes


def convert_layout(
    joints: Any,
    source: str | SkeletonLayout,
    target: str | SkeletonLayout,
    *,
    units: str = "m",
    up_axis: str | None = None,
    front_axis: str | None = None,
    handedness: str | None = None,
    dims: str | None = None,
    min_confidence: float = 0.1,
) -> np.ndarray:
    """The same persons with the joints, the axes and the unit of another layout.

    Joints go by name; one that the source lacks follows the rules of `stars_hub.skeletons.joint_rules` (a
    mean of others, a point along a bone or beyond it, a copy) and is NaN if there is no honest rule. Every
    built-in layout reaches "ntu25" without a NaN. An unknown (NaN) joint makes unknown only what is made of
    it; an absent person (all zeros in a frame) stays all zeros.

    Args:
        joints: (..., V, 3), or 2D (..., V, 2) from image or plane; what may stand before is up to you.
        source: the layout that the joints have, or its name.
        target: the layout wanted. ntu25 means: metres, y up, persons facing the camera look along -z.
        units: "m", "cm", "mm", or "pixels": any scale, the median torso of the whole array becomes 0.5 m.
        up_axis: "x", "y", "z", "-x", "-y" or "-z"; by default the source layout's ("-y" for pixels, as image
            rows count downwards).
        front_axis: the axis that a person who faces the camera looks along; by default the source layout's,
            or for another up axis "-z" where y or x is up, "y" where z is up (the shortest turn to y up).
        handedness: "right" or "left" (then "front" is reversed where not given); by default "right".
        dims: what the last dimension holds: "xy", "xyz", "xyc" or "xyzc" with a confidence. By default
            "xy" for 2 numbers, "xyz" for 3.
        min_confidence: a joint of lower confidence becomes NaN.

    Returns:
        (..., V', 3) float32 in metres.

    Raises:
        LayoutError: the joints do not fit the source, an argument is unknown, or not one joint of the target
            can be made of the source's.

    Warns:
        UserWarning: 2D joints get z = 0; or metres that cannot be metres, with the likely unit.
    """
    source, target = get_layout(source), get_layout(target)
    points = _as_points(joints, source)
    available = frozenset(source.joint_names)
    if all(combination(name, available) is None for name in target.joint_names):
        raise LayoutError(
            f"no joint of {target.name!r} {list(target.joint_names)} can be made of those of {source.name!r} "
            f"{list(source.joint_names)}: name joints as the built-in layouts do"
        )
    points = split_confidence(points, dims, min_confidence)
    if units in METRES:
        plausible_units(points, source, units=units)
    elif up_axis is None:
        up_axis = "-y"
    points = to_metres(points, source, units)
    result = combine(points, source.joint_names, target.joint_names)
    absent = ~np.any(points != 0, axis=(-2, -1))
    result[absent] = 0.0
    return turn_axes(result, source, target, up_axis=up_axis, front_axis=front_axis, handedness=handedness)


def _as_points(joints: Any, source: SkeletonLayout) -> np.ndarray:
    try:
        points = np.asarray(joints)
        if points.dtype.kind not in "fiu":
            raise TypeError(f"numbers are wanted, got an array of {points.dtype}")
        points = points.astype(np.float32, copy=False)
    except (TypeError, ValueError) as error:
        raise LayoutError(f"the joints are no array of numbers: {error}") from None
    if points.ndim < 2 or points.shape[-2] != source.num_joints:
        raise LayoutError(
            f"joints of layout {source.name!r} must be (..., {source.num_joints}, 3), got {points.shape}"
        )
    return points


def nearest_joints(source: str | SkeletonLayout, target: str | SkeletonLayout) -> list[int]:
    """For each target joint the source joint of the same name, else that of its nearest bone neighbour.

    Neighbours are searched breadth first over the target's tree, a joint's parent before its children.

    Raises:
        LayoutError: the layouts share no joint name.

    Examples:
        >>> nearest_joints("ntu25", "utd20")[:3]  # head, shoulder centre, middle of the spine
        [3, 20, 1]
    """
    source, target = get_layout(source), get_layout(target)
    places = {name: index for index, name in enumerate(source.joint_names)}
    if not places.keys() & set(target.joint_names):
        raise LayoutError(
            f"{source.name!r} {list(source.joint_names)} and {target.name!r} {list(target.joint_names)} "
            "share no joint name"
        )
    neighbours = _neighbours(target)
    return [_first_known(joint, neighbours, target.joint_names, places) for joint in range(target.num_joints)]


def _neighbours(layout: SkeletonLayout) -> list[list[int]]:
    near: list[list[int]] = [[parent] if parent >= 0 else [] for parent in layout.parents]
    for child, parent in layout.bones:
        near[parent].append(child)
    return near


def _first_known(
    start: int, neighbours: list[list[int]], names: tuple[str, ...], places: dict[str, int]
) -> int:
    queue, seen = deque([start]), {start}
    while queue:
        joint = queue.popleft()
        if names[joint] in places:
            return places[names[joint]]
        queue.extend(near for near in neighbours[joint] if near not in seen)
        seen.update(neighbours[joint])
    raise LayoutError("the tree of the layout does not reach a shared joint")  # a checked tree always does
