"""PKU-MMD: long recordings, cut into the action instances that their label files list.

::

    skeleton/NAME.txt   a frame a line, 150 numbers: 2 persons x 25 joints x (x, y, z), metres
    label/NAME.txt      an instance a line: action (1 to 51), first frame, frame after the last, confidence
    cross-subject.txt, cross-view.txt (phase I; underscores will do), cross_subject_v2.txt, cross_view_v2.txt
                        (phase II): the second line names the training recordings, separated by commas

Reference: PKU-MMD (Liu et al. 2017, arXiv 1703.07475), prepared as in STARS and MAMP.
"""

from pathlib import Path

import numpy as np
from einops import rearrange

from stars_hub.errors import SkeletonFileError
from stars_hub.skeletons.readers.text import read_text
from stars_hub.skeletons.sequence import LARGEST_COORDINATE, Sequence

NUM_ACTIONS = 51
MAX_FRAMES = 300
_NUMBERS = 150
_SPLIT_FILES: dict[int, dict[str, tuple[str, ...]]] = {
    1: {
        "xsub": ("cross-subject.txt", "cross_subject.txt"),
        "xview": ("cross-view.txt", "cross_view.txt"),
    },
    2: {"xsub": ("cross_subject_v2.txt",), "xview": ("cross_view_v2.txt",)},
}


def read_pku(path: str | Path) -> list[Sequence]:
    """Read the instances of one recording.

    Args:
        path: skeleton/NAME.txt; the labels are in label/NAME.txt beside that folder.

    Returns:
        A sequence for each instance in which anybody is seen, in the order of the label file: at most 300
        frames, (T, 1 or 2, 25, 3), as recorded; label is the action minus 1, column "recording" is NAME.

    Raises:
        SkeletonFileError: one of the files cannot be read, or a line does not hold what it should.
    """
    path = Path(path)
    joints = _read_frames(path)
    sequences = []
    for index, (action, start, end) in enumerate(_read_labels(path.parent.parent / "label" / path.name)):
        instance = joints[start:end][:MAX_FRAMES]
        if not instance.any():
            continue
        persons = instance if instance[:, 1].any() else instance[:, :1]
        name = f"{path.stem}_{index:03d}"
        sequences.append(Sequence(persons, name, action - 1, columns={"recording": path.stem}))
    return sequences


def find_pku_splits(raw: str | Path, *, phase: int) -> dict[str, list[str]]:
    """The training recordings of each split whose file is there.

    Args:
        raw: PKU-MMD's folder.
        phase: 1 or 2.

    Returns:
        Names of recordings under "xsub" and "xview".

    Raises:
        SkeletonFileError: a split file has no second line.
    """
    splits = {}
    for split, names in _SPLIT_FILES[phase].items():
        found = [path for name in names if (path := Path(raw) / name).is_file()]
        if found:
            lines = read_text(found[0]).splitlines()
            if len(lines) < 2:
                raise SkeletonFileError("expected the training recordings in the second line", found[0], 2)
            splits[split] = [name.strip() for name in lines[1].split(",") if name.strip()]
    return splits


def _read_frames(path: Path) -> np.ndarray:
    """(T, 2, 25, 3) float32."""
    frames = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        try:
            values = np.array(words, dtype=np.float64)
        except ValueError:
            values = np.empty(0)
        if len(values) != _NUMBERS or not (np.abs(values) < LARGEST_COORDINATE).all():
            raise SkeletonFileError(f"expected {_NUMBERS} coordinates, got {_shown(line)}", path, number)
        frames.append(values.astype(np.float32))
    stacked = np.array(frames, dtype=np.float32).reshape(-1, _NUMBERS)
    return rearrange(stacked, "t (m v c) -> t m v c", m=2, c=3)


def _read_labels(path: Path) -> list[tuple[int, int, int]]:
    """(action, start, end) of each instance."""
    labels = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            action, start, end = (int(word) for word in line.split(",")[:3])
        except ValueError:
            action = start = end = -1
        if not 1 <= action <= NUM_ACTIONS or not 0 <= start <= end:
            raise SkeletonFileError(f"expected action,start,end,confidence, got {_shown(line)}", path, number)
        labels.append((action, start, end))
    return labels


def _shown(line: str) -> str:
    words = line.split()
    return (
        f"{len(words)} words from {' '.join(words)[:30]!r} on" if len(words) > 4 else repr(line.strip()[:40])
    )
