"""NumPy files. Nothing is unpickled, and long ones are read sample by sample.

`.npy`
    (T, V, 3) or (T, M, V, 3): one sequence. (N, C, T, V, M), as ST-GCN and its successors keep datasets:
    many; labels, if any, lie beside it in NAME_label.npy, or label.npy, (N,) whole numbers.

`.npz`
    - one array of one sequence;
    - ragged: `joints` (F, V, 3) or (F, M, V, 3), all sequences one after another, and `lengths` (S,); where
      known also `labels`, `subjects`, `names`, and any further array (S,) as a column;
    - what the field trains on: `x_train`, `y_train`, `x_test`, `y_test`, x (N, T, 75 or 150), one or two
      persons of 25 joints, zeros after the last frame; y one-hot (N, classes) or (N,). Column "split" says
      which part a sequence is of.
"""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from einops import rearrange

from stars_hub.errors import SkeletonFileError
from stars_hub.skeletons.readers.check import as_joints
from stars_hub.skeletons.sequence import Sequence

_ONE_EACH = {"labels": "label", "subjects": "subject", "names": "name"}
_NUM_JOINTS = 25


def iter_npy(path: Path) -> Iterator[Sequence]:
    """Read a `.npy` file."""
    array = _load(path)
    if array.ndim != 5:
        yield Sequence(as_joints(array, path), name=path.stem)
        return
    labels = _labels_beside(path, len(array))
    for index, sample in enumerate(array):
        joints = as_joints(rearrange(np.asarray(sample), "c t v m -> t m v c"), path, what=f"sample {index}")
        label = None if labels is None else int(labels[index])
        yield Sequence(_trimmed(joints), f"{path.stem}/{index:06d}", label)


def iter_npz(path: Path) -> Iterator[Sequence]:
    """Read a `.npz` file."""
    with _opened(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        if "lengths" in names and "joints" in names:
            yield from _ragged(archive, names, path)
        elif parts := [part for part in ("train", "test") if f"x_{part}" in names]:
            for part in parts:
                yield from _padded(archive, part, f"y_{part}" in names, path)
        elif len(names) == 1:
            yield Sequence(as_joints(_whole(archive, names[0], path), path), name=path.stem)
        else:
            raise SkeletonFileError(
                "expected one array, joints and lengths, or x_train and y_train; got "
                f"{', '.join(names)[:80]}",
                path,
            )


def _ragged(archive: zipfile.ZipFile, names: list[str], path: Path) -> Iterator[Sequence]:
    known = {name: _whole(archive, name, path) for name in names if name != "joints"}
    lengths = known.pop("lengths")
    joints = _Array(archive, "joints", path)
    if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or not (lengths > 0).all():
        raise SkeletonFileError("lengths must be (S,) positive whole numbers", path)
    if not joints.shape:
        raise SkeletonFileError("joints must be (F, V, 3) or (F, M, V, 3), got a single number", path)
    if (total := sum(lengths.tolist())) != joints.shape[0]:  # Python's whole numbers do not wrap around
        raise SkeletonFileError(f"lengths add up to {total}, but joints has {joints.shape[0]} frames", path)
    for name, values in known.items():
        if values.shape != lengths.shape:
            raise SkeletonFileError(
                f"{name} must be ({len(lengths)},) as lengths is, got {values.shape}", path
            )
    for index, length in enumerate(lengths.tolist()):
        columns: dict[str, Any] = {
            _ONE_EACH.get(name, name.lower()): values[index].item() for name, values in known.items()
        }
        given = {field: columns.pop(field) for field in _ONE_EACH.values() if field in columns}
        name = str(given.pop("name", f"{path.stem}/{index:06d}"))
        frames = as_joints(joints.take(length), path, what=f"sequence {name}")
        yield Sequence(frames, name, columns=columns, **given)


def _padded(archive: zipfile.ZipFile, part: str, labelled: bool, path: Path) -> Iterator[Sequence]:
    samples = _Array(archive, f"x_{part}", path)
    labels = _whole(archive, f"y_{part}", path) if labelled else None
    if len(samples.shape) != 3 or samples.shape[2] not in (75, 150):
        raise SkeletonFileError(f"x_{part} must be (N, T, 75 or 150), got {samples.shape}", path)
    if labels is not None and (labels.ndim not in (1, 2) or len(labels) != samples.shape[0]):
        raise SkeletonFileError(f"y_{part} must have one row a sample of x_{part}, got {labels.shape}", path)
    for index in range(samples.shape[0]):
        name = f"{part}_{index:06d}"
        joints = rearrange(samples.take(1)[0], "t (m v c) -> t m v c", v=_NUM_JOINTS, c=3)
        joints = _trimmed(as_joints(joints, path, what=f"sample {name}"))
        label = None if labels is None else int(labels[index].argmax() if labels.ndim == 2 else labels[index])
        yield Sequence(joints, name, label, columns={"split": part})


def _trimmed(joints: np.ndarray) -> np.ndarray:
    """Cut off padding: frames after the last with anybody, and persons after the last who is ever there."""
    there = (joints != 0).any(axis=(2, 3))
    frames, persons = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
    return joints[: frames[-1] + 1, : persons[-1] + 1] if len(frames) else joints[:1, :1]


def is_labels(path: Path) -> bool:
    """Whether a file holds the labels of the array beside it, and no recording."""
    stem = path.stem.removesuffix("s")
    if path.suffix != ".npy" or not stem.endswith("label"):
        return False
    return stem == "label" or (
        stem.endswith("_label") and path.with_name(f"{stem.removesuffix('_label')}.npy").is_file()
    )


def _labels_beside(path: Path, count: int) -> np.ndarray | None:
    for name in (f"{path.stem}_label.npy", f"{path.stem}_labels.npy", "label.npy", "labels.npy"):
        if (beside := path.with_name(name)).is_file() and beside != path:
            labels = _load(beside)
            if labels.shape != (count,) or labels.dtype.kind not in "iu":
                raise SkeletonFileError(
                    f"expected ({count},) whole numbers, got {labels.dtype} {labels.shape}", beside
                )
            return labels
    return None


def _load(path: Path) -> np.ndarray:
    try:
        # A memory map compares the shape with the file's size before anything is allocated.
        loaded = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # the bytes are anyone's, and so is what they make NumPy raise
        raise SkeletonFileError(
            f"this is no array that NumPy reads without pickle ({error})", path
        ) from error
    if not isinstance(loaded, np.ndarray):
        loaded.close()
        raise SkeletonFileError("this is a .npz file that is called .npy", path)
    return loaded


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except SkeletonFileError:
        raise
    except (OSError, ValueError, zipfile.BadZipFile, RuntimeError, EOFError) as error:
        raise SkeletonFileError(f"this is no .npz file that NumPy wrote ({error})", path) from error


def _whole(archive: zipfile.ZipFile, name: str, path: Path) -> np.ndarray:
    array = _Array(archive, name, path)
    return array.take(array.shape[0]) if array.shape else array.take(1)


class _Array:
    """An array in a `.npz` file, read from its first row on."""

    def __init__(self, archive: zipfile.ZipFile, name: str, path: Path) -> None:
        self.name, self.path = name, path
        try:
            self._stream: IO[bytes] = archive.open(f"{name}.npy")
            version = np.lib.format.read_magic(self._stream)
            read_header: Any = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            self.shape, fortran, self.dtype = read_header(self._stream)
        except Exception as error:  # as in _load
            raise SkeletonFileError(f"{name} is no array that NumPy reads ({error})", path) from error
        if fortran or self.dtype.hasobject:
            kind = "pickled objects, which are never read" if self.dtype.hasobject else "Fortran order"
            raise SkeletonFileError(f"{name} holds {kind}: save it as a plain array", path)

    def take(self, rows: int) -> np.ndarray:
        """The next rows."""
        shape = (rows, *self.shape[1:])
        size = int(np.prod(shape, dtype=object)) * self.dtype.itemsize
        try:
            data = self._stream.read(size)
        except Exception as error:  # damaged compression
            raise SkeletonFileError(f"{self.name} is damaged ({error})", self.path) from error
        if len(data) != size:
            raise SkeletonFileError(f"{self.name} ends before its {self.shape[:1]} rows", self.path)
        return np.frombuffer(data, self.dtype).reshape(shape if self.shape else ())
