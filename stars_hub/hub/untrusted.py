"""Read a torch checkpoint of unknown origin: tensors come out, nothing in it is ever run."""

import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from stars_hub.errors import CheckpointError


class _Discarded:
    """Stands where a checkpoint holds a setting of the authors' training script; keeps nothing of it."""

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


# What a parsed command line holds besides plain values. Not even these are imported: a name that the file
# mentions is looked up here, becomes a stand-in, and any other name ends the reading.
_HARMLESS = (
    "argparse.Namespace",
    *(
        f"{module}.{name}"
        for module in ("pathlib", "pathlib._local")
        for name in ("PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath")
    ),
    "numpy.dtype",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
)


def read_untrusted(path: Path) -> Mapping[Any, Any]:
    """Read the dictionary that `torch.save` wrote, in its zip or its legacy form.

    Of the zip form, checksums are verified, and tensors are mapped into memory until they are used, so that
    an optimizer's never are. The legacy form has neither.

    Args:
        path: the file.

    Raises:
        CheckpointError: the file is not there, damaged, no such checkpoint, or holds anything else than
            tensors, plain values and the settings of a training script. Nothing of it has been executed.
    """
    if not path.is_file():
        raise CheckpointError("there is no such file")
    try:
        with (
            warnings.catch_warnings(),
            torch.serialization.safe_globals([(_Discarded, n) for n in _HARMLESS]),
        ):
            warnings.simplefilter("ignore")  # about formats that end in an error here anyway
            is_zip = _verify_zip(path)
            checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except CheckpointError:
        raise
    except Exception as error:  # the bytes are anyone's, and so is what they make the reader raise
        raise CheckpointError(_explain(error)) from None
    if not isinstance(checkpoint, Mapping):
        raise CheckpointError(f"expected a dictionary of tensors, got {type(checkpoint).__name__}")
    return checkpoint


def _verify_zip(path: Path) -> bool:
    """Whether it is a zip file; if so, its contents are what was written."""
    with path.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":
            return False
    with zipfile.ZipFile(path) as archive:
        packed = [entry.filename for entry in archive.infolist() if entry.compress_type != zipfile.ZIP_STORED]
        if packed:
            raise CheckpointError(f"{packed[0]} is compressed, which torch.save never does")
        damaged = archive.testzip()
    if damaged is not None:
        raise CheckpointError(f"the file is damaged: {damaged} does not match its checksum")
    return True


def _explain(error: Exception) -> str:
    """One line in our words: torch's own advice here is to switch the protection off."""
    refused = re.search(r"GLOBAL ([\w.]+?)\.? (?:was not|whose)", str(error))
    if refused is not None:
        return (
            f"the file holds a pickled {refused.group(1)}, which is neither a tensor nor a plain setting."
            " It was not executed. If you trust the file, load it with its code and save its tensors alone"
        )
    if isinstance(error, OSError) and error.strerror:
        return f"the file cannot be read: {error.strerror}"
    return f"the file is damaged, or no checkpoint that torch.save wrote ({type(error).__name__})"
