"""What the loader makes of a sample: what the transforms make, and what encode sees."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from einops import reduce
from torch import Tensor

from stars_hub.model import EncoderConfig, STARSEncoder
from stars_hub.skeletons.cleaning import center_sequence, fill_gaps, person_order, remove_empty_frames
from stars_hub.skeletons.layouts import get_layout
from stars_hub.skeletons.store import SkeletonStore
from stars_hub.transforms import BatchLoader, center_crop, mirror, random_crop, resample, rotate
from stars_hub.transforms.keyed import keyed_uniform
from tests.transforms.loading import COUNT, by_id, recordings


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


def test_more_persons_than_stored(store: SkeletonStore) -> None:
    both = by_id(BatchLoader(store, batch_size=COUNT, num_frames=8, absent_person="copy"))
    three = by_id(BatchLoader(store, batch_size=COUNT, num_frames=8, num_persons=3, absent_person="copy"))
    different = {3, 4, 5, 7, 9, 11, 18, 19, 20}  # who is there when depends on how many persons count
    for index in set(range(COUNT)) - different:
        torch.testing.assert_close(three[index][..., :2], both[index])
        torch.testing.assert_close(three[index][..., 2], both[index][..., 0])


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
