"""Features of recordings for the protocols: those of an encoder, or the joints themselves as a baseline."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
import torch
from einops import rearrange, reduce
from torch import Tensor

from stars_hub.errors import ConfigError
from stars_hub.model.config import EncoderConfig
from stars_hub.model.encoder import STARSEncoder
from stars_hub.model.loading import as_device, as_dtype
from stars_hub.model.preparation import Preparation, prepared_batches
from stars_hub.skeletons.layouts import SkeletonLayout
from stars_hub.skeletons.store import SkeletonStore
from stars_hub.transforms.streams import bone_stream, motion_stream

Stream = Literal["joint", "bone", "motion", "bone_motion"]
STREAMS: tuple[str, ...] = get_args(Stream)

Model: TypeAlias = STARSEncoder | str | Path
"""An encoder, its name, or "raw" for the joints themselves."""
FloatArray: TypeAlias = npt.NDArray[np.float32]

RAW = "raw"
_RAW_FRAMES = 64


def open_encoder(model: Model, device: str | torch.device | None = None) -> STARSEncoder:
    """Load an encoder, or leave it as it is, and move it.

    Args:
        model: as for `STARSEncoder.from_pretrained`.
        device: None: a GPU if there is one; an encoder that is given stays where it is.

    Raises:
        CheckpointError: the model cannot be found or read.
        ConfigError: there is no such device, or the model is "raw", which has no encoder.
    """
    if isinstance(model, STARSEncoder):
        return model if device is None else model.to(as_device(device))
    if is_raw(model):
        raise ConfigError("this protocol takes an encoder; the joints themselves, 'raw', have none")
    default = "cuda" if torch.cuda.is_available() else "cpu"
    return STARSEncoder.from_pretrained(model, device=as_device(default if device is None else device))


def describe(
    model: Model,
    store: SkeletonStore,
    *,
    stream: Stream = "joint",
    batch_size: int = 64,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    progress: bool | None = None,
) -> FloatArray:
    """Make the feature of every recording: the centre crop of 95 %, pooled.

    Args:
        model: an encoder, its name, or "raw": see `raw_features`.
        store: the recordings.
        stream: what the encoder sees: the joints, their bones, or the motion of either.
        batch_size: recordings at a time.
        device: where to compute; as for `open_encoder`.
        dtype: torch.bfloat16 or torch.float16 compute in that precision.
        progress: show a bar; None: if it takes longer than two seconds.

    Returns:
        float32 (N, D), in the order of the store.

    Raises:
        ConfigError: an unknown stream, or bones that are to be computed of "raw".
    """
    check_stream(model, stream)
    if is_raw(model):
        return raw_features(store, batch_size=batch_size, progress=progress)
    encoder = open_encoder(model, device)
    if stream == "joint":
        return encoder.encode(store, batch_size=batch_size, dtype=dtype, progress=progress)
    preparation = Preparation(encoder.config, encoder.layout, store.layout)
    batches = prepared_batches(store, preparation, batch_size=batch_size, progress=progress)
    return _encode((as_stream(x, stream, encoder) for x in batches), encoder, as_dtype(dtype))


def is_raw(model: Model) -> bool:
    """Whether a model is "raw", the joints themselves."""
    return not isinstance(model, STARSEncoder) and str(model) == RAW


def check_stream(model: Model, stream: str) -> None:
    """Refuse a stream that cannot be made.

    Raises:
        ConfigError: an unknown stream, or bones that are to be computed of "raw".
    """
    if stream not in STREAMS:
        raise ConfigError(f"stream must be one of {', '.join(STREAMS)}, got {stream!r}")
    if is_raw(model) and stream != "joint":
        raise ConfigError(f"the joints themselves, 'raw', are no {stream} stream")


def as_stream(x: Tensor, stream: Stream, encoder: STARSEncoder) -> Tensor:
    """Show a batch (N, C, T, V, M) of the encoder's layout as bones, motion, or the motion of bones."""
    if stream.startswith("bone"):
        x = bone_stream(x, encoder.layout)
    return motion_stream(x) if stream.endswith("motion") else x


def raw_features(
    store: SkeletonStore,
    *,
    layout: SkeletonLayout | None = None,
    num_persons: int | None = None,
    batch_size: int = 64,
    progress: bool | None = None,
) -> FloatArray:
    """Take the joints themselves as a feature: what an encoder has to be better than.

    The centre crop of 95 % at 64 frames, every frame moved so that person 1's root of the skeleton lies at
    the origin, flattened.

    Args:
        store: the recordings.
        layout: what the joints become first; None: they stay those of the store.
        num_persons: for how many there is room; None: two, or one if no recording has more.
        batch_size: recordings at a time.
        progress: show a bar; None: if it takes longer than two seconds.

    Returns:
        float32 (N, 3 · 64 · V · M), to be compared with those of the same layout and number of persons.
    """
    layout = store.layout if layout is None else layout
    persons = min(store.max_persons, 2) if num_persons is None else num_persons
    config = EncoderConfig(num_joints=layout.num_joints, num_frames=_RAW_FRAMES, num_persons=persons)
    root = next(joint for joint, parent in enumerate(layout.parents) if parent < 0)
    features = []
    preparation = Preparation(config, layout, store.layout)
    for x in prepared_batches(store, preparation, batch_size=batch_size, progress=progress):
        present = reduce((x != 0).float(), "n c t v m -> n 1 t 1 m", "max")
        centered = x - x[:, :, :, root : root + 1, :1] * present
        features.append(rearrange(centered, "n c t v m -> n (c t v m)"))
    return torch.cat(features).numpy() if features else np.empty((0, 0), dtype=np.float32)


def _encode(batches: Iterator[Tensor], encoder: STARSEncoder, dtype: torch.dtype) -> FloatArray:
    weight, was_training = encoder.pos_embed, encoder.training
    encoder.eval()
    try:
        with (
            torch.inference_mode(),
            torch.autocast(
                weight.device.type,
                dtype=dtype,
                enabled=weight.dtype == torch.float32 and dtype != torch.float32,
            ),
        ):
            features = [encoder(x.to(weight.device, weight.dtype)).float().cpu() for x in batches]
    finally:
        encoder.train(was_training)
    stacked = torch.cat(features) if features else torch.empty(0, encoder.config.embed_dim)
    found: FloatArray = stacked.numpy()
    return found
