from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from stars_hub.errors import LayoutError
from stars_hub.model.config import EncoderConfig
from stars_hub.model.preparation import Preparation, prepared_batches
from stars_hub.skeletons.layouts import get_layout
from tests.motions import drifting

NTU = get_layout("ntu25")
CONFIG = EncoderConfig(num_frames=24)


def prepare(joints: np.ndarray, config: EncoderConfig = CONFIG, **options: object) -> torch.Tensor:
    preparation = Preparation(config, NTU, **options)
    (x,) = prepared_batches([joints], preparation, batch_size=1, progress=False)
    return x


def test_golden_centre_crop_and_resampling(golden_dir: Path) -> None:
    """The authors' evaluation crop; their sample is already centred, so ours must leave it there."""
    golden = load_file(golden_dir / "transforms.safetensors")
    joints = golden["input"].permute(1, 3, 2, 0).numpy()  # (C, T, V, M) -> (T, M, V, C)
    x = prepare(joints, EncoderConfig(num_frames=24, centering="none"))
    torch.testing.assert_close(x[0], golden["center_0.95"], atol=1e-5, rtol=0)


def test_raw_camera_coordinates_are_centred_on_the_spine() -> None:
    joints = drifting(persons=2)
    joints[0, 0] = 0  # the first person enters in the second frame
    expected = joints - joints[1, 0, 1]
    expected[0, 0] = 0
    x = prepare(joints, EncoderConfig(num_frames=40))
    uncentred = prepare(expected, EncoderConfig(num_frames=40, centering="none"))
    torch.testing.assert_close(x, uncentred)
    moved = prepare(np.where(joints == 0, 0, joints + np.float32(2.0)), EncoderConfig(num_frames=40))
    torch.testing.assert_close(moved, x, atol=1e-5, rtol=0)


def test_frames_without_anybody_are_lost_wherever_they_are() -> None:
    joints = drifting(30)
    gaps = np.insert(joints, [0, 0, 11, 11, 11, 30], 0, axis=0)
    torch.testing.assert_close(prepare(gaps), prepare(joints))


def test_an_absent_person_is_zeros_or_a_copy() -> None:
    joints = drifting()
    assert not prepare(joints)[..., 1].any()
    copied = prepare(joints, EncoderConfig(num_frames=24, absent_person="copy"))
    assert torch.equal(copied[..., 1], copied[..., 0])
    assert copied.any()


def crossing(metres: float) -> np.ndarray:
    """(40, 1, 25, 3): somebody who glides that far at constant speed, along all axes."""
    return drifting(1) + np.linspace(0, metres, 40, dtype=np.float32)[:, None, None, None]


def test_those_who_move_most_are_kept_and_the_absent_dropped() -> None:
    nobody = np.zeros_like(crossing(0))
    crowd = np.concatenate([nobody, crossing(0), crossing(3), crossing(1)], axis=1)
    expected = np.concatenate([crossing(3), crossing(1)], axis=1)
    torch.testing.assert_close(prepare(crowd), prepare(expected))
    torch.testing.assert_close(prepare(np.concatenate([nobody, crossing(0)], axis=1)), prepare(crossing(0)))


def test_unknown_joints_are_filled_over_time() -> None:
    joints = crossing(1)  # at constant speed interpolation is exact
    holes = joints.copy()
    holes[5:9, 0, 3] = np.nan
    holes[20, 0, 10:14] = np.nan
    torch.testing.assert_close(prepare(holes), prepare(joints), atol=1e-5, rtol=0)
    never = joints.copy()
    never[:, 0, 3] = np.nan  # the head, whose one neighbour is the neck
    torch.testing.assert_close(prepare(never)[:, :, :, 3], prepare(never)[:, :, :, 2])


@pytest.mark.parametrize("frames", [1, 2, 3, 500])
def test_any_length_works(frames: int) -> None:
    x = prepare(drifting(frames))
    assert x.shape == (1, 3, 24, 25, 2)
    assert x.isfinite().all()


def test_one_frame_is_held() -> None:
    x = prepare(drifting(1))
    assert torch.equal(x, x[:, :, :1].expand_as(x))


@pytest.mark.parametrize("joints", [np.zeros((10, 25, 3)), np.full((10, 2, 25, 3), np.nan)])
def test_nobody_at_all_is_all_zeros(joints: np.ndarray) -> None:
    with pytest.warns(UserWarning, match="sequence 0: nobody is seen"):
        assert not prepare(joints).any()


def test_units() -> None:
    joints = drifting()
    torch.testing.assert_close(prepare(joints * 1000, units="mm"), prepare(joints), atol=1e-4, rtol=0)


def test_batches_hold_the_same_as_single_sequences() -> None:
    sequences = [drifting(frames, persons, frames) for frames, persons in ((13, 1), (80, 2), (31, 1), (5, 2))]
    batches = list(prepared_batches(sequences, Preparation(CONFIG, NTU), batch_size=3, progress=False))
    assert [len(batch) for batch in batches] == [3, 1]
    torch.testing.assert_close(torch.cat(batches), torch.cat([prepare(joints) for joints in sequences]))


def test_another_number_of_joints_names_the_layouts_that_fit() -> None:
    with pytest.raises(
        LayoutError, match=r"sequence 0: expected the 25 joints of layout 'ntu25', got 17; .*'coco17'"
    ):
        prepare(np.zeros((10, 17, 3)))
    with pytest.raises(LayoutError, match="got 11; register a layout"):
        prepare(np.zeros((10, 11, 3)))
