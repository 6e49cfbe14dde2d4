"""What is checked before an encoder is built and moved: a folder's configuration, devices, dtypes."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from stars_hub import checkpoints
from stars_hub.errors import CheckpointError, ConfigError
from stars_hub.model.config import EncoderConfig
from stars_hub.skeletons.layouts import SkeletonLayout

DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def read_encoder_config(folder: Path, tensors: Mapping[str, Tensor]) -> EncoderConfig:
    """Read a folder's configuration, and compare it with the weights before anything is built of it.

    Raises:
        CheckpointError: a value lacks, cannot be, or is not that of the weights.
    """
    path = folder / checkpoints.CONFIG_NAME
    try:
        config = EncoderConfig.from_dict(checkpoints.read_config(folder))
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error
    blocks = {name.split(".")[1] for name in tensors if name.startswith("blocks.")}
    expected = {
        "patch_embed.weight": (config.embed_dim, config.patch_dim),
        "temp_embed": (1, config.num_frame_patches, 1, config.embed_dim),
        "pos_embed": (1, 1, config.num_joint_patches, config.embed_dim),
        "blocks.0.mlp.fc1.weight": (config.hidden_dim, config.embed_dim),
    }
    wrong = [
        f"{name} of shape {shape}, which is {tuple(tensors[name].shape)}"
        for name, shape in expected.items()
        if name in tensors and tuple(tensors[name].shape) != shape
    ]
    if len(blocks) != config.depth:
        wrong.append(f"{config.depth} blocks, of which there are {len(blocks)}")
    if wrong:
        raise CheckpointError(f"{path} does not fit the weights beside it: it asks for {'; '.join(wrong)}")
    return config


def read_layout(folder: Path) -> SkeletonLayout | None:
    """The layout that travels with a folder, if it is one of the user's own."""
    path = folder / checkpoints.LAYOUT_NAME
    return SkeletonLayout.from_json(path) if path.is_file() else None


def as_device(device: str | torch.device) -> torch.device:
    """A device that is there.

    Raises:
        ConfigError: an unknown name, or a device that this machine or this PyTorch lacks.
    """
    try:
        device = torch.device(device)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).split("\n")[0]
        raise ConfigError(f"device {str(device)!r} cannot be used: {reason}") from error
    return device


def as_dtype(dtype: torch.dtype | None) -> torch.dtype:
    """A dtype that the encoder computes in; None: float32.

    Raises:
        ConfigError: another.
    """
    if dtype is None:
        return torch.float32
    if dtype not in DTYPES:
        raise ConfigError(f"dtype must be one of {', '.join(map(str, DTYPES))}, got {dtype!r}")
    return dtype
