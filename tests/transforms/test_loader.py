"""The loader gives what the transforms give, sample by sample, whoever asks for it and in whatever order."""

import pickle
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from einops import reduce
from torch import Tensor

from stars_hub.errors import ConfigError, SequenceError
from stars_hub.model import EncoderConfig, STARSEncoder
from stars_hub.skeletons.cleaning import center_sequence, fill_gaps, person_order, remove_empty_frames
from stars_hub.skeletons.layouts import get_layout
from stars_hub.skeletons.store import SkeletonStore
from stars_hub.transforms import BatchLoader, center_crop, mirror, random_crop, resample, rotate
from stars_hub.transforms.keyed import keyed_order, keyed_uniform

COUNT = 23


def recordings() -> list[np.ndarray]:
    """One to four persons, 1 to 90 frames; with empty frames, persons who come late, unknown joints."""
    rng = np.random.default_rng(0)
    made = []
    for index in range(COUNT):
        joints = rng.normal(1, 1, (rng.integers(1, 91), 1 + index % 2, 25, 3)).astype(np.float32)
        if index in (3, 4, 9):
            joints[: len(joints) // 3] = 0  # nobody at first,
            joints[-1] = 0  # nor at the end
        if index in (5, 9, 11):
            joints[: len(joints) // 2, -1] = 0  # the last person comes late
        if index == 7:
            joints[: len(joints) // 2, 0] = 0  # person 1 does
        if index in (8, 11):
            joints[rng.random(joints.shape[:3]) < 0.1] = np.nan
        if index == 12:
            joints[:, 0, [0, 22]] = np.nan  # never known, the first joint among them
        if index == 13:
            joints[:, 1] = 0  # a second person who is zeros throughout
        if index == 15:
            joints[:, 0] = 0  # a first one
        if index == 17:
            joints[:, 0] = np.nan  # or one of whom nothing is known
        if index in (18, 19):
            joints = np.concatenate([joints[:, :1] / 4, joints, joints[:, :1] * 2], axis=1)  # a crowd
        made.append(joints)
    return made


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> SkeletonStore:
    names = [f"take{index}" for index in range(COUNT)]
    folder = tmp_path_factory.mktemp("loader") / "store"
    return SkeletonStore.create(
        folder, recordings(), layout="ntu25", labels=np.arange(COUNT) % 4, names=names
    )


def expected(
    index: int, *, crop: tuple[float, float] | float, uniform: Tensor, copy: bool, centered: bool
) -> Tensor:
    """One sample by the public functions, (C, 40, V, 2)."""
    joints = recordings()[index]
    persons = joints.shape[1]
    joints = fill_gaps(joints, get_layout("ntu25").parents)
    joints = joints[:, person_order(joints, 2)]
    joints = center_sequence(joints, 1) if centered else joints
    joints = remove_empty_frames(joints)
    if persons == 1:
        joints = np.concatenate([joints, joints if copy else np.zeros_like(joints)], axis=1)
    x = torch.from_numpy(joints).permute(3, 0, 2, 1)[None]
    lengths = torch.tensor([len(joints)])
    if isinstance(crop, tuple):
        starts, kept = random_crop(lengths, *crop, uniform=uniform[None, :2], min_frames=16)
        return rotate(resample(x, 40, starts=starts, lengths=kept), (2 * uniform[None, 2:] - 1) * 0.3)[0]
    starts, kept = center_crop(lengths, crop)
    return resample(x, 40, starts=starts, lengths=kept)[0]


@pytest.mark.parametrize("dtype", ["float32", "float16", "concatenated"])
@pytest.mark.parametrize(
    ("copy", "centered", "crop"), [(False, True, (0.5, 1.0)), (True, False, 0.95), (True, True, 1)]
)
def test_batches_are_what_the_transforms_make(
    store: SkeletonStore, tmp_path: Path, dtype: str, copy: bool, centered: bool, crop: Any
) -> None:
    if dtype == "float16":
        store = SkeletonStore.create(
            tmp_path / "half", recordings(), layout="ntu25", labels=[0] * COUNT, dtype="float16"
        )
    if dtype == "concatenated":
        store = SkeletonStore.concatenate([store.select(np.arange(10)), store.select(np.arange(10, COUNT))])
    loader = BatchLoader(
        store,
        batch_size=5,
        num_frames=40,
        crop=crop,
        min_frames=16,
        rotation=0.3 if isinstance(crop, tuple) else 0,
        absent_person="copy" if copy else "zeros",
        centering="sequence" if centered else "none",
        seed=3,
        drop_last=False,
    )
    loader.set_epoch(2)
    seen = []
    for x, labels, ids, _ in loader:
        assert x.shape == (len(ids), 3, 40, 25, 2)
        assert (labels.numpy() == store.labels[ids]).all()
        for sample, index in zip(x, ids.tolist(), strict=True):
            uniform = torch.from_numpy(keyed_uniform(3, 2, np.array([index]), 5)[0])
            wanted = expected(index, crop=crop, uniform=uniform, copy=copy, centered=centered)
            tolerance = 1e-2 if dtype == "float16" else 1e-5
            torch.testing.assert_close(
                sample, wanted, atol=tolerance, rtol=0, msg=lambda text, index=index: f"{index}: {text}"
            )
        seen += ids.tolist()
    assert sorted(seen) == list(range(COUNT))
    assert seen != sorted(seen)


@pytest.mark.parametrize("absent_person", ["zeros", "copy"])
@pytest.mark.parametrize("centering", ["sequence", "none"])
@pytest.mark.parametrize("num_persons", [1, 2, 3])
def test_evaluation_batches_are_what_encode_sees(
    store: SkeletonStore, absent_person: Any, centering: Any, num_persons: int
) -> None:
    alike: dict[str, Any] = {
        "absent_person": absent_person, "centering": centering, "num_persons": num_persons
    }  # fmt: skip
    encoder = STARSEncoder(EncoderConfig(num_frames=40, embed_dim=16, depth=1, num_heads=2, **alike)).eval()
    settings = {"crop": 0.95, "rotation": 0.0, **alike}
    loader = BatchLoader(store, batch_size=COUNT, num_frames=40, shuffle=False, **settings)
    with torch.no_grad():
        features = encoder(next(iter(loader)).x)
    wanted = torch.from_numpy(encoder.encode(recordings()))
    torch.testing.assert_close(features, wanted, atol=1e-5, rtol=1e-4)


def by_id(*loaders: BatchLoader) -> dict[int, Tensor]:
    return {
        int(i): x for loader in loaders for batch in loader for i, x in zip(batch.ids, batch.x, strict=True)
    }


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


def test_more_persons_than_stored(store: SkeletonStore) -> None:
    both = by_id(BatchLoader(store, batch_size=COUNT, num_frames=8, absent_person="copy"))
    three = by_id(BatchLoader(store, batch_size=COUNT, num_frames=8, num_persons=3, absent_person="copy"))
    for index in range(COUNT):
        if index not in (3, 4, 5, 7, 9, 11, 18, 19):  # who is there when depends on how many persons count
            torch.testing.assert_close(three[index][..., :2], both[index])
            torch.testing.assert_close(three[index][..., 2], both[index][..., 0])


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


def test_keyed_numbers_are_even_and_independent() -> None:
    numbers = keyed_uniform(0, 0, np.arange(50_000), 3)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    for column in numbers.T:
        counts = np.histogram(column, bins=20, range=(0, 1))[0]
        assert ((counts - 2500) ** 2 / 2500).sum() < 50  # chi-squared, 19 degrees: p < 0.0002
    others = [keyed_uniform(1, 0, np.arange(50_000), 1), keyed_uniform(0, 1, np.arange(50_000), 1)]
    others += [keyed_uniform(0, 0, np.arange(50_000), 1, purpose=9), numbers[1:, :1], numbers[:, 1:]]
    for other in others:
        for column in other.T:
            assert abs(np.corrcoef(numbers[: len(column), 0], column)[0, 1]) < 0.02
    assert (keyed_uniform(0, 0, np.array([7, 3]), 2) == numbers[[7, 3], :2]).all()
    assert (keyed_uniform(-5, 2**70, np.array([0]), 1) < 1).all()


def test_keyed_orders_are_permutations_that_seed_and_epoch_choose() -> None:
    orders = [keyed_order(seed, epoch, 1000) for seed in (0, 1) for epoch in (0, 1)]
    for order in orders:
        assert (np.sort(order) == np.arange(1000)).all()
    assert len({tuple(order) for order in orders}) == 4
    assert (keyed_order(0, 1, 1000) == orders[1]).all()


def test_mirror_and_stretch_are_what_the_transforms_do(store: SkeletonStore) -> None:
    settings: dict[str, Any] = {"batch_size": COUNT, "num_frames": 12, "crop": 1.0, "shuffle": False}
    plain = BatchLoader(store, rotation=0.0, **settings).load(np.arange(COUNT), 3)
    shown = BatchLoader(store, rotation=0.0, mirror=1.0, **settings).load(np.arange(COUNT), 3)
    torch.testing.assert_close(shown.x, mirror(plain.x, store.layout), atol=1e-5, rtol=0)

    some = BatchLoader(store, rotation=0.0, mirror=0.5, **settings).load(np.arange(COUNT), 3)
    same = reduce((some.x - plain.x).abs() < 1e-5, "n c t v m -> n", "all")
    other = reduce((some.x - shown.x).abs() < 1e-5, "n c t v m -> n", "all")
    assert torch.equal(same, ~other)
    assert 0 < same.sum() < COUNT

    wide = BatchLoader(store, rotation=0.0, stretch=0.2, **settings).load(np.arange(COUNT), 3)
    ratio = wide.x / plain.x.where(plain.x.abs() > 0.1, torch.nan)
    low, high = (
        reduce(ratio.nan_to_num(fill), "n c t v m -> n c", kind) for fill, kind in ((9, "min"), (0, "max"))
    )
    torch.testing.assert_close(low, high, atol=1e-4, rtol=0)
    assert 0.8 <= low.min() < 0.9
    assert 1.1 < high.max() <= 1.2

    turned = BatchLoader(store, rotation=0.3, **settings).load(np.arange(COUNT), 3)
    both = BatchLoader(store, rotation=0.3, mirror=0.5, **settings).load(np.arange(COUNT), 3)
    torch.testing.assert_close(both.x[same], turned.x[same])


def test_two_views_are_drawn_apart_and_the_first_is_that_of_one_view(store: SkeletonStore) -> None:
    settings: dict[str, Any] = {"batch_size": COUNT, "num_frames": 12, "mirror": 0.5, "stretch": 0.1}
    ids = np.arange(COUNT)
    one = BatchLoader(store, **settings).load(ids, 2)
    both = BatchLoader(store, two_views=True, **settings).load(ids, 2)
    assert one.x_second is None
    assert both.x_second is not None
    assert torch.equal(both.x, one.x)
    assert not reduce(both.x == both.x_second, "n c t v m -> n", "all").any()
    again = BatchLoader(store, two_views=True, **settings).load(ids[::-1].copy(), 2)
    assert again.x_second is not None
    torch.testing.assert_close(again.x_second.flip(0), both.x_second)
