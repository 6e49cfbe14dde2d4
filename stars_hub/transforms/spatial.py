"""Space: rotation, mirror image, noise, centring of batches (N, C, T, V, M)."""

import torch
from einops import einsum, rearrange, reduce
from torch import Tensor

from stars_hub.errors import ConfigError, LayoutError, SequenceError
from stars_hub.skeletons.layouts import SkeletonLayout, get_layout


def layout_of(x: Tensor, layout: str | SkeletonLayout) -> SkeletonLayout:
    """Look a layout up and check that a batch (N, C, T, V, M) has its number of joints."""
    layout = get_layout(layout)
    if x.shape[3] != layout.num_joints:
        raise LayoutError(f"layout {layout.name} has {layout.num_joints} joints, the batch {x.shape[3]}")
    return layout


def random_angles(n: int, *, max_angle: float = 0.3, generator: torch.Generator | None = None) -> Tensor:
    """Draw rotation angles about x, y and z, uniform in [-max_angle, max_angle].

    Args:
        n: number of samples.
        max_angle: in radians.
        generator: the source; torch's own where not given. The angles lie on its device.

    Returns:
        (N, 3) float32.
    """
    device = "cpu" if generator is None else generator.device
    return (2 * torch.rand(n, 3, generator=generator, device=device) - 1) * max_angle


def rotation_matrices(angles: Tensor) -> Tensor:
    """Make R = Rz Ry Rx of the angles about x, y and z, with the method's sign: R turns clockwise.

    Args:
        angles: (N, 3) radians.

    Returns:
        (N, 3, 3); x' = R x.
    """
    (sin_a, sin_b, sin_c), (cos_a, cos_b, cos_c) = angles.sin().unbind(-1), angles.cos().unbind(-1)
    entries = [
        cos_b * cos_c, sin_a * sin_b * cos_c + cos_a * sin_c, sin_a * sin_c - cos_a * sin_b * cos_c,
        -cos_b * sin_c, cos_a * cos_c - sin_a * sin_b * sin_c, cos_a * sin_b * sin_c + sin_a * cos_c,
        sin_b, -sin_a * cos_b, cos_a * cos_b,
    ]  # fmt: skip
    return rearrange(torch.stack(entries, dim=-1), "n (row column) -> n row column", row=3)


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Turn each sample as a whole by R = Rz Ry Rx about the origin.

    Args:
        x: (N, 3, T, V, M).
        angles: (N, 3) radians about x, y, z.

    Returns:
        (N, 3, T, V, M).

    Raises:
        SequenceError: the samples are not 3D, or `angles` is not (N, 3).
    """
    if x.shape[1] != 3 or angles.shape != (len(x), 3):
        raise SequenceError(
            "a rotation takes x (N, 3, T, V, M) and angles (N, 3), "
            f"got {tuple(x.shape)} and {tuple(angles.shape)}"
        )
    matrices = rotation_matrices(angles.to(device=x.device, dtype=x.dtype))
    return einsum(matrices, x, "n row c, n c t v m -> n row t v m")


def sideways_sign(layout: SkeletonLayout) -> Tensor:
    """-1 on the axis that a mirror turns round, 1 on the others: (3,)."""
    (sideways,) = set("xyz") - {layout.up_axis[-1], layout.front_axis[-1]}
    return torch.tensor([-1.0 if axis == sideways else 1.0 for axis in "xyz"])


def mirror(x: Tensor, layout: str | SkeletonLayout, which: Tensor | None = None) -> Tensor:
    """Show samples in a mirror: left and right joints change places, and the sideways axis its sign.

    Args:
        x: (N, C, T, V, M).
        layout: whose mirror pairs and axes count.
        which: (N,) bool, the samples to mirror; all where not given.

    Returns:
        (N, C, T, V, M).

    Raises:
        LayoutError: the layout is unknown or has another number of joints than the batch.
    """
    layout = layout_of(x, layout)
    sign = sideways_sign(layout)[: x.shape[1]].to(x)
    mirrored = x[:, :, :, list(layout.mirror_order)] * rearrange(sign, "c -> 1 c 1 1 1")
    if which is None:
        return mirrored
    return torch.where(rearrange(which.to(x.device), "n -> n 1 1 1 1"), mirrored, x)


def _present(x: Tensor) -> Tensor:
    """Person-frames with any non-zero coordinate, (N, 1, T, 1, M)."""
    return rearrange(reduce(x != 0, "n c t v m -> n t m", "any"), "n t m -> n 1 t 1 m")


def add_noise(x: Tensor, std: float, generator: torch.Generator | None = None) -> Tensor:
    """Add normal noise to every coordinate; absent persons stay all zeros.

    Args:
        x: (N, C, T, V, M).
        std: standard deviation, in x's unit.
        generator: the source; torch's own where not given.

    Returns:
        (N, C, T, V, M).

    Raises:
        ConfigError: `std` is negative.
    """
    if std < 0:
        raise ConfigError(f"noise has a standard deviation of at least 0, not {std}")
    device = x.device if generator is None else generator.device
    noise = torch.randn(x.shape, dtype=x.dtype, generator=generator, device=device)
    return x + std * noise.to(x.device) * _present(x)


def center(x: Tensor, joint: int) -> Tensor:
    """Move each sample so that a joint of person 1 starts at the origin.

    The origin is that joint in the first frame in which person 1 is there; every frame and person moves by
    it, and absent person-frames stay all zeros. A sample without person 1 stays where it is.

    Args:
        x: (N, C, T, V, M).
        joint: index of the joint, in the NTU preprocessing the middle of the spine.

    Returns:
        (N, C, T, V, M).
    """
    present = _present(x)
    first = present[:, 0, :, 0, 0].to(torch.uint8).argmax(dim=1)  # 0, a frame of zeros, where person 1 is not
    origin = x[torch.arange(len(x), device=x.device), :, first, joint, 0]
    return x - rearrange(origin, "n c -> n c 1 1 1") * present
