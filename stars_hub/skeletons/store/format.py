"""What lies in a store's folder, and nothing about how it is built or used.

::

    NAME/
      store.json          what this is: layout, fps, label names, splits, provenance, sizes, checksums
      frames.npy          (F, V, 3) float32 or float16: person-frames, each person's one after another
      lengths.npy         (S,) int64: frames of each sample
      person_offsets.npy  (S + 1,) int64: sample i has the persons offsets[i] … offsets[i + 1] - 1
      person_starts.npy   (P,) int64: each person's first row of frames.npy; -1: absent, takes no space
      crcs.npy            (S,) uint32: CRC-32 of each sample's rows
      columns/NAME.npy    (S,): one array a metadata column; text is UTF-8 bytes of fixed width

Every array is a plain ``.npy``, readable by ``np.load(path, mmap_mode="r")`` and never a pickle.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from stars_hub.errors import StoreError
from stars_hub.files import write_durably
from stars_hub.skeletons.layouts import SkeletonLayout

FORMAT_VERSION = 1
MANIFEST_NAME = "store.json"
FRAMES_NAME = "frames.npy"
COLUMNS_FOLDER = "columns"
INDEX_NAMES = ("lengths", "person_offsets", "person_starts", "crcs")
FRAMES_HEADER_BYTES = 128
DTYPES = ("float32", "float16")
NO_NUMBER = -1  # what an int column holds where nothing is known


@dataclass
class Manifest:
    """The contents of ``store.json``.

    Attributes:
        layout: the skeleton layout's own JSON form, so that a custom one travels with the data.
        fps: frames a second of every sample.
        dtype: "float32" or "float16", of the frames on disk.
        num_samples: S.
        num_rows: F, person-frames on disk.
        max_persons: the most persons that a sample has.
        label_names: the name of each label, or None.
        splits: split rules by name, see `stars_hub.skeletons.splits`.
        provenance: free text fields: what was read, by what.
        columns: the names of the metadata columns.
        files: size in bytes and BLAKE2 digest of every array but the frames, which have CRCs per sample.
        frames_bytes: size of frames.npy.
    """

    layout: Any
    fps: float
    dtype: str
    num_samples: int
    num_rows: int
    max_persons: int
    label_names: list[str] | None = None
    splits: dict[str, dict[str, Any]] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    columns: list[str] = field(default_factory=list)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    frames_bytes: int = 0
    format_version: int = FORMAT_VERSION

    @property
    def digest(self) -> str:
        """A fingerprint of the whole store, for it covers every checksum."""
        return hashlib.blake2b(_dump(asdict(self)).encode(), digest_size=16).hexdigest()

    def write(self, folder: Path) -> None:
        """Write ``store.json``, with the manifest's own digest."""
        text = json.dumps({**asdict(self), "digest": self.digest}, indent=1, ensure_ascii=False)
        write_durably(folder / MANIFEST_NAME, text.encode())

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read and check ``store.json``.

        Raises:
            StoreError: no store, a newer format, or a manifest that was changed or cut off.
        """
        path = folder / MANIFEST_NAME
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise StoreError(f"{folder} is no skeleton store: it holds no {MANIFEST_NAME}") from None
        except (OSError, UnicodeDecodeError, ValueError) as error:
            raise StoreError(f"{path} cannot be read: {error}") from error
        if not isinstance(data, dict) or not isinstance(data.get("format_version"), int):
            raise StoreError(f"{path} is not a store's manifest: it names no format_version")
        if data["format_version"] > FORMAT_VERSION:
            raise StoreError(
                f"{path} has format version {data['format_version']}, this release reads up to "
                f"{FORMAT_VERSION}: update stars-hub"
            )
        digest = data.pop("digest", None)
        if set(data) != {entry.name for entry in fields(cls)}:
            raise StoreError(f"{path} lacks fields or has strange ones: the store is damaged")
        manifest = cls(**data)
        if digest != manifest.digest:
            raise StoreError(f"{path} was changed after the store was built: its digest does not fit")
        return manifest


def is_store(path: str | Path) -> bool:
    """Whether a path is a store's folder, whatever its state."""
    return (Path(path) / MANIFEST_NAME).is_file()


def layout_to_json(layout: SkeletonLayout) -> Any:
    """A layout as the JSON value that the manifest holds."""
    return json.loads(layout.to_json())


def layout_from_json(data: Any) -> SkeletonLayout:
    """The inverse of `layout_to_json`."""
    return SkeletonLayout.from_dict(data)


def _dump(data: Any) -> str:
    return json.dumps(data, sort_keys=True, separators=(",", ":"))


def frames_header(num_rows: int, num_joints: int, dtype: str) -> bytes:
    """A ``.npy`` header of constant size, so that it can be rewritten when the number of rows is known."""
    shape = (num_rows, num_joints, 3)
    text = (
        f"{{'descr': '{np.dtype(dtype).newbyteorder('<').str}', 'fortran_order': False, 'shape': {shape}, }}"
    )
    body = text.encode("latin1").ljust(FRAMES_HEADER_BYTES - 11) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(body).to_bytes(2, "little") + body


def array_path(folder: Path, name: str) -> Path:
    """Where an index array (``lengths``) or a column (``columns/label``) lies."""
    return folder / f"{name}.npy"


def write_array(folder: Path, name: str, values: np.ndarray) -> dict[str, Any]:
    """Write one ``.npy`` durably and return its entry for the manifest."""
    path = array_path(folder, name)
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        np.lib.format.write_array(file, np.ascontiguousarray(values), allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
    return {"bytes": path.stat().st_size, "blake2b": file_digest(path)}


def file_digest(path: Path) -> str:
    """BLAKE2b (16 bytes) of a file, as hexadecimal text."""
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def load_array(folder: Path, name: str) -> np.ndarray:
    """Memory-map one ``.npy``, read-only.

    Raises:
        StoreError: the file is missing or no array.
    """
    path = array_path(folder, name)
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise StoreError(f"{path} cannot be opened: {error}") from error


def encode_column(values: Sequence[Any]) -> np.ndarray:
    """Turn a column's values (numbers or text, not both, or None) into the array that goes to disk.

    None becomes -1 in a column of whole numbers, NaN among floats, "" in a column of text.
    """
    known = [value for value in values if value is not None]
    if any(isinstance(value, str) for value in known):
        return np.array([(value or "").encode() for value in values], dtype=np.bytes_)
    if any(isinstance(value, float) for value in known):
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return np.array([NO_NUMBER if value is None else value for value in values], dtype=np.int64)


def decode_column(values: np.ndarray) -> np.ndarray:
    """The column as users see it: text as str, numbers as they are."""
    if values.dtype.kind != "S":
        return np.asarray(values)
    if values.dtype.itemsize and np.asarray(values).view(np.uint8).max(initial=0) > 127:
        return np.char.decode(np.asarray(values), "utf-8")
    return np.asarray(values).astype(np.str_)


def plain_value(value: Any) -> Any:
    """One value of a column as a plain Python object; None where nothing is known."""
    if isinstance(value, bytes):
        return value.decode() or None
    if isinstance(value, np.generic):
        value = value.item()
    unknown = value != value if isinstance(value, float) else value == NO_NUMBER
    return None if unknown else value
