"""A store of what a loader may meet."""

import numpy as np
import pytest

from stars_hub.skeletons.store import SkeletonStore
from tests.transforms.loading import COUNT, recordings


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> SkeletonStore:
    names = [f"take{index}" for index in range(COUNT)]
    folder = tmp_path_factory.mktemp("loader") / "store"
    return SkeletonStore.create(
        folder, recordings(), layout="ntu25", labels=np.arange(COUNT) % 4, names=names
    )
