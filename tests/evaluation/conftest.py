"""A small store of made-up motions, and small models."""

from pathlib import Path

import pytest
import torch

from stars_hub.model import EncoderConfig, STARSEncoder
from stars_hub.objectives import NNCLR
from stars_hub.skeletons import SkeletonStore
from stars_hub.skeletons.splits import SplitRule
from stars_hub.skeletons.synthetic import synthetic_dataset

ACTIONS = ["walking", "squatting", "waving"]
ENCODER = EncoderConfig(num_frames=16, embed_dim=16, depth=1, num_heads=2)


@pytest.fixture(scope="session")
def actions(tmp_path_factory: pytest.TempPathFactory) -> SkeletonStore:
    """24 recordings of 3 actions by 4 subjects, with a split "cross" that tests on subject 3."""
    made = synthetic_dataset(8, actions=ACTIONS, num_subjects=4, num_frames=(20, 30))
    folder = tmp_path_factory.mktemp("evaluation") / "store"
    rule = SplitRule("subject", train=(0, 1, 2))
    return SkeletonStore.create(folder, made, layout="ntu25", label_names=ACTIONS, splits={"cross": rule})


@pytest.fixture(scope="session")
def stars_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with the heads of STARS, whose statistics are not those of a new one."""
    torch.manual_seed(0)
    model = NNCLR(STARSEncoder(ENCODER), predictor_hidden_dim=8, queue_size=8)
    model.projector.running_mean.normal_()
    model.projector.running_var.uniform_(0.5, 2)
    return model.save_pretrained(tmp_path_factory.mktemp("model") / "stars")
