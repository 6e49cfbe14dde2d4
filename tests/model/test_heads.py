"""The heads give what the authors' heads gave."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stars_hub.model.heads import JointHead, LinearHead
from stars_hub.model.network import SkeletonTransformer
from tests.model.conftest import GOLDEN_CONFIG

_NAMES = {"fc.0.": "norm.", "fc.1.": "fc.", "bn.": "norm.", "fc1.": "fc1.", "fc2.": "fc2."}


def load_head(head: torch.nn.Module, golden: dict[str, torch.Tensor]) -> None:
    state = {}
    for name, tensor in golden.items():
        if name.startswith("state.head."):
            name = name.removeprefix("state.head.")
            prefix = next(theirs for theirs in _NAMES if name.startswith(theirs))
            state[_NAMES[prefix] + name.removeprefix(prefix)] = tensor
    head.load_state_dict(state)


@pytest.fixture
def tokens(golden_network: SkeletonTransformer, golden_dir: Path) -> torch.Tensor:
    with torch.no_grad():
        return golden_network.forward_features(load_file(golden_dir / "head_finetune.safetensors")["input"])


def test_linear_head_is_the_authors(tokens: torch.Tensor, golden_dir: Path) -> None:
    golden = load_file(golden_dir / "head_linprobe.safetensors")
    head = LinearHead(32, 7).eval()
    load_head(head, golden)
    torch.testing.assert_close(head(tokens.mean(dim=(1, 2, 3))), golden["logits"], rtol=0, atol=1e-5)


def test_joint_head_is_the_authors(tokens: torch.Tensor, golden_dir: Path) -> None:
    golden = load_file(golden_dir / "head_finetune.safetensors")
    head = JointHead(GOLDEN_CONFIG, 7, hidden_dim=40).eval()
    load_head(head, golden)
    torch.testing.assert_close(head(tokens), golden["logits"], rtol=0, atol=1e-5)
