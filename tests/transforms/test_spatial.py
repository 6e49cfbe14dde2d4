"""Rotation, mirror, noise and centring, against golden numbers and properties."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from stars_hub.errors import ConfigError, LayoutError, SequenceError
from stars_hub.skeletons.layouts import get_layout
from stars_hub.transforms import (
    add_noise,
    bone_stream,
    center,
    mirror,
    motion_stream,
    random_angles,
    rotate,
    rotation_matrices,
)


@pytest.fixture
def x() -> Tensor:
    """Two samples; person 2 is absent in the first, and enters late in the second."""
    x = torch.randn(2, 3, 6, 25, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x[0, ..., 1] = 0
    x[1, :, :3, :, 1] = 0
    return x


def test_golden_rotation(golden_dir: Path) -> None:
    golden = load_file(golden_dir / "transforms.safetensors")
    x = torch.stack([golden["input"]] * 2)
    angles = torch.stack([torch.zeros(3), golden["rotation_angles"]])
    found = rotate(x, angles)
    torch.testing.assert_close(found[1], golden["rotated"], atol=1e-5, rtol=0)
    torch.testing.assert_close(found[0], golden["input"], atol=1e-6, rtol=0)


def test_rotation_is_the_product_of_the_three_written_matrices() -> None:
    a, b, c = angles = torch.tensor([0.2, -0.3, 0.1], dtype=torch.float64)
    one, zero = torch.ones_like(a), torch.zeros_like(a)
    about_x = torch.stack([one, zero, zero, zero, a.cos(), a.sin(), zero, -a.sin(), a.cos()]).reshape(3, 3)
    about_y = torch.stack([b.cos(), zero, -b.sin(), zero, one, zero, b.sin(), zero, b.cos()]).reshape(3, 3)
    about_z = torch.stack([c.cos(), c.sin(), zero, -c.sin(), c.cos(), zero, zero, zero, one]).reshape(3, 3)
    torch.testing.assert_close(rotation_matrices(angles[None])[0], about_z @ about_y @ about_x)


def test_rotation_keeps_lengths_zeros_and_gradients(x: Tensor) -> None:
    angles = random_angles(2, generator=torch.Generator().manual_seed(1)).double()
    turned = rotate(x, angles)
    torch.testing.assert_close(turned.norm(dim=1), x.norm(dim=1))
    assert (turned[0, ..., 1] == 0).all()
    clip = x[:, :, :2, :2].clone().requires_grad_()
    assert torch.autograd.gradcheck(rotate, (clip, angles.requires_grad_()))


def test_random_angles_fill_their_range_and_follow_their_generator() -> None:
    angles = random_angles(5000, max_angle=0.3, generator=torch.Generator().manual_seed(2))
    assert angles.shape == (5000, 3)
    assert angles.abs().max() <= 0.3
    assert (angles.amax(0) > 0.29).all()
    assert (angles.amin(0) < -0.29).all()
    assert angles.mean(0).abs().max() < 0.01
    assert torch.equal(angles, random_angles(5000, generator=torch.Generator().manual_seed(2)))


def test_mirror_swaps_sides_is_its_own_inverse_and_spares_the_rest(x: Tensor) -> None:
    layout = get_layout("ntu25")
    which = torch.tensor([True, False])
    found = mirror(x, layout, which)
    assert torch.equal(found[1], x[1])
    left_hand, right_hand = 7, 11
    assert torch.equal(found[0, 0, :, left_hand], -x[0, 0, :, right_hand])
    assert torch.equal(found[0, 1:, :, left_hand], x[0, 1:, :, right_hand])
    assert torch.equal(found[0, 1:, :, 3], x[0, 1:, :, 3])  # the head stays the head
    assert torch.equal(mirror(mirror(x, "ntu25"), "ntu25"), x)


def test_mirror_refuses_another_number_of_joints(x: Tensor) -> None:
    with pytest.raises(LayoutError, match="25 joints, the batch 20"):
        mirror(x[:, :, :, :20], "ntu25")


def test_noise_has_its_size_and_leaves_absent_persons_at_zero(x: Tensor) -> None:
    x = x.repeat(1, 1, 50, 1, 1)
    noise = add_noise(x, 0.01, torch.Generator().manual_seed(0)) - x
    present = (x != 0).any(dim=1, keepdim=True).expand_as(x)
    assert (noise[~present] == 0).all()
    assert noise[present].std().item() == pytest.approx(0.01, rel=0.02)
    assert noise[present].mean().abs() < 2e-4
    with pytest.raises(ConfigError, match="at least 0"):
        add_noise(x, -0.1)


def test_center_puts_the_joint_at_the_origin_and_keeps_absence(x: Tensor) -> None:
    x[1, :, :2, :, 0] = 0  # person 1 of the second sample enters in frame 2
    found = center(x, 1)
    assert (found[0, :, 0, 1, 0] == 0).all()
    assert (found[1, :, 2, 1, 0] == 0).all()
    torch.testing.assert_close(found[1, :, 4, :, 1], x[1, :, 4, :, 1] - x[1, :, 2, 1, 0, None])
    for absent in (found[0, ..., 1], found[1, :, :3, :, 1], found[1, :, :2, :, 0]):
        assert (absent == 0).all()
    torch.testing.assert_close(center(found, 1), found)
    assert torch.equal(center(torch.zeros(1, 3, 4, 25, 2), 1), torch.zeros(1, 3, 4, 25, 2))


def test_all_of_them_carry_gradients_in_float64(x: Tensor) -> None:
    small = x[:, :, :3].clone().requires_grad_()
    for transform in (
        lambda x: center(x, 1),
        lambda x: mirror(x, "ntu25", torch.tensor([True, False])),
        lambda x: add_noise(x, 0.01, torch.Generator().manual_seed(0)),
        lambda x: bone_stream(x, "ntu25"),
        motion_stream,
    ):
        result = transform(small)
        assert result.dtype == torch.float64
        weights = torch.randn(result.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
        (gradient,) = torch.autograd.grad((result * weights).sum(), small)
        # All of these are affine: a step along a direction changes the result by exactly the gradient.
        step = torch.randn(x[:, :, :3].shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
        step = step * (small != 0)
        change = ((transform(small.detach() + step) - result.detach()) * weights).sum()
        torch.testing.assert_close(change, (gradient * step).sum())


def test_rotation_refuses_2d_and_wrong_angles(x: Tensor) -> None:
    with pytest.raises(SequenceError, match="angles"):
        rotate(x[:, :2], torch.zeros(2, 3))
    with pytest.raises(SequenceError, match="angles"):
        rotate(x, torch.zeros(1, 3))
