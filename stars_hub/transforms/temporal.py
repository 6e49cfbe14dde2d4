"""Time: which frames count, crops, and linear resampling of ragged batches with one gather.

Batches are (N, C, T, V, M); a crop is two tensors (N,): the first frame and the number of frames.
"""

import torch
from einops import rearrange, reduce
from torch import Tensor

from stars_hub.errors import ConfigError, SequenceError


def valid_frames(x: Tensor) -> Tensor:
    """Tell which frames hold anybody: those in which any coordinate is non-zero.

    Args:
        x: (N, C, T, V, M).

    Returns:
        bool (N, T). A frame with a NaN counts as valid.
    """
    return reduce(x != 0, "n c t v m -> n t", "any")


def compact_frames(x: Tensor) -> tuple[Tensor, Tensor]:
    """Move the valid frames of each sample to its front, in their order.

    Leading, inner and trailing empty frames all go to the end, so that the first `lengths` frames are the
    recording. A sample that is empty throughout counts as one frame.

    Args:
        x: (N, C, T, V, M).

    Returns:
        x (N, C, T, V, M) with its frames reordered, and lengths (N,) int64, at least 1.
    """
    valid = valid_frames(x)
    order = torch.argsort((~valid).to(torch.uint8), dim=1, stable=True)
    lengths = valid.sum(dim=1).clamp(min=1)
    return torch.take_along_dim(x, rearrange(order, "n t -> n 1 t 1 1"), dim=2), lengths


def center_crop(lengths: Tensor, ratio: float) -> tuple[Tensor, Tensor]:
    """Cut the same number of frames off both ends: `bias = int((1 - ratio) * n / 2)`.

    Args:
        lengths: (N,) frames of each sample.
        ratio: the part to keep, in (0, 1]; 0.95 for evaluation, 1.0 in contrastive tuning.

    Returns:
        starts and lengths (N,) int64; at least one frame is kept.

    Raises:
        ConfigError: the ratio is outside (0, 1].
    """
    if not 0.0 < ratio <= 1.0:
        raise ConfigError(f"a centre crop keeps a part in (0, 1] of the frames, not {ratio}")
    lengths = lengths.to(torch.int64).clamp(min=1)
    # float64, in this order: int((1 - 0.95) * 40 / 2) is 1, and rounding decides it.
    bias = ((1.0 - ratio) * lengths.to(torch.float64) / 2).to(torch.int64)
    bias = torch.minimum(bias, (lengths - 1) // 2)
    return bias, lengths - 2 * bias


def random_crop(
    lengths: Tensor,
    low: float,
    high: float,
    *,
    uniform: Tensor | None = None,
    generator: torch.Generator | None = None,
    min_frames: int = 64,
) -> tuple[Tensor, Tensor]:
    """Keep a random run of frames: a part p ~ U[low, high] of them, but at least `min_frames` if it has them.

    Args:
        lengths: (N,) frames of each sample.
        low: the smallest part.
        high: the largest part.
        uniform: (N, 2) numbers in [0, 1): one decides the length, one the start. Drawn where not given.
        generator: the source of `uniform`; torch's own where not given.
        min_frames: no crop is shorter than this, unless the sample is.

    Returns:
        starts and lengths (N,) int64.

    Raises:
        ConfigError: not 0 < low <= high <= 1, or `min_frames` below 1.
        SequenceError: `uniform` has another shape than (N, 2).
    """
    if not 0.0 < low <= high <= 1.0:
        raise ConfigError(f"a random crop needs 0 < low <= high <= 1, not low {low} and high {high}")
    if min_frames < 1:
        raise ConfigError(f"a random crop keeps at least one frame: min_frames is {min_frames}")
    lengths = lengths.to(torch.int64).clamp(min=1)
    if uniform is None:
        device = lengths.device if generator is None else generator.device
        uniform = torch.rand(len(lengths), 2, dtype=torch.float64, generator=generator, device=device)
    if uniform.shape != (len(lengths), 2):
        raise SequenceError(f"uniform must be ({len(lengths)}, 2), got {tuple(uniform.shape)}")
    part, place = uniform.to(device=lengths.device, dtype=torch.float64).unbind(dim=1)

    kept = torch.floor(lengths * (part * (high - low) + low)).to(torch.int64)
    kept = torch.minimum(kept.clamp(min=min_frames), lengths)
    starts = torch.floor(place * (lengths - kept + 1)).to(torch.int64)
    return torch.minimum(starts, lengths - kept), kept


def resample_plan(
    starts: Tensor, lengths: Tensor, num_frames: int, *, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor, Tensor]:
    """Say which two frames make each new one: `new = (1 - weight) * x[left] + weight * x[right]`.

    Linear along time with half-pixel centres, clamped at the ends: what `torch.nn.functional.interpolate`
    does with align_corners=False, for crops that differ from sample to sample.

    Args:
        starts: (N,) first frame of each crop.
        lengths: (N,) frames of each crop.
        num_frames: the number of frames wanted, T.
        dtype: of the weights.

    Returns:
        left and right (N, T) int64, weight (N, T) in [0, 1).

    Raises:
        ConfigError: `num_frames` is below 1.
    """
    if num_frames < 1:
        raise ConfigError(f"resampling needs at least one frame: num_frames is {num_frames}")
    starts = rearrange(starts.to(torch.int64), "n -> n 1")
    lengths = rearrange(lengths.to(torch.int64).clamp(min=1), "n -> n 1")
    centers = torch.arange(num_frames, device=lengths.device, dtype=torch.float64) + 0.5
    place = (centers * lengths / num_frames - 0.5).clamp(min=0)
    left = place.to(torch.int64)
    right = torch.minimum(left + 1, lengths - 1)
    return starts + left, starts + right, (place - left).to(dtype)


def resample(
    x: Tensor, num_frames: int, *, starts: Tensor | None = None, lengths: Tensor | None = None
) -> Tensor:
    """Crop each sample to its own frames and stretch the crop to `num_frames`, linearly.

    Args:
        x: (N, C, T, V, M).
        num_frames: the number of frames wanted, T'.
        starts: (N,) first frame of each crop; 0 where not given.
        lengths: (N,) frames of each crop; up to the end where not given.

    Returns:
        (N, C, T', V, M).

    Raises:
        ConfigError: `num_frames` is below 1.
    """
    count, frames = x.shape[0], x.shape[2]
    if starts is None:
        starts = torch.zeros(count, dtype=torch.int64, device=x.device)
    if lengths is None:
        lengths = frames - starts
    plan = resample_plan(starts.to(x.device), lengths.to(x.device), num_frames, dtype=x.dtype)
    left, right, weight = (rearrange(part, "n t -> n 1 t 1 1") for part in plan)
    return torch.lerp(torch.take_along_dim(x, left, dim=2), torch.take_along_dim(x, right, dim=2), weight)
