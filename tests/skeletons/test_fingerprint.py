"""A store's fingerprint: one for the same contents, another for any other selection or order of them."""

from pathlib import Path

import pytest

from stars_hub.skeletons import SkeletonStore
from tests.motions import drifting


@pytest.fixture
def store(tmp_path: Path) -> SkeletonStore:
    sequences = [drifting(6, seed=seed) for seed in range(4)]
    return SkeletonStore.create(
        tmp_path / "store", sequences, layout="ntu25", labels=[2, 0, 2, 4], subjects=[1, 1, 2, 2]
    )


def test_selections_differ_from_the_whole_and_from_each_other(store: SkeletonStore) -> None:
    first, second = store.split(subjects=[1])
    others = [first, second, store[[1, 0]], store[::-1], store.renumber_labels(), first.renumber_labels()]
    found = [each.fingerprint for each in (store, *others)]
    assert len(set(found)) == len(found)


def test_the_same_selection_has_the_same_fingerprint(store: SkeletonStore) -> None:
    again = SkeletonStore.open(store.folder)
    assert store[:].fingerprint == store[[0, 1, 2, 3]].fingerprint == again.fingerprint
    assert store.split(subjects=[1])[0].fingerprint == again[:2].fingerprint == again[:3][:2].fingerprint


def test_what_is_joined_counts_as_selected(store: SkeletonStore) -> None:
    first, second = store.split(subjects=[1])
    joined = SkeletonStore.concatenate([first, second])
    assert joined.fingerprint == SkeletonStore.concatenate([store[:2], store[2:]]).fingerprint
    assert joined.fingerprint != SkeletonStore.concatenate([second, first]).fingerprint
    assert joined.fingerprint != SkeletonStore.concatenate([store, store]).fingerprint
