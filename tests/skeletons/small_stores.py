"""Short random sequences of a skeleton of three joints, to fill stores with."""

import numpy as np

from stars_hub.skeletons.layouts import SkeletonLayout

TRIPOD = SkeletonLayout(
    name="tripod",
    joint_names=("hip", "left", "right"),
    parents=(-1, 0, 0),
    mirror_pairs=((1, 2),),
    root=0,
    spine_middle=0,
)


def motions(count: int = 12, seed: int = 0) -> list[np.ndarray]:
    """Sequences of 1 to 3 persons and 1 to 20 frames, the last person sometimes absent."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        joints = random.normal(size=(random.integers(1, 21), random.integers(1, 4), 3, 3)).astype(np.float32)
        if joints.shape[1] > 1 and random.random() < 0.5:
            joints[:, random.integers(joints.shape[1])] = 0
        made.append(joints)
    return made
