"""Crops and resampling, against golden numbers, torch's interpolate and plain Python arithmetic."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor

from stars_hub.errors import ConfigError, SequenceError
from stars_hub.transforms import (
    center_crop,
    compact_frames,
    random_crop,
    resample,
    resample_plan,
    valid_frames,
)


def interpolated(clip: Tensor, num_frames: int) -> Tensor:
    """The reference: (C, T, V, M) -> (C, T', V, M) by torch's own bilinear interpolation."""
    flat = clip.flatten(2)[None]
    return F.interpolate(flat, size=(num_frames, flat.shape[3]), mode="bilinear", align_corners=False)[
        0
    ].unflatten(2, clip.shape[2:])


@pytest.fixture(scope="module")
def golden(golden_dir: Path) -> dict[str, Tensor]:
    return load_file(golden_dir / "transforms.safetensors")


def ragged(lengths: list[int], total: int, dtype: torch.dtype = torch.float32) -> Tensor:
    x = torch.randn(len(lengths), 3, total, 5, 2, generator=torch.Generator().manual_seed(1), dtype=dtype)
    for sample, length in zip(x, lengths, strict=True):
        sample[:, length:] = 0
    return x


@pytest.mark.parametrize("ratio", [0.95, 1.0])
def test_golden_center_crop(golden: dict[str, Tensor], ratio: float) -> None:
    # The golden sample sits in a ragged batch, between two that are longer and shorter.
    x = torch.stack([golden["input"].roll(3, dims=1), golden["input"], golden["input"]])
    lengths = torch.tensor([130, 90, 12])
    starts, kept = center_crop(lengths, ratio)
    found = resample(x, 24, starts=starts, lengths=kept)[1]
    torch.testing.assert_close(found, golden[f"center_{ratio}"], atol=1e-5, rtol=0)


def test_golden_random_crop(golden: dict[str, Tensor]) -> None:
    x = torch.stack([golden["input"]] * 2)
    x, lengths = compact_frames(x)
    assert lengths.tolist() == [90, 90]
    # 0.8 of 90 frames are 72; starts 0..18 share [0, 1) evenly, 7.5 / 19 is in the middle of the eighth.
    uniform = torch.tensor([[0.1, 0.9], [0.6, 7.5 / 19]], dtype=torch.float64)
    starts, kept = random_crop(lengths, 0.5, 1.0, uniform=uniform)
    assert (starts[1], kept[1]) == (7, 72)
    found = resample(x, 24, starts=starts, lengths=kept)[1]
    torch.testing.assert_close(found, golden["random_crop"], atol=1e-5, rtol=0)


def test_valid_frames_and_compaction_select_inner_and_leading_empty_frames() -> None:
    x = torch.zeros(3, 3, 6, 4, 2)
    for frame in (1, 2, 5):
        x[0, 2, frame, 3, 1] = frame  # one coordinate of the second person is enough
    x[1] = 1.0
    expected = [[False, True, True, False, False, True], [True] * 6, [False] * 6]
    assert valid_frames(x).tolist() == expected
    moved, lengths = compact_frames(x)
    assert lengths.tolist() == [3, 6, 1]
    assert moved[0, 2, :, 3, 1].tolist() == [1, 2, 5, 0, 0, 0]
    assert torch.equal(moved[1], x[1])


@given(st.integers(1, 2000), st.sampled_from([0.95, 1.0, 0.9, 0.7, 0.5, 0.05, 0.01]))
def test_center_crop_is_pythons_arithmetic(n: int, ratio: float) -> None:
    starts, lengths = center_crop(torch.tensor([n]), ratio)
    bias = int((1 - ratio) * n / 2)
    assert (starts.item(), lengths.item()) == (bias, n - 2 * bias)


def test_center_crop_of_every_length_at_once_keeps_a_frame() -> None:
    lengths = torch.arange(1, 3000)
    for ratio in (0.95, 1e-9):
        starts, kept = center_crop(lengths, ratio)
        bias = np.array([min(int((1 - ratio) * n / 2), (n - 1) // 2) for n in range(1, 3000)])
        assert (starts.numpy() == bias).all()
        assert (kept >= 1).all()
        assert (starts + kept <= lengths).all()


@given(st.integers(1, 500), st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
def test_random_crop_stays_inside_and_keeps_64_frames(n: int, part: float, place: float) -> None:
    uniform = torch.tensor([[part, place]], dtype=torch.float64)
    starts, lengths = random_crop(torch.tensor([n]), 0.5, 1.0, uniform=uniform)
    assert lengths.item() == min(max(math.floor(n * (0.5 + part * 0.5)), 64), n)
    assert 0 <= starts.item() <= n - lengths.item()


def test_random_crop_reaches_every_start_evenly_and_follows_its_generator() -> None:
    lengths = torch.full((20_000,), 70)
    starts, kept = random_crop(lengths, 0.5, 0.5, generator=torch.Generator().manual_seed(3))
    assert (kept == 64).all()
    counts = torch.bincount(starts, minlength=7)
    assert len(counts) == 7
    assert (counts - 20_000 / 7).abs().max() < 5 * math.sqrt(20_000 / 7)
    again, _ = random_crop(lengths, 0.5, 0.5, generator=torch.Generator().manual_seed(3))
    assert torch.equal(starts, again)


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
    st.integers(1, 50),
    st.integers(0, 2**31),
    st.booleans(),
)
def test_resample_of_a_ragged_batch_is_interpolate_per_sample(
    lengths: list[int], num_frames: int, seed: int, wide: bool
) -> None:
    dtype, tolerance = (torch.float64, 1e-12) if wide else (torch.float32, 1e-5)
    x = ragged(lengths, 40, dtype)
    generator = torch.Generator().manual_seed(seed)
    starts = torch.stack([torch.randint(0, n, (), generator=generator) for n in lengths])
    kept = torch.stack(
        [
            torch.randint(1, n - int(s) + 1, (), generator=generator)
            for n, s in zip(lengths, starts, strict=True)
        ]
    )
    found = resample(x, num_frames, starts=starts, lengths=kept)
    assert found.dtype == dtype
    for sample, start, length, result in zip(x, starts, kept, found, strict=True):
        expected = interpolated(sample[:, start : start + length], num_frames)
        torch.testing.assert_close(result, expected, atol=tolerance, rtol=0)


def test_resample_by_hand_and_of_one_frame() -> None:
    ramp = torch.arange(4.0).reshape(1, 1, 4, 1, 1)
    assert resample(ramp, 2).flatten().tolist() == [0.5, 2.5]
    assert resample(ramp, 8).flatten().tolist() == [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]
    assert resample(ramp[:, :, 2:3], 3).flatten().tolist() == [2, 2, 2]
    assert torch.equal(resample(ramp, 4), ramp)


def test_plan_stays_inside_the_crop_with_weights_below_one() -> None:
    lengths = torch.arange(1, 300)
    left, right, weight = resample_plan(torch.full_like(lengths, 11), lengths, 120)
    assert left.min() == 11
    assert (right <= 11 + lengths[:, None] - 1).all()
    assert ((right - left == 1) | (right == left)).all()
    assert weight.min() >= 0
    assert weight.max() < 1


def test_resample_carries_gradients() -> None:
    x = ragged([5, 9], 9, torch.float64).requires_grad_()
    lengths = torch.tensor([5, 9])
    assert torch.autograd.gradcheck(lambda x: resample(x, 7, lengths=lengths), (x,))
    resample(x, 7, lengths=lengths).sum().backward()
    assert x.grad is not None
    assert (x.grad[0, :, 5:] == 0).all()  # nothing beyond the crop counts
    torch.testing.assert_close(x.grad.sum(), torch.tensor(7.0 * 3 * 5 * 2 * 2, dtype=torch.float64))


def test_bad_settings_say_so() -> None:
    lengths = torch.tensor([5])
    for ratio in (0.0, 1.01, math.nan):
        with pytest.raises(ConfigError, match="centre crop"):
            center_crop(lengths, ratio)
    for low, high in ((0.0, 1.0), (0.9, 0.5), (0.5, 1.5)):
        with pytest.raises(ConfigError, match="low"):
            random_crop(lengths, low, high)
    with pytest.raises(ConfigError, match="min_frames is 0"):
        random_crop(lengths, 0.5, 1, min_frames=0)
    with pytest.raises(SequenceError, match=r"\(1, 2\), got \(2, 2\)"):
        random_crop(lengths, 0.5, 1, uniform=torch.rand(2, 2))
    with pytest.raises(ConfigError, match="num_frames is 0"):
        resample_plan(lengths, lengths, 0)
