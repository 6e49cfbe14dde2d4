"""Made-up motions over the ntu25 joints, for demos and tests where no recordings are at hand.

SYNTHETIC: drawn by rule, not measured from people. Good for trying things out and for checking that a
training loop learns; no result on them says anything about real recordings.
"""

import numpy as np
import numpy.typing as npt

from stars_hub.errors import ConfigError
from stars_hub.skeletons.layouts import get_layout
from stars_hub.skeletons.sequence import Sequence
from stars_hub.skeletons.synthetic_actions import ACTIONS, Clock
from stars_hub.skeletons.synthetic_body import LEFT, RIGHT, Body, FloatArray, Pose, solve, turned

SYNTHETIC_ACTIONS = tuple(ACTIONS)
"""The names of the made-up actions; their order numbers the labels."""

CAMERA_HEIGHT = 0.9  # metres above the ground
_PAIRS = ("shaking_hands",)


def synthetic_motion(
    action: str,
    *,
    num_frames: int = 90,
    fps: float = 30.0,
    seed: int = 0,
    subject: int | None = None,
    variation: float = 1.0,
    noise: float = 0.005,
) -> npt.NDArray[np.float32]:
    """Make up one recording of an action. It is synthetic: see the module.

    Persons differ in height, limb lengths and handedness; performances in tempo, size, start, place, facing
    and in how the body sways; the sensor adds noise.

    Args:
        action: one of `SYNTHETIC_ACTIONS`; "shaking_hands" has two persons.
        num_frames: T.
        fps: frames a second.
        seed: decides the performance, and with the same arguments gives the same numbers.
        subject: decides the person's body and handedness; the seed does where not given.
        variation: how much persons and performances differ; 0: an average right-hander who faces the camera.
        noise: standard deviation of the sensor's noise in metres.

    Returns:
        (T, M, 25, 3) float32 metres in Kinect's camera coordinates: x to the camera's left, y up, z away from
        it, 2 to 4 m.

    Raises:
        ConfigError: an unknown action, or a number that cannot be.

    Examples:
        >>> synthetic_motion("waving", num_frames=60).shape
        (60, 1, 25, 3)
    """
    _check(action, num_frames, fps, variation, noise)
    rng = np.random.default_rng([seed % 2**63, SYNTHETIC_ACTIONS.index(action)])
    bodies = np.random.default_rng([1, seed % 2**63] if subject is None else [0, subject % 2**63])
    clock = _performance(rng, num_frames, fps, variation)
    persons = 2 if action in _PAIRS else 1
    joints = np.stack(
        [_perform(action, clock, Body.draw(bodies, variation), rng, fps, variation) for _ in range(persons)],
        axis=1,
    )
    if persons == 2:
        joints = _facing_each_other(joints)
    if bodies.random() < 0.2 * variation:
        joints = _mirrored(joints)
    joints = _in_front_of_the_camera(joints, rng, variation)
    return (joints + noise * rng.normal(size=joints.shape)).astype(np.float32)


def synthetic_dataset(
    num_per_class: int,
    *,
    actions: tuple[str, ...] | list[str] | None = None,
    num_subjects: int = 10,
    num_frames: tuple[int, int] = (60, 120),
    seed: int = 0,
    variation: float = 1.0,
    noise: float = 0.005,
) -> list[Sequence]:
    """Make up a labelled data set. It is synthetic: see the module.

    Args:
        num_per_class: recordings of each action.
        actions: which; all by default. Labels number them in this order.
        num_subjects: persons, who take turns.
        num_frames: shortest and longest recording.
        seed: another seed, other persons and performances.
        variation: as for `synthetic_motion`.
        noise: as for `synthetic_motion`.

    Returns:
        One `Sequence` a recording, with name, label, subject and the column "action".

    Raises:
        ConfigError: an unknown action, or a number that cannot be.
    """
    actions = SYNTHETIC_ACTIONS if actions is None else tuple(actions)
    low, high = num_frames
    if num_per_class < 1 or num_subjects < 1 or not 1 <= low <= high:
        raise ConfigError(
            "a made-up data set has at least one recording a class and one subject, and shortest <= longest, "
            f"not {num_per_class}, {num_subjects} and {num_frames}"
        )
    made = []
    for label, action in enumerate(actions):
        for index in range(num_per_class):
            rng = np.random.default_rng([seed % 2**63, label, index])
            joints = synthetic_motion(
                action,
                num_frames=int(rng.integers(low, high + 1)),
                seed=int(rng.integers(2**62)),
                subject=seed * 100_003 + index % num_subjects,
                variation=variation,
                noise=noise,
            )
            name, subject = f"synthetic_{action}_{index:04d}", index % num_subjects
            made.append(Sequence(joints, name=name, label=label, subject=subject, columns={"action": action}))
    return made


def _check(action: str, num_frames: int, fps: float, variation: float, noise: float) -> None:
    if action not in ACTIONS:
        raise ConfigError(f"unknown action {action!r}: expected one of {', '.join(SYNTHETIC_ACTIONS)}")
    if num_frames < 1 or not fps > 0 or not variation >= 0 or not noise >= 0:
        raise ConfigError(
            "expected num_frames >= 1, fps > 0, variation >= 0 and noise >= 0, "
            f"got {num_frames}, {fps}, {variation} and {noise}"
        )


def _performance(rng: np.random.Generator, num_frames: int, fps: float, variation: float) -> Clock:
    tempo, amplitude, phase, start, end = rng.uniform(-1, 1, 5) * variation
    seconds = (np.arange(num_frames) / fps + 0.6 * phase) * 1.2**tempo
    first, last = 0.08 + 0.08 * start, 0.92 + 0.08 * end
    progress = ((np.linspace(0, 1, num_frames) - first) / (last - first)).clip(0, 1)
    return Clock(seconds, progress ** (1.25 ** rng.uniform(-variation, variation)), 1 + 0.2 * amplitude)


def _sway(rng: np.random.Generator, seconds: FloatArray, columns: int) -> FloatArray:
    """Slow drifts (T, columns) of about unit size."""
    frequency = rng.uniform(0.1, 0.7, (3, columns))
    angle = 2 * np.pi * (seconds[:, None, None] * frequency + rng.random((3, columns)))
    return np.sin(angle).mean(axis=1) * 1.2


def _perform(
    action: str, clock: Clock, body: Body, rng: np.random.Generator, fps: float, variation: float
) -> FloatArray:
    """Play the script with this body, which sways a little, (T, 25, 3) in the body frame."""
    pose: Pose = ACTIONS[action](clock, body)
    drift = variation * _sway(rng, np.arange(len(pose.lean)) / fps, 13)
    pose.pelvis += drift[:, :3] * [0.015, 0.002, 0.015]
    pose.lean += 0.03 * drift[:, 3]
    pose.tilt += 0.02 * drift[:, 4]
    pose.twist += 0.05 * drift[:, 5]
    pose.nod += 0.08 * drift[:, 6]
    pose.hands[LEFT] += 0.04 * drift[:, 7:10]
    pose.hands[RIGHT] += 0.04 * drift[:, 10:13]
    pose.hands[LEFT] += 0.05 * variation * rng.normal(size=3)
    pose.hands[RIGHT] += 0.05 * variation * rng.normal(size=3)
    return solve(body, pose)


def _facing_each_other(joints: FloatArray) -> FloatArray:
    """Turn two persons to each other and move them apart until their right hands meet."""
    first, second = (
        np.einsum("ij,tvj->tvi", turned(np.array(angle), 1), joints[:, person])
        for person, angle in enumerate((np.pi / 2, -np.pi / 2))
    )
    hand, middle = 11, slice(2 * len(joints) // 5, 3 * len(joints) // 5 + 1)
    gap = (first[middle, hand] - second[middle, hand]).mean(axis=0) * [1, 0, 1]
    return np.stack([first - gap / 2, second + gap / 2], axis=1)


def _mirrored(joints: FloatArray) -> FloatArray:
    """Make left-handers of right-handers."""
    return joints[..., list(get_layout("ntu25").mirror_order), :] * [-1, 1, 1]


def _in_front_of_the_camera(joints: FloatArray, rng: np.random.Generator, variation: float) -> FloatArray:
    """Turn and place the persons, the middle of their way 2 to 4 m away from the camera."""
    angle, side, away = rng.uniform(-1, 1, 3) * variation
    joints = joints @ turned(np.array(0.9 * angle), 1).T
    pelvis = joints[:, :, 0].mean(axis=1)
    middle = (pelvis.min(axis=0) + pelvis.max(axis=0)) / 2 * [1, 0, 1]
    return joints - middle + [0.5 * side, -CAMERA_HEIGHT, 3.0 + 0.5 * away]
