"""What masked pretraining predicts: the motion, or the position, of each patch.

Reference: MAMP (arXiv 2308.07092) section 3.2.
"""

import torch
from einops import rearrange
from torch import Tensor

_EPS = 1e-6


def motion(rows: Tensor, *, stride: int = 1) -> Tensor:
    """Displacement of each joint over `stride` frames: x[t + stride] - x[t], and 0 in the last frames.

    Args:
        rows: (R, C, T, V).
        stride: frames, at least 1.

    Returns:
        (R, C, T, V).
    """
    moved = torch.zeros_like(rows)
    moved[:, :, :-stride] = rows[:, :, stride:] - rows[:, :, :-stride]
    return moved


def target_patches(rows: Tensor, *, frame_patch_size: int, joint_patch_size: int) -> Tensor:
    """Cut rows into patches as the decoder predicts them: (R, C, T, V) -> (R, L, u·p·C).

    The order within a patch is frame, joint, coordinate; the encoder's own patches have coordinates first.
    """
    u, p = frame_patch_size, joint_patch_size
    return rearrange(rows, "r c (t u) (v p) -> r (t v) (u p c)", u=u, p=p)


def normalize_patches(patches: Tensor) -> Tensor:
    """Give each patch mean 0 and unit (unbiased) variance; one without motion stays 0."""
    centred = patches - patches.mean(dim=-1, keepdim=True)
    variance = centred.square().sum(dim=-1, keepdim=True) / max(patches.shape[-1] - 1, 1)
    return centred / torch.sqrt(variance + _EPS)
