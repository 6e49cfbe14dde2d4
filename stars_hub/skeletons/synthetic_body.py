"""A made-up body for made-up motions: bones of fixed length that follow hands, feet, pelvis and trunk.

The body frame is Kinect's for a person who faces the camera: x to the person's right, y up from the ground, z
backwards. A pose says where hands and feet are; two-bone inverse kinematics finds elbows and knees, so that
planted feet do not slide and no bone changes its length.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

# Bone lengths in metres of a person of 1.70 m; Kinect's joints lie inside the body.
LENGTHS = {
    "lower_spine": 0.31, "upper_spine": 0.23, "neck": 0.07, "head": 0.15,
    "shoulder": 0.175, "shoulder_drop": 0.035, "upper_arm": 0.27, "forearm": 0.24,
    "hand": 0.065, "tip": 0.08, "thumb": 0.05, "hip": 0.085, "thigh": 0.40, "shin": 0.38,
    "foot": 0.12, "ankle": 0.09,
}  # fmt: skip
RIGHT, LEFT = 1, -1
# Shoulders and hips in ntu25's order (0-based); elbow, wrist, hand and knee, ankle, foot follow.
ARMS, LEGS = {LEFT: 4, RIGHT: 8}, {LEFT: 12, RIGHT: 16}
TIPS = {LEFT: (21, 22), RIGHT: (23, 24)}  # hand tip, thumb
STANDING = 0.993  # hips' height above the ankles in leg lengths: nobody locks the knees


@dataclass(frozen=True)
class Body:
    """Bone lengths of one made-up person.

    Attributes:
        lengths: metres, by the names of `LENGTHS`.
    """

    lengths: dict[str, float] = field(default_factory=lambda: dict(LENGTHS))

    @classmethod
    def draw(cls, rng: np.random.Generator, variation: float = 1.0) -> "Body":
        """Draw a body: 1.50 to 1.90 m tall, longer or shorter limbs, and each bone a little different."""
        height = 1 + variation * np.clip(rng.normal(0, 0.05), -0.12, 0.12)
        legs, arms, width = 1 + variation * np.clip(rng.normal(0, 0.03, 3), -0.06, 0.06)
        groups = dict.fromkeys(("thigh", "shin"), legs) | dict.fromkeys(
            ("upper_arm", "forearm", "hand"), arms
        )
        groups |= dict.fromkeys(("shoulder", "hip"), width)
        return cls(
            {
                name: float(
                    length * height * groups.get(name, 1) * (1 + variation * rng.uniform(-0.02, 0.02))
                )
                for name, length in LENGTHS.items()
            }
        )

    @property
    def arm(self) -> float:
        """Shoulder to wrist, stretched."""
        return self.lengths["upper_arm"] + self.lengths["forearm"]

    @property
    def leg(self) -> float:
        """Hip to ankle, stretched."""
        return self.lengths["thigh"] + self.lengths["shin"]

    @property
    def midline(self) -> float:
        """How far inward the middle of the body is from a shoulder, in arm lengths."""
        return self.lengths["shoulder"] / self.arm

    @property
    def shoulder_height(self) -> float:
        """Of the shoulders above the ground when standing, in metres."""
        spine = self.lengths["lower_spine"] + self.lengths["upper_spine"] - self.lengths["shoulder_drop"]
        return self.lengths["ankle"] + STANDING * self.leg + spine


class Pose:
    """Where the body is in each of T frames; a new pose stands still with hanging arms.

    Attributes:
        pelvis: (T, 3) right, up, forward of where it is when standing, in leg lengths.
        lean, tilt, twist: (T,) of the trunk: forward, to the right, to the left (radians).
        nod: (T,) of the head, forward.
        hands: by side, wrists (T, 3) outward, up, forward of the shoulder in arm lengths, turning with the
            trunk.
        elbows: by side, where elbows point (3,): outward, up, forward, turning with the trunk.
        feet: by side, ankles (T, 3) outward, up, forward of where they are when standing, in leg lengths.
        toes: by side, (T,) how far the toes point up (radians).
    """

    def __init__(self, num_frames: int) -> None:
        self.pelvis = np.zeros((num_frames, 3))
        self.lean, self.tilt, self.twist, self.nod = np.zeros((4, num_frames))
        self.hands = {side: np.tile([0.12, -0.98, 0.07], (num_frames, 1)) for side in (LEFT, RIGHT)}
        self.elbows = dict.fromkeys((LEFT, RIGHT), (1.0, -0.6, -0.6))
        self.feet = {side: np.tile([0.04, 0.0, 0.0], (num_frames, 1)) for side in (LEFT, RIGHT)}
        self.toes = {side: np.zeros(num_frames) for side in (LEFT, RIGHT)}


def _unit(vectors: FloatArray) -> FloatArray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _across(vectors: FloatArray, axis: FloatArray) -> FloatArray:
    """The unit vectors along the part of `vectors` that is at right angles to the unit vectors `axis`."""
    return _unit(vectors - (vectors * axis).sum(axis=-1, keepdims=True) * axis)


def two_bones(
    start: FloatArray, target: FloatArray, first: float, second: float, pole: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Bend two bones so that their end reaches a target, as near as their lengths allow.

    Args:
        start: (T, 3), where the first bone begins.
        target: (T, 3), where the second is to end.
        first: length of the first bone.
        second: length of the second bone.
        pole: (T, 3), where the joint between them points.

    Returns:
        The joint between the bones and their end, (T, 3) each.
    """
    way = target - start
    reach = np.linalg.norm(way, axis=-1, keepdims=True).clip(
        abs(first - second) + 1e-3, (first + second) * 0.9995
    )
    along = _unit(way)
    cosine = (first**2 + reach**2 - second**2) / (2 * first * reach)
    bend = _across(pole, along) * np.sqrt(1 - cosine**2)
    return start + first * (cosine * along + bend), start + reach * along


def turned(angles: FloatArray, axis: int) -> FloatArray:
    """Rotation matrices (T, 3, 3) about x, y or z (0, 1, 2), counter-clockwise."""
    matrices = np.zeros((*angles.shape, 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrices[..., axis, axis] = 1
    matrices[..., i, i] = matrices[..., j, j] = np.cos(angles)
    matrices[..., j, i] = np.sin(angles)
    matrices[..., i, j] = -np.sin(angles)
    return matrices


def _frame(vectors: FloatArray, side: int) -> FloatArray:
    """Outward, up, forward of a side -> x, y, z of the body frame."""
    return vectors * np.array([side, 1, -1])


def solve(body: Body, pose: Pose) -> FloatArray:
    """Find the joints of a pose.

    Returns:
        (T, 25, 3) metres in the body frame, in ntu25's order; the ground is y = 0.
    """
    size = body.lengths
    joints = np.zeros((len(pose.lean), 25, 3))
    hips_height = size["ankle"] + STANDING * body.leg
    pelvis = _frame(pose.pelvis, RIGHT) * body.leg + [0, hips_height, 0]
    trunk = turned(pose.twist, 1) @ turned(-pose.tilt, 2) @ turned(-pose.lean, 0)
    lower = turned(0.5 * pose.twist, 1) @ turned(-0.5 * pose.tilt, 2) @ turned(-0.7 * pose.lean, 0)
    head = trunk @ turned(-pose.nod, 0)
    joints[:, 0] = pelvis
    joints[:, 1] = pelvis + size["lower_spine"] * lower[:, :, 1]
    joints[:, 20] = joints[:, 1] + size["upper_spine"] * trunk[:, :, 1]
    joints[:, 2] = joints[:, 20] + size["neck"] * trunk[:, :, 1]
    joints[:, 3] = joints[:, 2] + size["head"] * (head @ _unit(np.array([0, 1, -0.15])))
    for side in (LEFT, RIGHT):
        _solve_arm(joints, body, pose, side, trunk)
        _solve_leg(joints, body, pose, side)
    return joints


def _solve_arm(joints: FloatArray, body: Body, pose: Pose, side: int, trunk: FloatArray) -> None:
    size, first = body.lengths, ARMS[side]
    shoulder = joints[:, 20] + trunk @ np.array([side * size["shoulder"], -size["shoulder_drop"], 0])
    target = shoulder + np.einsum("tij,tj->ti", trunk, _frame(pose.hands[side], side) * body.arm)
    pole = trunk @ _frame(np.array(pose.elbows[side]), side)
    elbow, wrist = two_bones(shoulder, target, size["upper_arm"], size["forearm"], pole)
    along = _unit(wrist - elbow)
    thumb = _across(-pole, along)
    hand = wrist + size["hand"] * along
    joints[:, first : first + 4] = np.stack([shoulder, elbow, wrist, hand], axis=1)
    joints[:, TIPS[side][0]] = hand + size["tip"] * along
    joints[:, TIPS[side][1]] = hand + size["thumb"] * (0.6 * along + 0.8 * thumb)


def _solve_leg(joints: FloatArray, body: Body, pose: Pose, side: int) -> None:
    size, first = body.lengths, LEGS[side]
    turn = turned(0.3 * pose.twist, 1)
    hip = joints[:, 0] + turn @ np.array([side * size["hip"], 0, 0])
    standing = np.array([side * size["hip"], size["ankle"], 0])
    target = standing + _frame(pose.feet[side], side) * body.leg
    forward = np.broadcast_to(_frame(np.array([0.15, 0.1, 1.0]), side), hip.shape)  # knees point forward
    knee, ankle = two_bones(hip, target, size["thigh"], size["shin"], forward)
    slope = np.arcsin(0.75 * size["ankle"] / size["foot"])  # the foot joint lies low, in front of the ankle
    pitch = pose.toes[side] - slope
    toward = np.stack([np.full_like(pitch, 0.1 * side), np.sin(pitch), -np.cos(pitch)], axis=-1)
    joints[:, first : first + 4] = np.stack([hip, knee, ankle, ankle + size["foot"] * _unit(toward)], axis=1)
