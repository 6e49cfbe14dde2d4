"""Scripts of made-up actions: each turns a clock and a body into a pose, right-handed and facing forward."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stars_hub.skeletons.synthetic_body import LEFT, RIGHT, STANDING, Body, FloatArray, Pose

ELBOWS_LOW = (0.5, -1.0, -0.15)


@dataclass(frozen=True)
class Clock:
    """One performance's time.

    Attributes:
        seconds: (T,) of the performer's own tempo, for movements that repeat.
        progress: (T,) from 0 to 1, for movements that happen once.
        amplitude: how large the performer moves; 1 is usual.
    """

    seconds: FloatArray
    progress: FloatArray
    amplitude: float = 1.0

    def wave(self, period: float, phase: float = 0.0) -> FloatArray:
        """A sine of the seconds, (T,) in [-1, 1]; `phase` in periods."""
        return np.sin(2 * np.pi * (self.seconds / period + phase))

    def ramp(self, start: float, end: float) -> FloatArray:
        """0 before `start` of the progress, 1 after `end`, smooth between."""
        x = ((self.progress - start) / (end - start)).clip(0, 1)
        return x**3 * (10 - 15 * x + 6 * x**2)

    def bump(self, start: float, high: float, low: float, end: float) -> FloatArray:
        """Up from `start` to `high`, down from `low` to `end`."""
        return self.ramp(start, high) - self.ramp(low, end)


def _mix(rest: FloatArray, *stages: tuple[FloatArray, FloatArray | list[float]]) -> FloatArray:
    """Move (T, 3) targets from rest through stages (how much (T,), where)."""
    for part, where in stages:
        rest = rest + part[:, None] * (np.asarray(where) - rest)
    return rest


def _walk(clock: Clock, body: Body, *, stride: float) -> Pose:
    """Feet stand for 60 % of a cycle and swing for the rest; `stride` is in leg lengths, 0 for in place."""
    pose, period = Pose(len(clock.seconds)), 1.15
    cycles = clock.seconds / period
    lift = 0.10 if stride else 0.32
    for side, shift in ((RIGHT, 0.0), (LEFT, 0.5)):
        phase = (cycles + shift) % 1
        swing = ((phase - 0.6) / 0.4).clip(0, 1)
        heel = ((phase - 0.42) / 0.18).clip(0, 1) * (1 - swing)  # the heel leaves the ground before the toes
        moved = np.floor(cycles + shift) - shift + swing**2 * (3 - 2 * swing) + 0.3
        pose.feet[side][:, 2] = stride * moved
        pose.feet[side][:, 1] = clock.amplitude * lift * np.sin(np.pi * swing) ** 1.5 + 0.06 * heel * bool(
            stride
        )
        pose.toes[side] = -0.6 * heel * bool(stride) + 0.25 * np.sin(2 * np.pi * swing).clip(None, 0) * -1
        arm = np.cos(2 * np.pi * (cycles + shift - 0.05))  # forward when the other foot is
        reach = 0.30 * clock.amplitude
        pose.hands[side] = np.stack(
            [np.full_like(arm, 0.12), -0.95 + 0.08 * arm.clip(0), 0.08 - reach * arm], axis=1
        )
    pose.pelvis[:, 2] = stride * cycles
    pose.pelvis[:, 1] = -0.035 + 0.012 * np.cos(4 * np.pi * (cycles - 0.3))
    pose.pelvis[:, 0] = 0.02 * np.cos(2 * np.pi * (cycles - 0.3))
    pose.twist = 0.08 * np.cos(2 * np.pi * cycles)
    pose.lean += 0.05
    return pose


def walking(clock: Clock, body: Body) -> Pose:
    """Walk straight on."""
    return _walk(clock, body, stride=1.15 * (0.5 + 0.5 * clock.amplitude))


def marching(clock: Clock, body: Body) -> Pose:
    """Walk in place, knees high."""
    return _walk(clock, body, stride=0.0)


def waving(clock: Clock, body: Body) -> Pose:
    """Raise a hand beside the head and wave it."""
    pose, up = Pose(len(clock.seconds)), clock.bump(0.0, 0.2, 0.85, 1.0)
    side = 0.42 + 0.22 * clock.amplitude * clock.wave(0.75)
    there = np.stack([side, np.full_like(side, 0.52), np.full_like(side, 0.3)], axis=1)
    pose.hands[RIGHT] = _mix(pose.hands[RIGHT], (up, there))
    pose.elbows[RIGHT] = ELBOWS_LOW
    pose.tilt = 0.04 * up
    return pose


def _squat(pose: Pose, down: FloatArray, depth: float) -> None:
    pose.pelvis[:, 1] = -depth * down
    pose.pelvis[:, 2] = -0.30 * down
    pose.lean = 0.65 * down
    pose.nod = -0.35 * down
    for side in (LEFT, RIGHT):
        pose.feet[side][:, 0] = 0.12


def squatting(clock: Clock, body: Body) -> Pose:
    """Squat again and again, arms forward."""
    pose = Pose(len(clock.seconds))
    down = 0.5 - 0.5 * clock.wave(2.2, 0.25)
    _squat(pose, down, 0.45 * clock.amplitude)
    for side in (LEFT, RIGHT):
        pose.hands[side] = _mix(pose.hands[side], (down, [0.05, 0.25, 0.92]))
    return pose


def _sit(clock: Clock, body: Body, seated: FloatArray, between: FloatArray) -> Pose:
    pose = Pose(len(clock.seconds))
    chair = STANDING - body.lengths["shin"] / body.leg  # thighs level
    pose.pelvis[:, 1] = -chair * seated
    pose.pelvis[:, 2] = -0.46 * seated
    pose.lean = 0.75 * clock.amplitude * between - 0.05 * seated
    pose.nod = -0.3 * between
    for side in (LEFT, RIGHT):
        pose.hands[side] = _mix(pose.hands[side], (between, [0.1, -0.7, 0.45]), (seated, [0.0, -0.66, 0.52]))
    return pose


def sitting_down(clock: Clock, body: Body) -> Pose:
    """Sit down on a chair that is not in the picture, and stay."""
    return _sit(clock, body, clock.ramp(0.15, 0.75), clock.bump(0.1, 0.45, 0.55, 0.9))


def standing_up(clock: Clock, body: Body) -> Pose:
    """Get up from such a chair."""
    return _sit(clock, body, 1 - clock.ramp(0.3, 0.85), clock.bump(0.1, 0.4, 0.5, 0.9))


def clapping(clock: Clock, body: Body) -> Pose:
    """Clap hands in front of the chest."""
    pose, up = Pose(len(clock.seconds)), clock.bump(0.0, 0.15, 0.88, 1.0)
    apart = 0.05 + 0.28 * clock.amplitude * (0.5 + 0.5 * clock.wave(0.55))
    for side in (LEFT, RIGHT):
        there = np.stack(
            [apart - body.midline, np.full_like(apart, -0.22), np.full_like(apart, 0.58)], axis=1
        )
        pose.hands[side] = _mix(pose.hands[side], (up, there))
        pose.elbows[side] = ELBOWS_LOW
    return pose


def kicking(clock: Clock, body: Body) -> Pose:
    """Draw a leg back and kick forward."""
    pose, size = Pose(len(clock.seconds)), clock.amplitude
    back, kick = clock.bump(0.1, 0.32, 0.34, 0.5), clock.bump(0.36, 0.54, 0.58, 0.82)
    pose.feet[RIGHT] = _mix(pose.feet[RIGHT], (back, [0.04, 0.28, -0.42]), (kick, [0.0, 0.55 * size, 0.78]))
    pose.toes[RIGHT] = 0.4 * kick - 0.5 * back
    pose.pelvis[:, 0] = -0.07 * (back + kick).clip(0, 1)
    pose.pelvis[:, 2] = 0.04 * back - 0.06 * kick
    pose.lean = 0.15 * back - 0.22 * kick
    pose.twist = 0.25 * kick - 0.15 * back
    pose.hands[LEFT] = _mix(pose.hands[LEFT], (kick, [0.35, -0.55, 0.55]), (back, [0.4, -0.8, 0.1]))
    pose.hands[RIGHT] = _mix(pose.hands[RIGHT], (kick, [0.5, -0.75, -0.25]), (back, [0.35, -0.75, 0.35]))
    return pose


def punching(clock: Clock, body: Body) -> Pose:
    """Stand on guard and punch, right and left in turn."""
    pose, guard = Pose(len(clock.seconds)), clock.bump(0.0, 0.15, 0.9, 1.0)
    strokes = {RIGHT: clock.wave(1.0).clip(0) ** 2, LEFT: clock.wave(1.0, 0.5).clip(0) ** 2}
    for side, stroke in strokes.items():
        pose.elbows[side] = ELBOWS_LOW
        pose.hands[side] = _mix(
            pose.hands[side],
            (guard, [-0.1, 0.05, 0.42]),
            (guard * stroke, [-0.2, 0.08, 0.97 * min(1.0, clock.amplitude)]),
        )
        pose.feet[side][:, 2] = -0.16 * side
        pose.feet[side][:, 0] = 0.08
    pose.pelvis[:, 1] = -0.05
    pose.twist = 0.45 * clock.amplitude * guard * (strokes[RIGHT] - strokes[LEFT]) - 0.15
    pose.lean += 0.08
    return pose


def raising_arms(clock: Clock, body: Body) -> Pose:
    """Raise both arms forward until they point up, and lower them."""
    pose, angle = (
        Pose(len(clock.seconds)),
        2.9 * min(1.0, clock.amplitude) * clock.bump(0.05, 0.45, 0.55, 0.95),
    )
    for side in (LEFT, RIGHT):
        hands = np.stack(
            [np.full_like(angle, 0.13), -0.95 * np.cos(angle), 0.95 * np.sin(angle) + 0.06], axis=1
        )
        pose.hands[side] = hands
    pose.lean = -0.08 * np.sin(angle / 2)
    return pose


def bowing(clock: Clock, body: Body) -> Pose:
    """Bow from the hips, arms at the sides."""
    pose, down = Pose(len(clock.seconds)), clock.bump(0.1, 0.45, 0.55, 0.9)
    pose.lean = 0.95 * clock.amplitude * down
    pose.nod = 0.2 * down
    pose.pelvis[:, 2] = -0.14 * down
    for side in (LEFT, RIGHT):  # the trunk turns, the arms go on hanging along the thighs
        pose.hands[side] = _mix(pose.hands[side], (down, [0.06, -0.88, 0.38]))
    return pose


def _hop(clock: Clock, period: float, height: float) -> tuple[FloatArray, FloatArray]:
    """How far feet are off the ground and how deep knees bend, (T,) each in leg lengths."""
    phase = (clock.seconds / period) % 1
    flight = np.where(phase > 0.5, 4 * (phase - 0.5) * (1 - phase) * 4, 0.0)
    crouch = np.where(phase <= 0.5, np.sin(2 * np.pi * phase), 0.0)
    return height * clock.amplitude * flight, 0.16 * crouch


def jumping(clock: Clock, body: Body) -> Pose:
    """Jump up on the spot, swinging the arms."""
    pose = Pose(len(clock.seconds))
    air, crouch = _hop(clock, 1.3, 0.28)
    _squat(pose, crouch / 0.45, 0.45)
    pose.pelvis[:, 1] += air
    for side in (LEFT, RIGHT):
        pose.feet[side][:, 1] = air
        pose.toes[side] = -0.7 * np.minimum(1, 8 * air)
        pose.elbows[side] = ELBOWS_LOW
        up, back = (air / 0.28).clip(0, 1), crouch / 0.16
        pose.hands[side] = _mix(pose.hands[side], (back, [0.15, -0.85, -0.35]), (up, [0.15, 0.55, 0.7]))
    return pose


def jumping_jacks(clock: Clock, body: Body) -> Pose:
    """Jump feet apart and together, arms up and down at the sides."""
    pose, period = Pose(len(clock.seconds)), 1.1
    out = 0.5 - 0.5 * np.cos(2 * np.pi * clock.seconds / period)
    air = 0.07 * clock.amplitude * np.abs(np.sin(2 * np.pi * clock.seconds / period))
    angle = 0.15 + 2.6 * min(1.0, clock.amplitude) * out
    pose.pelvis[:, 1] = air - 0.06 * out
    for side in (LEFT, RIGHT):
        pose.feet[side] = np.stack([0.04 + 0.34 * clock.amplitude * out, air, np.zeros_like(air)], axis=1)
        pose.hands[side] = 0.96 * np.stack([np.sin(angle), -np.cos(angle), np.full_like(angle, 0.06)], axis=1)
    return pose


def drinking(clock: Clock, body: Body) -> Pose:
    """Lift a cup to the mouth, tip the head back, and put it down."""
    pose = Pose(len(clock.seconds))
    hold, sip = clock.bump(0.0, 0.2, 0.85, 1.0), clock.bump(0.25, 0.45, 0.65, 0.82)
    pose.elbows[RIGHT] = ELBOWS_LOW
    mouth = [0.10 - body.midline, 0.02 + 0.05 * clock.amplitude, 0.36]
    pose.hands[RIGHT] = _mix(pose.hands[RIGHT], (hold, [-0.05, -0.42, 0.5]), (sip, mouth))
    pose.nod = -0.35 * clock.amplitude * clock.bump(0.42, 0.52, 0.58, 0.7) + 0.1 * hold
    return pose


def throwing(clock: Clock, body: Body) -> Pose:
    """Draw an arm back over the shoulder, step and throw."""
    pose, size = Pose(len(clock.seconds)), clock.amplitude
    back, cast, end = clock.bump(0.05, 0.38, 0.42, 0.55), clock.ramp(0.42, 0.56), clock.ramp(0.62, 0.95)
    step = clock.bump(0.3, 0.5, 0.7, 0.95)
    pose.hands[RIGHT] = _mix(
        pose.hands[RIGHT],
        (back, [0.45, 0.42, -0.32]),
        (cast * (1 - end), [-0.15, 0.15, 0.92]),
        (clock.bump(0.54, 0.66, 0.75, 0.95), [-0.45, -0.6, 0.6]),
    )
    pose.hands[LEFT] = _mix(
        pose.hands[LEFT], (back, [0.15, -0.05, 0.85]), (cast * (1 - end), [0.3, -0.8, -0.15])
    )
    pose.twist = size * (0.5 * cast * (1 - end) - 0.55 * back)
    pose.lean = 0.3 * cast * (1 - end) - 0.12 * back
    pose.feet[LEFT][:, 2] = 0.42 * step
    pose.feet[LEFT][:, 1] = 0.08 * (clock.bump(0.3, 0.4, 0.4, 0.5) + clock.bump(0.7, 0.82, 0.82, 0.95))
    pose.pelvis[:, 2] = 0.2 * step
    pose.pelvis[:, 1] = -0.06 * step
    return pose


def shaking_hands(clock: Clock, body: Body) -> Pose:
    """One of two persons who shake hands; both use the same clock."""
    pose, out = Pose(len(clock.seconds)), clock.bump(0.05, 0.3, 0.75, 0.95)
    shake = clock.bump(0.3, 0.4, 0.68, 0.75) * clock.wave(0.45)
    height = (1.08 + 0.05 * clock.amplitude * shake - body.shoulder_height) / body.arm  # where both reach
    there = np.stack([np.full_like(out, -0.5 * body.midline), height, np.full_like(out, 0.72)], axis=1)
    pose.hands[RIGHT] = _mix(pose.hands[RIGHT], (out, there))
    pose.lean = 0.08 * out
    pose.twist = 0.12 * out
    return pose


ACTIONS: dict[str, Callable[[Clock, Body], Pose]] = {
    script.__name__: script
    for script in (
        walking, marching, waving, squatting, sitting_down, standing_up, clapping, kicking,
        punching, raising_arms, bowing, jumping, jumping_jacks, drinking, throwing, shaking_hands,
    )
}  # fmt: skip
