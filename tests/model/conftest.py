"""The golden encoder: the authors' weights under our names."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from stars_hub.model.config import EncoderConfig
from stars_hub.model.network import SkeletonTransformer

GOLDEN_CONFIG = EncoderConfig(num_frames=24, embed_dim=32, depth=4, num_heads=4)


@pytest.fixture(scope="session")
def golden(golden_dir: Path) -> dict[str, Tensor]:
    return load_file(golden_dir / "encoder.safetensors")


@pytest.fixture
def golden_network(golden: dict[str, Tensor]) -> SkeletonTransformer:
    state = {
        name.removeprefix("state."): value for name, value in golden.items() if name.startswith("state.")
    }
    state["patch_embed.weight"] = state.pop("joints_embed.proj.weight").flatten(1)
    state["patch_embed.bias"] = state.pop("joints_embed.proj.bias")
    network = SkeletonTransformer(GOLDEN_CONFIG)
    network.load_state_dict(state)
    return network.eval()


@pytest.fixture
def small_config() -> EncoderConfig:
    return EncoderConfig(num_frames=8, num_joints=5, embed_dim=16, depth=2, num_heads=2)


@pytest.fixture
def persons() -> Tensor:
    """Five samples: two persons, one, a copied one, nobody, and a second person without a first."""
    x = torch.randn(5, 3, 8, 5, 2, generator=torch.Generator().manual_seed(0))
    x[1, ..., 1] = 0
    x[2, ..., 1] = x[2, ..., 0]
    x[3] = 0
    x[4, ..., 0] = 0
    return x
