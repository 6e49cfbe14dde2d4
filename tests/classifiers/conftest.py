"""Recordings whose class a glance tells, and an encoder so small that it takes no time."""

import numpy as np
import pytest
import torch

from stars_hub.classifiers import STARSClassifier
from stars_hub.model.config import EncoderConfig
from stars_hub.model.encoder import STARSEncoder
from stars_hub.skeletons.sequence import Sequence
from tests.motions import drifting

ACTIONS = ("kick", "rest", "wave")
_MOVED = {"kick": [14, 15], "rest": [], "wave": [6, 7, 21, 22]}  # feet, nothing, a hand


def clip(action: str, seed: int = 0, frames: int = 16) -> np.ndarray:
    """(T, 1, 25, 3) metres: the standing pose, of which one limb is raised."""
    joints = drifting(frames, seed=seed, pace=0.002)
    joints[:, :, _MOVED[action], 1] += np.linspace(0.0, 0.8, frames)[:, None, None]
    return joints.astype(np.float32)


def clips(per_class: int, *, seed: int = 0, subjects: int = 4) -> list[Sequence]:
    """As many of each action, by subjects who take turns."""
    return [
        Sequence(clip(action, 1000 * seed + n), name=f"{action}{n}", label=action, subject=n % subjects)
        for action in ACTIONS
        for n in range(per_class)
    ]


@pytest.fixture
def encoder() -> STARSEncoder:
    torch.manual_seed(0)
    return STARSEncoder(EncoderConfig(num_frames=8, embed_dim=16, depth=2, num_heads=2)).eval()


@pytest.fixture
def fitted(encoder: STARSEncoder) -> STARSClassifier:
    return STARSClassifier(encoder).fit(clips(8), mode="linear", validation=0, progress=False)
