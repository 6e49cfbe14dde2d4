"""Less memory where what follows the encoder needs the whole batch: it is encoded in chunks."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from stars_hub.model.network import SkeletonTransformer


def encode_in_chunks(encoder: SkeletonTransformer, size: int) -> None:
    """Let an encoder hold the activations of `size` samples at a time, for the same outputs and gradients.

    What follows the encoder needs the outputs of the whole batch, so parts cannot be back-propagated one
    after another: each is encoded again when its turn comes, with the same dropout.

    Reference: GradCache, Gao et al. 2021 (arXiv 2101.06983).
    """
    for name in ("forward", "forward_features"):
        whole = getattr(type(encoder), name)
        setattr(encoder, name, partial(_in_chunks, partial(whole, encoder), size))


def _in_chunks(encode: Callable[[Tensor], Tensor], size: int, x: Tensor) -> Tensor:
    chunks = x.split(size) if len(x) else (x,)
    if not torch.is_grad_enabled():
        return torch.cat([encode(chunk) for chunk in chunks])
    return torch.cat([checkpoint(encode, chunk, use_reentrant=False) for chunk in chunks])
