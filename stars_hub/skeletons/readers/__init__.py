"""Recordings from files: `.npy`, `.npz`, `.csv`, `.tsv`, `.json`, `.skeleton`, folders of them, and stores.

Each format's module says what it holds. Pickles (`.pkl`, as pyskl and mmaction2 keep datasets) are never
opened, since loading one runs whatever code is in it. Whoever trusts the source converts it once:

    import pickle, numpy
    for sample in pickle.load(open("ntu60_3d.pkl", "rb"))["annotations"]:
        joints = sample["keypoint"].swapaxes(0, 1)      # (M, T, V, 3) -> (T, M, V, 3)
        numpy.save(f"recordings/{sample['frame_dir']}.npy", joints)
        print(sample["frame_dir"], sample["label"], sep=",", file=open("recordings/labels.csv", "a"))

and writes `file,label` above the lines of labels.csv.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from stars_hub.errors import SkeletonFileError
from stars_hub.skeletons.ntu import read_ntu
from stars_hub.skeletons.readers.arrays import iter_npy, iter_npz
from stars_hub.skeletons.readers.folder import iter_folder
from stars_hub.skeletons.readers.json_lists import iter_json
from stars_hub.skeletons.readers.tables import iter_table
from stars_hub.skeletons.sequence import Sequence

_READERS: dict[str, Callable[[Path], Iterator[Sequence]]] = {
    ".npy": iter_npy,
    ".npz": iter_npz,
    ".csv": iter_table,
    ".tsv": iter_table,
    ".json": iter_json,
    ".skeleton": lambda path: iter(read_ntu(path)),
}
SUFFIXES = tuple(_READERS)


def iter_sequences(path: str | Path) -> Iterator[Sequence]:
    """Walk over the recordings of a file, a folder (in the order of names) or a store, one at a time.

    Args:
        path: see the formats above.

    Yields:
        Sequences with joints (T, M, V, 3), or (T, M, V, 2) where a table has no z.

    Raises:
        SkeletonFileError: there is no such file, its format is unknown, or it cannot be read.
    """
    from stars_hub.skeletons.store import SkeletonStore, is_store  # a store gives sequences, as readers do

    if not str(path):
        raise SkeletonFileError("expected the path of a file, a folder or a store, got nothing", path)
    path = Path(path)
    if is_store(path):
        return iter(SkeletonStore.open(path))
    if path.is_dir():
        return iter_folder(path, SUFFIXES, _read_file)
    return _read_file(path)


def read_sequences(path: str | Path) -> list[Sequence]:
    """All recordings of a file, a folder or a store; see `iter_sequences`.

    Raises:
        SkeletonFileError: as `iter_sequences`.
    """
    return list(iter_sequences(path))


def read_sequence(path: str | Path) -> np.ndarray:
    """The joints of a file that holds one recording.

    Args:
        path: see the formats above.

    Returns:
        float32 (T, V, 3), or (T, M, V, 3) where there are several persons.

    Raises:
        SkeletonFileError: the file cannot be read, or does not hold exactly one recording.
    """
    found = list(islice(iter_sequences(path), 2))
    if len(found) != 1:
        count = "no" if not found else "more than one"
        raise SkeletonFileError(f"expected one recording, got {count}: read_sequences reads them all", path)
    joints = found[0].joints
    return joints[:, 0] if joints.shape[1] == 1 else joints


def _read_file(path: Path) -> Iterator[Sequence]:
    if not path.exists():
        raise SkeletonFileError("there is no such file or folder", path)
    suffix = path.suffix.lower()
    if suffix in (".pkl", ".pickle"):
        raise SkeletonFileError(
            "pickles run whatever code is in them and are never opened; help(stars_hub.skeletons.readers) "
            "shows five lines that convert one whose source you trust",
            path,
        )
    if suffix not in _READERS:
        raise SkeletonFileError(f"expected a {', '.join(_READERS)} file, got {suffix or path.name!r}", path)
    return _READERS[suffix](path)
