"""Bone and motion streams, against golden numbers and by hand."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stars_hub.errors import LayoutError
from stars_hub.skeletons.layouts import get_layout
from stars_hub.transforms import bone_stream, motion_stream


def test_golden_streams(golden_dir: Path) -> None:
    golden = load_file(golden_dir / "transforms.safetensors")
    x = torch.stack([golden["input"]] * 2)
    torch.testing.assert_close(bone_stream(x, "ntu25")[1], golden["bone_stream"], atol=1e-5, rtol=0)
    torch.testing.assert_close(motion_stream(x)[1], golden["motion_stream"], atol=1e-5, rtol=0)


def test_bones_add_up_to_the_joints_again() -> None:
    layout = get_layout("ntu25")
    x = torch.randn(2, 3, 4, 25, 2, dtype=torch.float64)
    bones = bone_stream(x, layout)
    assert (bones[:, :, :, layout.root] == 0).all()
    head, path = 3, [3, 2]  # head, neck, then the root
    assert layout.parents[2] == layout.root
    torch.testing.assert_close(
        x[:, :, :, layout.root] + sum(bones[:, :, :, joint] for joint in path), x[:, :, :, head]
    )


def test_motion_by_hand_and_of_one_frame() -> None:
    x = torch.tensor([1.0, 4.0, 2.0]).reshape(1, 1, 3, 1, 1)
    assert motion_stream(x).flatten().tolist() == [3, -2, 0]
    assert motion_stream(x[:, :, :1]).flatten().tolist() == [0]


def test_bone_stream_refuses_another_number_of_joints() -> None:
    with pytest.raises(LayoutError, match="25 joints, the batch 20"):
        bone_stream(torch.zeros(1, 3, 4, 20, 1), "ntu25")
