"""What a run starts from: a new encoder, or that of a model, which has its own size."""

import dataclasses
from typing import TypeVar

from stars_hub.errors import ConfigError
from stars_hub.model.config import EncoderConfig
from stars_hub.model.encoder import STARSEncoder
from stars_hub.skeletons.layouts import SkeletonLayout
from stars_hub.training.config import FinetuneConfig, PretrainConfig
from stars_hub.training.data import check_layout

_ConfigT = TypeVar("_ConfigT", PretrainConfig, FinetuneConfig)


def new_encoder(size: EncoderConfig | None, layout: SkeletonLayout) -> STARSEncoder:
    """An encoder with random weights; of the paper's size, if none is given.

    Raises:
        LayoutError: it would be for another layout.
    """
    size = size or EncoderConfig()
    check_layout(layout, size)
    return STARSEncoder(size, layout=layout)


def with_encoder(config: _ConfigT, encoder: EncoderConfig) -> _ConfigT:
    """The configuration of a run with the encoder that it really has.

    Raises:
        ConfigError: another was asked for than the model's.
    """
    if config.encoder is not None:
        check_size(config.model, encoder, config.encoder.to_dict())
    return dataclasses.replace(config, encoder=encoder)


def check_size(model: str | None, encoder: EncoderConfig, wanted: dict[str, object]) -> None:
    """Refuse to take a model's encoder for one of another size.

    Args:
        model: whose encoder it is.
        encoder: as it is.
        wanted: fields of it.

    Raises:
        ConfigError: names the fields that differ.
    """
    own = encoder.to_dict()
    if differing := [
        f"{key} {own[key]!r}, not {value!r}" for key, value in wanted.items() if own[key] != value
    ]:
        raise ConfigError(
            f"{model} has an encoder with {', '.join(differing)}; only a new encoder's size can be chosen"
        )
