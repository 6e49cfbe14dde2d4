"""Stores that several tests only read."""

from pathlib import Path

import pytest

from stars_hub.skeletons.store import SkeletonStore
from tests.skeletons.builds import build
from tests.skeletons.small_stores import TRIPOD, motions


@pytest.fixture
def store(tmp_path: Path) -> SkeletonStore:
    """A small store that has everything: labels, names, columns with gaps, absent persons."""
    return SkeletonStore.create(
        tmp_path / "store",
        motions(),
        layout=TRIPOD,
        labels=[2, 0, 1] * 4,
        subjects=[4, 3, 2, 1] * 3,
        names=[f"take{i:02d}" for i in range(12)],
        label_names=["walk", "wave", "größe"],
        fps=25,
        camera=[1, 2, None] * 4,
        room=["hall", "", "cellar"] * 4,
        weight=[0.5, None, -1.0] * 4,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> SkeletonStore:
    """The store that no one interrupted."""
    return build(tmp_path_factory.mktemp("whole") / "store")
