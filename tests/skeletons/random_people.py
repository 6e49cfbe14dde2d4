"""People of random joints in every layout."""

import numpy as np

from stars_hub.skeletons.layouts import get_layout, layout_names

NAMES = tuple(layout_names())


def person(layout: str, seed: int = 0, shape: tuple[int, ...] = (5,)) -> np.ndarray:
    """Random joints whose torso measures 0.5 m and a bit."""
    names = get_layout(layout).joint_names
    joints = np.random.default_rng(seed).normal(scale=0.05, size=(*shape, len(names), 3)).astype(np.float32)
    joints[..., [name.endswith("hip") or name == "pelvis" for name in names], 1] -= 0.3
    joints[..., [name.endswith("shoulder") or name == "shoulder_center" for name in names], 1] += 0.3
    return joints


def at(joints: np.ndarray, layout: str, joint: str) -> np.ndarray:
    return joints[..., get_layout(layout).joint_names.index(joint), :]
