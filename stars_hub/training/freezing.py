"""Which part of an encoder is trained; below it no graph is built, so it costs a forward pass only."""

from stars_hub.errors import ConfigError
from stars_hub.model.network import SkeletonTransformer


def freeze_below(encoder: SkeletonTransformer, first_block: int) -> None:
    """Train blocks `first_block` … depth - 1 and the last norm; freeze the embeddings and the blocks below.

    As nothing below the first trained block asks for a gradient, autograd records nothing there. Stage 2
    of STARS trains the upper half: `freeze_below(encoder, encoder.config.depth // 2)`.

    Args:
        encoder: whose `requires_grad` flags are set.
        first_block: the lowest trained block; 0 freezes the embeddings alone, `depth` leaves the last norm.

    Raises:
        ConfigError: there is no such block.
    """
    depth = encoder.config.depth
    if not 0 <= first_block <= depth:
        raise ConfigError(f"the first trained block must lie in [0, {depth}], got {first_block}")
    encoder.requires_grad_(False)
    encoder.blocks[first_block:].requires_grad_(True)
    encoder.norm.requires_grad_(True)


def train_upper_blocks(encoder: SkeletonTransformer, count: int) -> None:
    """Train the uppermost `count` blocks and the last norm, as `freeze_below` says.

    Raises:
        ConfigError: there are not so many blocks.
    """
    depth = encoder.config.depth
    if count > depth:
        raise ConfigError(f"trainable_blocks must be at most {depth}, the encoder's depth, got {count}")
    freeze_below(encoder, depth - count)


def freeze_encoder(encoder: SkeletonTransformer) -> None:
    """Train nothing of the encoder, as in the heads-only stage of STARS-3stage."""
    encoder.requires_grad_(False)
