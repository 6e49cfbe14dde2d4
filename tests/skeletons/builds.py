"""Stores that take long enough to build for the build to be interrupted."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stars_hub.skeletons.store import SkeletonStore
from stars_hub.skeletons.store.journal import JOURNAL_NAME

COUNT = 60


def sequences(count: int = COUNT, seed: int = 0, *, pause: float = 0.0) -> Iterator[np.ndarray]:
    source = np.random.default_rng(seed)
    for _ in range(count):
        time.sleep(pause)
        yield source.normal(size=(source.integers(5, 40), 25, 3)).astype(np.float32)


def build(folder: Path, count: int = COUNT, seed: int = 0, *, pause: float = 0.0) -> SkeletonStore:
    given = sequences(count, seed, pause=pause)
    return SkeletonStore.create(folder, given, layout="ntu25", labels=[i % 3 for i in range(count)])


def journal_lines(folder: Path) -> int:
    """Samples that an interrupted build has finished."""
    path = folder.with_name(f".{folder.name}.building") / JOURNAL_NAME
    return path.read_bytes().count(b"\n") - 1 if path.exists() else 0


def check_finished(folder: Path, whole: SkeletonStore) -> None:
    store = SkeletonStore.open(folder)
    store.verify()
    assert store.fingerprint == whole.fingerprint
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
