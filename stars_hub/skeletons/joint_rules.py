"""How a joint that a recording lacks is made of those it has: one ordered table of documented rules.

Every rule is a weighted sum of other joints whose weights add up to 1, so that it moves, turns and grows with
the person. A rule's ingredients may themselves come from rules. The first rule that works is taken; a joint
without one is unknown (NaN): a face, toes, an elbow cannot honestly be guessed from the other joints. The
numbers are least-squares fits to Kinect recordings (v2: UI-PRMD, IntelliRehabDS; v1: UTD-MHAD), rounded.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

Weights = dict[str, float]


class Rule(NamedTuple):
    """A joint and the weighted joints that stand in for it."""

    joint: str
    weights: Weights


def _copy(joint: str) -> Weights:
    return {joint: 1.0}


def _mean(*joints: str) -> Weights:
    return dict.fromkeys(joints, 1 / len(joints))


def _between(start: str, end: str, share: float) -> Weights:
    """The point that has gone `share` of the way from start to end."""
    return {start: 1 - share, end: share}


def _beyond(joint: str, before: str, share: float) -> Weights:
    """The point that goes on past `joint`, by `share` of the bone that led there from `before`."""
    return {joint: 1 + share, before: -share}


_CENTRAL = (
    Rule("pelvis", _mean("left_hip", "right_hip")),  # Kinect v2: 3.5 cm behind it, at the same height
    Rule("shoulder_center", _mean("left_shoulder", "right_shoulder")),  # Kinect v2: 3 cm above it
    Rule("shoulder_center", _copy("neck_base")),
    Rule("spine_middle", _between("pelvis", "shoulder_center", 0.58)),  # left over: 0.4 cm
    Rule("spine_lower", _between("pelvis", "spine_middle", 0.45)),  # SMPL's rest pose
    Rule("spine_upper", _between("spine_middle", "shoulder_center", 0.25)),  # SMPL's rest pose
    Rule("neck", _between("shoulder_center", "head", 1 / 3)),  # left over: 1 cm
    Rule("neck_base", _between("shoulder_center", "neck", 0.1)),
    Rule("head", _mean("left_ear", "right_ear")),
    Rule("head", _mean("nose", "head_top")),
    Rule("head", _mean("left_eye", "right_eye")),
    Rule("head", _copy("nose")),
    Rule("head", _between("shoulder_center", "head_top", 0.65)),
    Rule("head", _beyond("neck", "shoulder_center", 1.94)),  # left over: 3 to 5 cm
    Rule("head_top", _beyond("head", "neck", 0.85)),
)

_LEFT = (
    Rule("left_collar", _between("shoulder_center", "left_shoulder", 0.11)),
    Rule("left_wrist", _between("left_elbow", "left_hand", 0.79)),  # left over: 2 to 3 cm
    Rule("left_hand", _mean("left_wrist", "left_index", "left_pinky")),  # the palm; those two are knuckles
    Rule("left_hand", _beyond("left_wrist", "left_elbow", 0.25)),  # left over: 3 cm
    Rule("left_hand_tip", _beyond("left_hand", "left_wrist", 0.86)),  # left over: 4 cm
    Rule("left_thumb", _copy("left_hand")),  # which way the thumb points is unknown; Kinect's is 5 cm off
    Rule("left_index", _copy("left_hand")),
    Rule("left_pinky", _copy("left_hand")),
    Rule("left_ankle", _between("left_knee", "left_foot", 0.84)),
    Rule("left_foot", {"left_ankle": 0.5, "left_big_toe": 0.25, "left_small_toe": 0.25}),
    Rule("left_foot", _mean("left_ankle", "left_big_toe")),
    Rule(
        "left_foot", _beyond("left_ankle", "left_knee", 0.13)
    ),  # along the shin; Kinect's points 10 cm forward
    Rule("left_eye", _mean("left_eye_inner", "left_eye_outer")),
)


def _other_side(name: str) -> str:
    return name.replace("left_", "right_")


RULES: tuple[Rule, ...] = (
    *_CENTRAL,
    *_LEFT,
    *(Rule(_other_side(joint), {_other_side(k): v for k, v in weights.items()}) for joint, weights in _LEFT),
)


def combination(
    joint: str, available: frozenset[str], *, _open: frozenset[str] = frozenset()
) -> Weights | None:
    """The available joints, weighted, that give `joint`; None if no rule leads there.

    Examples:
        >>> combination("pelvis", frozenset({"left_hip", "right_hip"}))
        {'left_hip': 0.5, 'right_hip': 0.5}
        >>> combination("nose", frozenset({"head"})) is None
        True
    """
    if joint in available:
        return {joint: 1.0}
    for rule in RULES:
        if rule.joint != joint or _open & rule.weights.keys():
            continue
        total: Weights = {}
        for ingredient, weight in rule.weights.items():
            parts = combination(ingredient, available, _open=_open | {joint})
            if parts is None:
                break
            for name, part in parts.items():
                total[name] = total.get(name, 0.0) + weight * part
        else:
            return total
    return None


@lru_cache(maxsize=256)
def _gather_plan(source: tuple[str, ...], target: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Which source joints (V', K) make each target joint, and with what weights (V', K); NaN: no rule."""
    available = frozenset(source)
    rows = [combination(joint, available) for joint in target]
    width = max([1, *(len(row) for row in rows if row is not None)])
    index = np.zeros((len(target), width), dtype=np.intp)
    weight = np.zeros((len(target), width), dtype=np.float32)
    for place, row in enumerate(rows):
        if row is None:
            weight[place] = np.nan
            continue
        joints = [source.index(name) for name in row]
        # A row is filled up with its own first joint at weight 0, never with a stranger that may be NaN.
        index[place] = joints + joints[:1] * (width - len(joints))
        weight[place, : len(joints)] = list(row.values())
    index.setflags(write=False)
    weight.setflags(write=False)
    return index, weight


def combine(joints: np.ndarray, source: Iterable[str], target: Iterable[str]) -> np.ndarray:
    """The joints named `target` (..., V', C) out of those named `source` (..., V, C).

    An unknown (NaN) joint makes unknown only what is made of it, and so does a joint that no rule gives.
    """
    index, weight = _gather_plan(tuple(source), tuple(target))
    result = joints[..., index[:, 0], :] * weight[:, :1]
    for k in range(1, index.shape[1]):
        rows = np.flatnonzero(weight[:, k])
        result[..., rows, :] += joints[..., index[rows, k], :] * weight[rows, k, None]
    return result
