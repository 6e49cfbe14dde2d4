"""Features of recordings as files: .npz, .csv or .safetensors."""

import csv
import json
from collections.abc import Callable
from collections.abc import Sequence as SequenceOf
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from stars_hub.errors import ConfigError, SequenceError
from stars_hub.files import whole_file


def write_features(path: str | Path, names: SequenceOf[str], features: np.ndarray) -> Path:
    """Write features beside the names of their recordings; the suffix says in which format.

    - `.npz`: arrays `names` (N,) and `features` (N, D);
    - `.csv`: a header `name,f0,f1,…`, then a row a recording;
    - `.safetensors`: tensor `features` (N, D), and the names as a JSON list in the metadata `names`.

    Args:
        path: the file; appears whole or not at all.
        names: N names.
        features: float32 (N, D).

    Raises:
        ConfigError: an unknown suffix.
        SequenceError: not as many names as features.
    """
    path = check_suffix(path)
    writer = _WRITERS[path.suffix.lower()]
    if len(names) != len(features):
        raise SequenceError(f"expected a name for each of {len(features)} features, got {len(names)}")
    with whole_file(path) as temporary:
        writer(temporary, names, features)
    return path


def check_suffix(path: str | Path) -> Path:
    """Say at once, before hours of encoding, that features cannot be written to such a file.

    Raises:
        ConfigError: an unknown suffix.
    """
    path = Path(path)
    if path.suffix.lower() not in _WRITERS:
        raise ConfigError(f"{path}: features are written as {', '.join(_WRITERS)}, got {path.suffix!r}")
    return path


def _write_npz(path: Path, names: SequenceOf[str], features: np.ndarray) -> None:
    with path.open("wb") as file:
        np.savez(file, names=np.asarray(names, dtype=np.str_), features=features)


def _write_csv(path: Path, names: SequenceOf[str], features: np.ndarray) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["name", *(f"f{index}" for index in range(features.shape[1]))])
        writer.writerows([name, *map(repr, row.tolist())] for name, row in zip(names, features, strict=True))


def _write_safetensors(path: Path, names: SequenceOf[str], features: np.ndarray) -> None:
    metadata = {"names": json.dumps(list(names))}
    path.write_bytes(save({"features": np.ascontiguousarray(features)}, metadata=metadata))


_WRITERS: dict[str, Callable[[Path, SequenceOf[str], np.ndarray], None]] = {
    ".npz": _write_npz,
    ".csv": _write_csv,
    ".safetensors": _write_safetensors,
}
