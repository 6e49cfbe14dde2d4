"""Views of the same sample: its bones, its motion. Apply bone first, then motion."""

import torch
from torch import Tensor

from stars_hub.skeletons.layouts import SkeletonLayout
from stars_hub.transforms.spatial import layout_of


def bone_stream(x: Tensor, layout: str | SkeletonLayout) -> Tensor:
    """Replace each joint by the bone that leads to it: the joint minus its parent; the root becomes zero.

    Args:
        x: (N, C, T, V, M).
        layout: whose `parents` count.

    Returns:
        (N, C, T, V, M).

    Raises:
        LayoutError: the layout is unknown or has another number of joints than the batch.
    """
    parents = [joint if parent < 0 else parent for joint, parent in enumerate(layout_of(x, layout).parents)]
    return x - x[:, :, :, parents]


def motion_stream(x: Tensor) -> Tensor:
    """Replace each frame by the way to the next one; the last becomes zero.

    Args:
        x: (N, C, T, V, M).

    Returns:
        (N, C, T, V, M).
    """
    return torch.cat([x[:, :, 1:] - x[:, :, :-1], torch.zeros_like(x[:, :, :1])], dim=2)
