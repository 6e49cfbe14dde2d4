"""Persons of plausible size who drift about: input for tests that care about numbers, not about actions."""

import numpy as np

# The 25 joints of ntu25 standing upright, metres, y up, seen from 3 m.
STANDING = np.array(
    [
        [0.00, 0.00, 3.0], [0.00, 0.30, 3.0], [0.00, 0.58, 3.0], [0.00, 0.72, 3.0],
        [-0.18, 0.45, 3.0], [-0.25, 0.20, 3.0], [-0.27, -0.02, 2.9], [-0.27, -0.10, 2.9],
        [0.18, 0.45, 3.0], [0.25, 0.20, 3.0], [0.27, -0.02, 2.9], [0.27, -0.10, 2.9],
        [-0.08, 0.00, 3.0], [-0.10, -0.40, 3.0], [-0.10, -0.80, 3.0], [-0.10, -0.85, 2.9],
        [0.08, 0.00, 3.0], [0.10, -0.40, 3.0], [0.10, -0.80, 3.0], [0.10, -0.85, 2.9],
        [0.00, 0.51, 3.0], [-0.27, -0.18, 2.9], [-0.24, -0.12, 2.9], [0.27, -0.18, 2.9], [0.24, -0.12, 2.9],
    ],
    dtype=np.float32,
)  # fmt: skip


def drifting(frames: int = 40, persons: int = 1, seed: int = 0, *, pace: float = 0.01) -> np.ndarray:
    """(T, M, 25, 3) metres: every joint on a random walk of its own that starts at the standing pose."""
    generator = np.random.default_rng(seed)
    steps = generator.normal(scale=pace, size=(frames, persons, 25, 3))
    places = np.arange(persons)[None, :, None, None] * np.array([0.8, 0.0, 0.0])
    return (STANDING + places + steps.cumsum(axis=0)).astype(np.float32)
