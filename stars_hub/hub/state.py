"""The authors' tensors as ours: a pure function from what their file holds to what a model folder holds."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from stars_hub.checkpoints.names import listing
from stars_hub.errors import CheckpointError, ConfigError
from stars_hub.hub.authors import (
    DECODER,
    ENCODER,
    HEADS,
    INTEGERS,
    MAMP,
    QUEUE,
    STARS,
    Row,
    Source,
    split_block_number,
    strip_prefixes,
)
from stars_hub.model.config import EncoderConfig

_QKV_BIAS = "attn.qkv.bias"
# Settings of training that are in no tensor; the values are the papers' for NTU-60.
_MAMP_SETTINGS = {
    "mask_ratio": 0.9,
    "motion_stride": 1,
    "motion_aware_tau": 0.8,
    "target": "motion",
    "skip_absent_persons": False,
}
_NNCLR_SETTINGS = {"temperature": 0.07, "topk": 0}


@dataclass(frozen=True)
class ConvertedModel:
    """What a model folder will hold.

    Args:
        source: whose weights they are.
        config: sizes as read off the tensors.
        tensors: the encoder's, under our names.
        objective: name and settings of what the checkpoint was trained with; None for an encoder alone.
        objective_tensors: the decoder, or the heads and (where there is one) the queue, under our names.
    """

    source: Source
    config: EncoderConfig
    tensors: dict[str, Tensor]
    objective: dict[str, Any] | None = None
    objective_tensors: dict[str, Tensor] = field(default_factory=dict)


def convert_state(checkpoint: Mapping[Any, Any], *, num_heads: int | None = None) -> ConvertedModel:
    """Convert what `torch.load` gave for a checkpoint of the authors.

    Heads without a queue are converted as they are; a queue without the heads that filled it is an error.
    The tensors of the result may share memory with those of the checkpoint.

    Args:
        checkpoint: of MAMP, a dictionary whose "model" holds the tensors; of STARS, a flat one.
        num_heads: attention heads, which are in no tensor; 8 at the authors' width of 256 unless given.

    Raises:
        CheckpointError: a tensor that is unknown, missing, not finite, or of another shape than expected.
        ConfigError: `num_heads` is needed and not given, or does not divide the width.
    """
    source, theirs = _identify(checkpoint)
    _refuse_unknown(source, theirs)
    sizes: dict[str, int] = {}
    tensors = _convert_part(ENCODER, theirs, sizes, required=True)
    decoder = _convert_part(DECODER, theirs, sizes)
    heads = _convert_part(HEADS, theirs, sizes)
    queue = _convert_part(QUEUE, theirs, sizes)
    if queue and not heads:
        raise CheckpointError("it holds a queue without the heads that filled it")
    if queue and not 0 <= int(queue["queue.pointer"]) < sizes["k"]:
        raise CheckpointError(
            f"queue_ptr must lie in the queue of {sizes['k']} rows, got {int(queue['queue.pointer'])}"
        )
    objective: dict[str, Any] | None = None
    if decoder:
        decoder_depth = _count_blocks("decoder_blocks.#.", theirs)
        objective = {"name": "mamp", "decoder_depth": decoder_depth, **_MAMP_SETTINGS}
    elif heads:
        objective = {"name": "nnclr", "predictor_hidden_dim": sizes["f"], **_NNCLR_SETTINGS}
        objective |= {"queue_size": sizes["k"]} if queue else {}
    config = _read_config(
        sizes,
        depth=_count_blocks("blocks.#.", theirs),
        qkv_bias=any(name.endswith(_QKV_BIAS) for name in theirs),
        num_heads=num_heads,
    )
    return ConvertedModel(source, config, tensors, objective, decoder | heads | queue)


def _identify(checkpoint: Mapping[Any, Any]) -> tuple[Source, dict[str, Any]]:
    """Whose checkpoint it is, and its tensors under the authors' names without prefixes."""
    is_wrapped = isinstance(checkpoint.get("model"), Mapping)
    entries = checkpoint["model"] if is_wrapped else checkpoint
    theirs: dict[str, Any] = {}
    prefixed = False
    for name, value in entries.items():
        if not isinstance(name, str) or not name.isprintable() or len(name) > 200:
            raise CheckpointError(f"expected names of tensors, got the key {name!r:.80}")
        plain = strip_prefixes(name)
        if plain in theirs:
            raise CheckpointError(f"it holds two tensors for {plain}: with and without a prefix, or with two")
        theirs[plain] = value
        prefixed |= "encoder_student." in name[: len(name) - len(plain)]
    templates = {split_block_number(name)[0] for name in theirs}
    if prefixed:
        return STARS, theirs
    if is_wrapped or templates & _names(DECODER):
        return MAMP, theirs
    if templates & _names(HEADS + QUEUE):
        return STARS, theirs
    raise CheckpointError(
        "it is neither a MAMP checkpoint, whose tensors are under 'model', nor a STARS checkpoint, whose"
        f" tensors are named encoder_student.…; it holds {listing(sorted(theirs)) or 'nothing'}"
    )


def _names(part: Iterable[Row]) -> set[str]:
    return {theirs for theirs, _, _ in part}


def _refuse_unknown(source: Source, theirs: Mapping[str, Any]) -> None:
    known = set().union(*(_names(part) for part in source.parts))
    unknown = [name for name in theirs if split_block_number(name)[0] not in known]
    if unknown:
        raise CheckpointError(f"a {source.name} checkpoint has no {listing(unknown)}")


def _convert_part(
    part: tuple[Row, ...], theirs: Mapping[str, Any], sizes: dict[str, int], *, required: bool = False
) -> dict[str, Tensor]:
    """The tensors of one table under our names; none, if the checkpoint has none of it."""
    if not required and not any(split_block_number(name)[0] in _names(part) for name in theirs):
        return {}
    rows = _expand(part, theirs)
    missing = [row[0] for row in rows if row[0] not in theirs]
    if missing:
        raise CheckpointError(f"it lacks {listing(missing)}")
    return {ours: _convert_tensor(name, theirs[name], ours, shape, sizes) for name, ours, shape in rows}


def _expand(part: tuple[Row, ...], theirs: Mapping[str, Any]) -> list[Row]:
    """The rows of a table with the blocks' numbers written out."""
    with_bias = any(name.endswith(_QKV_BIAS) for name in theirs)
    rows: list[Row] = []
    for row in part:
        if "#" not in row[0]:
            rows.append(row)
        elif with_bias or not row[0].endswith(_QKV_BIAS):
            count = max(1, _count_blocks(row[0][: row[0].index("#") + 2], theirs))
            rows += [(row[0].replace("#", f"{i}"), row[1].replace("#", f"{i}"), row[2]) for i in range(count)]
    return rows


def _count_blocks(stem: str, theirs: Iterable[str]) -> int:
    """How many blocks there are whose names begin with `stem`, such as `blocks.#.`.

    If their numbers have a gap, the count reaches into it, and what is missing there is found missing.
    """
    templates = (split_block_number(name) for name in theirs)
    return len({number for template, number in templates if template.startswith(stem)})


def _convert_tensor(name: str, tensor: Any, ours: str, shape: str, sizes: dict[str, int]) -> Tensor:
    """Check one tensor against its row, then bring it into our shape and type."""
    if not isinstance(tensor, Tensor):
        raise CheckpointError(f"{name} is no tensor, but a {type(tensor).__name__}")
    if tensor.layout != torch.strided or tensor.is_nested or tensor.device.type != "cpu":
        raise CheckpointError(f"{name} is no plain tensor: {tensor.layout} on {tensor.device.type}")
    is_integer = ours in INTEGERS
    if tensor.dtype != torch.int64 if is_integer else not tensor.is_floating_point():
        raise CheckpointError(
            f"{name} must hold {'int64' if is_integer else 'real'} numbers, got {tensor.dtype}"
        )
    _match_sizes(name, tensor, shape, sizes)
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise CheckpointError(f"{name} has shape {tuple(tensor.shape)}, but fewer numbers are stored")
    value = tensor.detach()
    if "->" in shape:
        value = rearrange(value, shape)
    value = value.to(torch.int64 if is_integer else torch.float32)
    if not is_integer and not value.isfinite().all():
        raise CheckpointError(f"{name} holds NaN or infinite values, or some beyond float32")
    return value


def _match_sizes(name: str, tensor: Tensor, shape: str, sizes: dict[str, int]) -> None:
    """Compare a shape with the table's letters; a letter met for the first time takes its size here."""
    letters = shape.split("->")[0].split()
    expected = [_size(letter, sizes) for letter in letters]
    fits = len(letters) == tensor.ndim and all(
        want == got if want is not None else got > 0 for want, got in zip(expected, tensor.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join(
            letter if want is None else f"{want}" for letter, want in zip(letters, expected, strict=True)
        )
        raise CheckpointError(f"{name} has shape {tuple(tensor.shape)}, expected ({wanted})")
    sizes.update((letter, got) for letter, got in zip(letters, tensor.shape, strict=True) if letter.isalpha())


def _size(letter: str, sizes: Mapping[str, int]) -> int | None:
    if letter.isdigit():
        return int(letter)
    if letter == "q":
        return 3 * sizes["d"]
    if letter == "o":
        return sizes["c"] * sizes["u"] * sizes["p"]
    return sizes.get(letter)


def _read_config(
    sizes: Mapping[str, int], *, depth: int, qkv_bias: bool, num_heads: int | None
) -> EncoderConfig:
    width, hidden = sizes["d"], sizes["h"]
    if num_heads is None:
        if width != EncoderConfig.embed_dim:
            raise ConfigError(
                f"num_heads must be given: no tensor tells it; it is {EncoderConfig.num_heads} at width"
                f" {EncoderConfig.embed_dim}, but this checkpoint's width is {width}"
            )
        num_heads = EncoderConfig.num_heads
    mlp_ratio = hidden / width
    if int(width * mlp_ratio) < hidden:  # rounding: the next ratio up gives the width that the tensors have
        mlp_ratio = math.nextafter(mlp_ratio, math.inf)
    return EncoderConfig(
        num_joints=sizes["v"] * sizes["p"],
        num_frames=sizes["t"] * sizes["u"],
        frame_patch_size=sizes["u"],
        joint_patch_size=sizes["p"],
        in_chans=sizes["c"],
        embed_dim=width,
        depth=depth,
        num_heads=num_heads,
        mlp_ratio=mlp_ratio,
        qkv_bias=qkv_bias,
    )
