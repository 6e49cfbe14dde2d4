"""The loader gives the same sample whoever asks for it and in whatever order, and says what it cannot do."""

import pickle
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stars_hub.errors import ConfigError, SequenceError
from stars_hub.skeletons.layouts import get_layout
from stars_hub.skeletons.store import SkeletonStore
from stars_hub.transforms import BatchLoader
from tests.transforms.loading import COUNT, by_id


def test_a_sample_looks_the_same_to_every_rank_batch_size_and_prefetch(store: SkeletonStore) -> None:
    settings: dict[str, Any] = {"num_frames": 30, "seed": 1, "drop_last": False}
    wanted = by_id(BatchLoader(store, batch_size=23, prefetch=0, **settings))
    assert len(wanted) == COUNT
    for loaders in (
        [BatchLoader(store, batch_size=4, **settings)],
        [BatchLoader(store, batch_size=3, rank=rank, world_size=3, **settings) for rank in range(3)],
        [BatchLoader(store, batch_size=5, shuffle=False, prefetch=7, **settings)],
    ):
        found = by_id(*loaders)
        assert found.keys() == wanted.keys()
        for index, x in found.items():
            torch.testing.assert_close(x, wanted[index], atol=1e-6, rtol=0)


def test_ranks_share_each_global_batch(store: SkeletonStore) -> None:
    one = BatchLoader(store, batch_size=8, num_frames=8)
    two = [BatchLoader(store, batch_size=4, num_frames=8, rank=rank, world_size=2) for rank in range(2)]
    assert len(one) == len(two[0]) == 2
    for whole, *parts in zip(one, *two, strict=True):
        assert torch.equal(whole.ids, torch.cat([part.ids for part in parts]))
        assert torch.equal(whole.labels, torch.cat([part.labels for part in parts]))
    ragged = [
        BatchLoader(store, batch_size=4, num_frames=8, rank=rank, world_size=5, drop_last=False)
        for rank in range(5)
    ]
    assert [len(list(loader)) for loader in ragged] == [len(loader) for loader in ragged] == [2, 2, 2, 1, 1]
    assert sorted(by_id(*ragged)) == list(range(COUNT))


def test_epochs_differ_repeat_and_resume(store: SkeletonStore) -> None:
    loader = BatchLoader(store, batch_size=5, num_frames=8)
    first = list(loader)
    loader.set_epoch(1)
    second = list(loader)
    assert not torch.equal(torch.cat([b.ids for b in first]), torch.cat([b.ids for b in second]))
    common = set(by_id(loader)) & set(range(COUNT))
    loader.set_epoch(0)
    before = by_id(loader)
    loader.set_epoch(1)
    after = by_id(loader)
    assert all(not torch.equal(before[i], after[i]) for i in common & set(before))
    loader.set_epoch(1, first_batch=2)
    resumed = list(loader)
    assert len(resumed) == 2
    for found, wanted in zip(resumed, second[2:], strict=True):
        assert torch.equal(found.x, wanted.x)
        assert torch.equal(found.ids, wanted.ids)


def ids_and_sum(loader: BatchLoader) -> list[tuple[list[int], float]]:
    return [(batch.ids.tolist(), float(batch.x.double().sum())) for batch in loader]


def test_pickles_and_works_in_a_spawned_process(store: SkeletonStore) -> None:
    loader = BatchLoader(store, batch_size=8, num_frames=8)
    wanted = ids_and_sum(loader)
    assert len(pickle.dumps(loader)) < 100_000  # the recordings do not travel
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        found = pool.submit(ids_and_sum, loader).result()
    for (ids, total), (wanted_ids, wanted_total) in zip(found, wanted, strict=True):
        assert ids == wanted_ids
        assert total == pytest.approx(wanted_total, abs=1e-3)


def test_stopping_early_leaves_no_thread(store: SkeletonStore) -> None:
    iterator = iter(BatchLoader(store, batch_size=1, num_frames=8, prefetch=3))
    next(iterator)
    iterator.close()  # type: ignore[attr-defined]
    names = [thread.name for thread in threading.enumerate() if thread.is_alive()]
    assert not any(name.startswith("stars-hub-loader") for name in names)


def test_memory_is_ordered_for_the_encoder(store: SkeletonStore) -> None:
    batch = next(iter(BatchLoader(store, batch_size=2, num_frames=8)))
    assert batch.x.permute(0, 4, 1, 2, 3).is_contiguous()
    assert batch.x.dtype == torch.float32
    assert batch.labels.dtype == batch.ids.dtype == torch.int64


def test_an_infinite_coordinate_names_its_sample(tmp_path: Path) -> None:
    class Endless:
        """A store with a bad sample, which `SkeletonStore.create` would have refused."""

        layout = get_layout("ntu25")
        frames = np.ones((20, 25, 3), dtype=np.float32)
        labels = np.zeros(2, dtype=np.int64)
        names = np.array(["good", "bad"])
        num_persons = np.ones(2, dtype=np.int64)

        def __len__(self) -> int:
            return 2

        def person_spans(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return indices[:, None] * 10, np.full(len(indices), 10)

    store = Endless()
    store.frames[15, 3, 2] = np.inf
    for prefetch in (0, 2):
        with pytest.raises(
            SequenceError, match=r"sample 1 \(bad\): joint 3 of person 0 is infinite in frame 5"
        ):
            list(BatchLoader(store, batch_size=2, num_frames=8, prefetch=prefetch))


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"num_frames": 0}, "num_frames"),
        ({"num_persons": 0}, "num_persons"),
        ({"absent_person": "none"}, "absent_person"),
        ({"centering": True}, "centering"),
        ({"rank": 1}, "rank"),
        ({"rotation": -0.1}, "rotation"),
        ({"rotation": float("inf")}, "rotation"),
        ({"mirror": 1.5}, "mirror"),
        ({"stretch": 1.0}, "stretch"),
        ({"crop": (0.9, 0.5)}, "low"),
        ({"crop": 0.0}, "centre crop"),
        ({"batch_size": 24}, "fewer than one batch of 24"),
    ],
)
def test_bad_settings_say_so_before_any_data_is_read(
    store: SkeletonStore, settings: dict[str, Any], text: str
) -> None:
    with pytest.raises(ConfigError, match=text):
        BatchLoader(store, **{"batch_size": 4, **settings})
