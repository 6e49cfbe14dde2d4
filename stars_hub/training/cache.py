"""Features of a frozen encoder, kept: where nothing random happens they are the same in every epoch."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from stars_hub.model.network import SkeletonTransformer
from stars_hub.training.config import TrainConfig


class FeatureCache(nn.Module):
    """The features of the training samples that were encoded so far; saved with a run's state.

    Args:
        count: training samples, S.
        dim: width of a feature, D.

    Attributes:
        features: (S, D).
        known: (S,), which of them were encoded.
        ids: of the batch that the encoder is about to see.
    """

    features: Tensor
    known: Tensor

    def __init__(self, count: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("features", torch.zeros(count, dim))
        self.register_buffer("known", torch.zeros(count, dtype=torch.bool))
        self.ids = torch.empty(0, dtype=torch.int64)

    @torch.no_grad()
    def look_up(self, encode: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """Features (N, D) of the samples `ids`, of which only new ones are encoded."""
        new = ~self.known[self.ids]
        if new.any():
            self.features[self.ids[new]] = encode(x[new]).to(self.features.dtype)
            self.known[self.ids[new]] = True
        return self.features[self.ids]


def can_cache(config: TrainConfig, encoder: SkeletonTransformer) -> bool:
    """Whether a sample looks the same in every epoch, to an encoder that computes the same."""
    sizes = encoder.config
    random = sizes.drop_rate or sizes.attn_drop_rate or sizes.drop_path_rate
    return not config.augments and not random


def encode_once(encoder: SkeletonTransformer, cache: FeatureCache) -> None:
    """Let an encoder look features up in training mode; `cache.ids` must name the samples of each batch."""
    encoder.forward = partial(_encode_once, encoder, cache, encoder.forward)  # type: ignore[method-assign]


def _encode_once(
    encoder: SkeletonTransformer, cache: FeatureCache, forward: Callable[[Tensor], Tensor], x: Tensor
) -> Tensor:
    return cache.look_up(forward, x) if encoder.training else forward(x)
