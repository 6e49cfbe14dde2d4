"""The golden models of both stages, under our names."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from einops import rearrange
from safetensors import safe_open
from torch import Tensor

from stars_hub.hub.authors import DECODER, ENCODER, HEADS, QUEUE, split_block_number, strip_prefixes
from stars_hub.model.config import EncoderConfig
from stars_hub.model.encoder import STARSEncoder

GOLDEN_CONFIG = EncoderConfig(num_frames=24, embed_dim=32, depth=4, num_heads=4)
_TABLE = {theirs: (ours, shape) for theirs, ours, shape in ENCODER + DECODER + HEADS + QUEUE}


def our_names(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The authors' tensors under our names and in our shapes, in the dtype that they have."""
    ours = {}
    for name, tensor in theirs.items():
        template, number = split_block_number(strip_prefixes(name))
        key, shape = _TABLE[template]
        ours[key.replace("#", str(number))] = rearrange(tensor, shape) if "->" in shape else tensor
    return ours


class Golden(dict[str, Tensor]):
    """The tensors of a golden file, and its configuration `meta`."""

    meta: dict[str, Any]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Tensors of one prefix under our names; those that are no objective's get the prefix `encoder.`."""
        found = {name.removeprefix(prefix): value for name, value in self.items() if name.startswith(prefix)}
        encoder = {ours for _, ours, _ in ENCODER}
        return {
            f"encoder.{name}" if split_block_number(name)[0] in encoder else name: value
            for name, value in our_names(found).items()
        }


@pytest.fixture(scope="session")
def golden(golden_dir: Path) -> Callable[[str], Golden]:
    def load(name: str) -> Golden:
        with safe_open(golden_dir / f"{name}.safetensors", "pt") as file:
            tensors = Golden({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118
            tensors.meta = json.loads(file.metadata()["meta"])
        return tensors

    return load


@pytest.fixture
def small_config() -> EncoderConfig:
    return EncoderConfig(num_frames=8, num_joints=5, embed_dim=16, depth=4, num_heads=2)


@pytest.fixture
def small_encoder(small_config: EncoderConfig) -> STARSEncoder:
    torch.manual_seed(0)
    return STARSEncoder(small_config)


@pytest.fixture
def persons() -> Tensor:
    """Six samples: two persons, one, a copied one, nobody, a second person without a first, two."""
    x = torch.randn(6, 3, 8, 5, 2, generator=torch.Generator().manual_seed(0))
    x[1, ..., 1] = 0
    x[2, ..., 1] = x[2, ..., 0]
    x[3] = 0
    x[4, ..., 0] = 0
    return x
