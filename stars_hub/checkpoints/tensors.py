"""Named tensors: read from safetensors, made ready for safetensors, put into a module without leniency."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from stars_hub.checkpoints.names import listing, reload_advice
from stars_hub.errors import CheckpointError

STORAGE_DTYPES = (torch.float32, torch.float16, torch.bfloat16)
PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """Read every tensor of a safetensors file, on the CPU, in the dtype that the file holds.

    Args:
        path: a `.safetensors` file. Nothing else is read, a pickle least of all.

    Returns:
        The tensors by name; they own their memory, so the file may be replaced afterwards.

    Raises:
        CheckpointError: there is no such file, it is cut short or damaged, it is a pickle,
            or one of its tensors holds NaN or infinity; the message names file and tensor.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"cannot read the weights {path}: {error.strerror or error}") from error
    if data.startswith(PICKLE_STARTS):
        raise CheckpointError(
            f"{path} is a pickle under the name of safetensors; it is not opened, because unpickling runs "
            "whatever it contains. The authors' checkpoints are read by stars-hub convert"
        )
    try:
        tensors = load(data)
    # Besides its own error, the reader lets through those of the JSON and of torch.
    except (SafetensorError, KeyError, ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise CheckpointError(
            f"{path} ({len(data)} bytes) is cut short or damaged, or no safetensors file: "
            f"{error}{reload_advice(path)}"
        ) from error
    for name, tensor in tensors.items():
        if not is_finite(tensor):
            raise CheckpointError(f"{path}: tensor {name!r} holds NaN or infinity{reload_advice(path)}")
    return tensors


def dump_tensors(tensors: Mapping[str, Tensor], *, dtype: torch.dtype | None = None) -> bytes:
    """Turn tensors into the bytes of a safetensors file, floating ones cast to `dtype` if it is given.

    Integer tensors stay as they are. Views, shared memory and other devices are fine: each tensor is copied.

    Raises:
        CheckpointError: a tensor holds NaN or infinity, or would hold infinity after the cast.
    """
    if dtype is not None and dtype not in STORAGE_DTYPES:
        raise CheckpointError(f"weights are stored as {listing(map(str, STORAGE_DTYPES))}, not as {dtype}")
    stored = {}
    for name, tensor in tensors.items():
        if not is_finite(tensor):
            raise CheckpointError(f"tensor {name!r} holds NaN or infinity: it is not saved")
        target = dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype
        stored[name] = tensor.detach().to("cpu", target).clone(memory_format=torch.contiguous_format)
        if not is_finite(stored[name]):
            largest = tensor.abs().max().item()
            raise CheckpointError(
                f"tensor {name!r} reaches {largest:.3g}, too large for {target}: store it wider"
            )
    return save(stored, metadata={"format": "pt"})


def load_strict(module: nn.Module, tensors: Mapping[str, Tensor], *, source: str | Path) -> None:
    """Put `tensors` into `module`: every name, and no other, each in its exact shape.

    The module's dtypes and devices stay; values are cast to them.

    Args:
        module: what receives the values.
        tensors: values by the names of `module.state_dict()`.
        source: where they come from, for the message.

    Raises:
        CheckpointError: names are missing or unexpected, or shapes or kinds differ. One message says all,
            and the module is as it was.
    """
    wanted = module.state_dict()
    problems = []
    if missing := [name for name in wanted if name not in tensors]:
        problems.append(f"missing: {listing(missing)}")
    if unexpected := [name for name in tensors if name not in wanted]:
        problems.append(f"unexpected: {listing(unexpected)}")
    shared = [name for name in wanted if name in tensors]
    if wrong := [
        f"{name} {tuple(tensors[name].shape)} instead of {tuple(wanted[name].shape)}"
        for name in shared
        if tensors[name].shape != wanted[name].shape
    ]:
        problems.append(f"wrong shape: {listing(wrong)}")
    if wrong := [
        f"{name} {tensors[name].dtype} for {wanted[name].dtype}"
        for name in shared
        if tensors[name].is_floating_point() != wanted[name].is_floating_point()
    ]:
        problems.append(f"wrong kind: {listing(wrong)}")
    if not problems and (
        wrong := [name for name in shared if not is_finite(tensors[name].to(wanted[name].dtype))]
    ):
        problems.append(f"not finite in the module's dtype: {listing(wrong)}")
    if problems:
        raise CheckpointError(f"{source} does not fit {type(module).__name__}: {'; '.join(problems)}")
    module.load_state_dict(dict(tensors), strict=True)


def is_finite(tensor: Tensor) -> bool:
    """Whether no value is NaN or infinite; integers never are."""
    if not tensor.is_floating_point():
        return True
    wide = tensor if tensor.element_size() > 1 else tensor.float()  # torch has no isfinite for 8-bit floats
    return bool(torch.isfinite(wide).all())
