"""Which patches of a person the encoder does not get to see: at random, or rather those that move.

Reference: MAMP (arXiv 2308.07092) section 3.3.
"""

import torch
from einops import rearrange, reduce
from torch import Tensor

_TINY = 1e-10


def motion_intensity(patches: Tensor) -> Tensor:
    """How much each patch differs from the same joint's previous one.

    Args:
        patches: (R, T', V', C·u·p), in any order of the numbers within a patch.

    Returns:
        (R, L), the mean absolute difference; the first frame patch takes the second's.
    """
    if patches.shape[1] < 2:
        return patches.new_zeros(len(patches), patches.shape[1] * patches.shape[2])
    change = reduce((patches[:, 1:] - patches[:, :-1]).abs(), "r t v k -> r t v", "mean")
    return rearrange(torch.cat([change[:, :1], change], dim=1), "r t v -> r (t v)")


def masking_scores(intensity: Tensor, noise: Tensor, *, tau: float) -> Tensor:
    """Turn uniform noise into scores whose order decides: low ones stay visible.

    With tau > 0 this is sampling without replacement by the Gumbel trick, from a softmax over motion.

    Args:
        intensity: (R, L) from `motion_intensity`.
        noise: (R, L), uniform in [0, 1).
        tau: temperature of the softmax; the smaller, the more is motion masked. 0: plain random masking.

    Returns:
        (R, L).
    """
    if tau == 0:
        return noise
    strongest = intensity.amax(dim=1, keepdim=True)
    chances = torch.softmax(intensity / (strongest * tau + _TINY), dim=1)
    return chances.log() - torch.log(_TINY - torch.log(noise + _TINY))


def split_tokens(scores: Tensor, *, num_visible: int) -> tuple[Tensor, Tensor]:
    """Keep the tokens of the lowest scores.

    Args:
        scores: (R, L).
        num_visible: how many tokens of a row stay, K.

    Returns:
        `ids_keep` (R, K), places of the visible tokens, and `mask` (R, L), 1 where a token is removed.
    """
    ids_keep = scores.argsort(dim=1, stable=True)[:, :num_visible]
    return ids_keep, torch.ones_like(scores).scatter(1, ids_keep, 0.0)


def count_visible(num_tokens: int, mask_ratio: float) -> int:
    """How many of L tokens stay visible: the authors' rounding, which gives 74 of 750 at 0.9, not 75.

    >>> count_visible(750, 0.9)
    74
    """
    return int(num_tokens * (1 - mask_ratio))
