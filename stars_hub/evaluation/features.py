"""Features of recordings as files: .npz, .csv or .safetensors."""

import csv
import json
from collections import Counter
from collections.abc import Callable
from collections.abc import Sequence as SequenceOf
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from stars_hub.errors import ConfigError, SequenceError
from stars_hub.files import check_target as check_output
from stars_hub.files import output_file


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
        ConfigError: an unknown suffix, or a folder that cannot be written to.
        SequenceError: not as many names as features.
    """
    path = check_target(path)
    writer = _WRITERS[path.suffix.lower()]
    if len(names) != len(features):
        raise SequenceError(f"expected a name for each of {len(features)} features, got {len(names)}")
    with output_file(path) as temporary:
        writer(temporary, names, features)
    return path


def read_features(path: str | Path, names: SequenceOf[str]) -> np.ndarray:
    """Read features from an `.npz` that `write_features` wrote, in the order of the names.

    Names that several recordings share are told apart by their place, where the file has all names in this
    order.

    Raises:
        ConfigError: the file cannot be read, is none, lacks a name, or has others beside a name
            that is shared.
    """
    names = list(names)
    try:
        with np.load(path, allow_pickle=False) as saved:
            known, features = saved["names"].tolist(), saved["features"]
        rows = dict(zip(known, features, strict=True))
    except (OSError, KeyError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as features in .npz: {error}") from error
    if known == names:
        return np.asarray(features)
    if missing := [name for name in names if name not in rows]:
        raise ConfigError(f"{path} has no feature of {missing[0]!r} ({len(missing)} names are missing)")
    counts = Counter(known) | Counter(names)
    if ambiguous := [name for name in names if counts[name] > 1]:
        raise ConfigError(f"{path}: {ambiguous[0]!r} names several recordings, whose order is not the file's")
    return np.stack([rows[name] for name in names])


def check_target(path: str | Path) -> Path:
    """Say at once, before hours of encoding, that features cannot be written to such a file.

    Raises:
        ConfigError: an unknown suffix, or a folder that is not there or not to be written to.
    """
    return check_output(path, _WRITERS, f"features are written as {', '.join(_WRITERS)}")


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
