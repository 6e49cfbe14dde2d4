"""What a masked-motion model sees of a recording, and what it makes of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from stars_hub import checkpoints
from stars_hub.errors import CheckpointError
from stars_hub.model.preparation import Preparation
from stars_hub.model.sources import as_persons
from stars_hub.objectives.mamp import MAMP
from stars_hub.objectives.motion import motion, target_patches
from stars_hub.skeletons.layouts import SkeletonLayout, get_layout

_EPS = 1e-6  # as in objectives.motion.normalize_patches


@dataclass(frozen=True)
class Reconstruction:
    """A recording as the model got it and as it completed it; the first person, in the encoder's frames.

    Args:
        layout: of the joints.
        original: (T, V, 3), metres.
        predicted: (T, V, 3), metres.
        masked: bool (T, V), where the model saw nothing.
    """

    layout: SkeletonLayout
    original: np.ndarray
    predicted: np.ndarray
    masked: np.ndarray


def load_mamp(name: str | Path) -> MAMP:
    """Load a model with the decoder that it was pretrained with.

    Raises:
        CheckpointError: the model cannot be found or read, or was saved without one.
    """
    saved = checkpoints.read_config(checkpoints.resolve_model(name)).get("objective")
    if not isinstance(saved, Mapping) or saved.get("name") != MAMP.name:
        raise CheckpointError(f"{name} holds no decoder of masked motion: give a pretraining run's last")
    return MAMP.from_pretrained(name)


@torch.no_grad()
def reconstruct(
    model: MAMP, joints: np.ndarray, *, layout: str | SkeletonLayout | None = None, seed: int = 0
) -> Reconstruction:
    """Mask a recording as in pretraining and let the model complete it.

    The model predicts patches with mean 0 and variance 1. As in pictures of masked autoencoders, each gets
    back mean and deviation of the TRUE patch, which the model does not know: the picture shows the shape of
    the predicted motion, not its size. Where the target is motion, positions are summed up from the true
    ones of the first frames: along a joint, predicted motion where it was masked, true motion where not.

    Args:
        model: with its decoder, such as `MAMP.from_pretrained(run / "last")`.
        joints: (T', M, V', 3) or (T', V', 3), metres.
        layout: of the joints; None: the encoder's.
        seed: of the mask.

    Raises:
        SequenceError: an impossible shape.
        LayoutError: the number of joints is not that of the layout.
    """
    encoder, config = model.encoder, model.encoder.config
    own = get_layout(getattr(encoder, "layout", None) or config.layout)
    preparation = Preparation(config, own, layout)
    x = preparation.batch([preparation.clean(as_persons(joints, name="the recording"), name="the recording")])
    noise = torch.rand(config.num_persons, config.num_tokens, generator=torch.Generator().manual_seed(seed))
    was_training = model.training
    try:
        output = model.eval()(x, noise)
    finally:
        model.train(was_training)
    row = rearrange(x, "1 c t v m -> m c t v")[:1]
    truth = motion(row, stride=model.motion_stride) if model.target == "motion" else row
    u, p = config.frame_patch_size, config.joint_patch_size
    patches = target_patches(truth, frame_patch_size=u, joint_patch_size=p)
    variance, mean = torch.var_mean(patches, dim=-1, keepdim=True)
    guess = output.prediction[:1] * torch.sqrt(variance + _EPS) + mean
    masked = rearrange(output.mask[:1], "1 (t v) -> t v", v=config.num_joints // p).bool()
    mixed = torch.where(output.mask[:1, :, None].bool(), guess, patches)
    completed = rearrange(mixed, "1 (t v) (u p c) -> (t u) (v p) c", v=config.num_joints // p, u=u, p=p)
    original = rearrange(row, "1 c t v -> t v c")
    if model.target == "motion":
        completed = _summed(completed, original, model.motion_stride)
    everywhere = masked.repeat_interleave(u, dim=0).repeat_interleave(p, dim=1)
    return Reconstruction(own, original.numpy(), completed.numpy(), everywhere.numpy())


def _summed(moves: Tensor, original: Tensor, stride: int) -> Tensor:
    """Positions (T, V, 3) from motion, starting from the true first `stride` frames."""
    positions = original.clone()
    for frame in range(stride, len(positions)):
        positions[frame] = positions[frame - stride] + moves[frame - stride]
    return positions
