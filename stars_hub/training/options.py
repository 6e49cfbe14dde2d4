"""Command line options made from the fields of a configuration."""

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

from stars_hub import checkpoints
from stars_hub.model.config import EncoderConfig
from stars_hub.training.config import TrainConfig
from stars_hub.training.start import check_size

_ConfigT = TypeVar("_ConfigT", bound=TrainConfig)


def config_options(kind: type[TrainConfig]) -> Callable[[Any], Any]:
    """Give a click command an option for every field of a configuration, the encoder's among them.

    What the user does not give is None or empty, so that a recipe's value stands.

    Args:
        kind: the configuration.
    """

    def decorate(command: Any) -> Any:
        import click

        for field in reversed(dataclasses.fields(kind)):
            if field.name == "encoder":
                for part in reversed(_encoder_fields(kind)):
                    settings = _settings(part.type) | {"help": "Of a new encoder."}
                    command = click.option(_flag(part.name, part.type), part.name, **settings)(command)
            else:
                settings = _settings(field.type) | {"help": field.metadata["help"]}
                command = click.option(_flag(field.name, field.type), field.name, **settings)(command)
        return command

    return decorate


def config_from_options(
    kind: type[_ConfigT], make: Callable[..., _ConfigT], given: Mapping[str, Any]
) -> _ConfigT:
    """Make a configuration of a recipe and of what `config_options` parsed.

    Args:
        kind: the configuration.
        make: takes fields as keyword arguments, such as a recipe or the configuration's class.
        given: values by field; those that are None or empty were not given.

    Raises:
        ConfigError: a value that cannot be, or a size of the encoder that a given model does not have.
        CheckpointError: the model whose size is asked for cannot be found or read.
    """
    known = {name: value for name, value in given.items() if value is not None and value != ()}
    encoder = {part.name: known.pop(part.name) for part in _encoder_fields(kind) if part.name in known}
    config = make(**known)
    if not encoder:
        return config
    start: Any = config
    if start.model:
        saved = checkpoints.read_config(checkpoints.resolve_model(start.model))
        check_size(start.model, EncoderConfig.from_dict(saved), encoder)
        return config
    return dataclasses.replace(
        start, encoder=dataclasses.replace(start.encoder or EncoderConfig(), **encoder)
    )


def _encoder_fields(kind: type[TrainConfig]) -> list[dataclasses.Field[Any]]:
    """What can be set of a new encoder; a field that the configuration has as well is the configuration's."""
    own = {field.name for field in dataclasses.fields(kind)}
    return [part for part in dataclasses.fields(EncoderConfig) if part.name not in own]


def _flag(name: str, annotation: Any) -> str:
    flag = "--" + name.replace("_", "-")
    return f"{flag}/--no-{flag[2:]}" if bool in (annotation, *typing.get_args(annotation)) else flag


def _settings(annotation: Any) -> dict[str, Any]:
    """What click needs to know of a field's type."""
    import click

    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (types.UnionType, typing.Union):
        return _settings(next(part for part in parts if part is not type(None)))
    if origin is Literal:
        return {"type": click.Choice(list(parts)), "default": None}
    if origin is tuple and parts[-1] is Ellipsis:
        return {"type": parts[0], "multiple": True}
    if origin is tuple:
        return {"type": parts[0], "nargs": len(parts), "default": None}
    return {"default": None} if annotation is bool else {"type": annotation, "default": None}
