import math

import pytest
import torch

from stars_hub.objectives.masking import count_visible, masking_scores, motion_intensity, split_tokens
from stars_hub.objectives.motion import motion, normalize_patches, target_patches


def test_intensity_is_the_mean_change_and_the_first_patch_takes_the_second() -> None:
    patches = torch.tensor([0.0, 2.0, -1.0]).view(1, 3, 1, 1).expand(1, 3, 2, 4)
    assert motion_intensity(patches).tolist() == [[2.0, 2.0, 2.0, 2.0, 3.0, 3.0]]
    assert motion_intensity(patches[:, :1]).tolist() == [[0.0, 0.0]]


def test_scores_follow_the_formula() -> None:
    intensity, noise, tau = [0.0, 1.0, 4.0], [0.5, 0.25, 0.9], 0.8
    weights = [math.exp(i / (4 * tau)) for i in intensity]
    expected = [
        math.log(w / sum(weights)) - math.log(-math.log(u)) for w, u in zip(weights, noise, strict=True)
    ]
    double = {"dtype": torch.float64}
    ours = masking_scores(torch.tensor([intensity], **double), torch.tensor([noise], **double), tau=tau)
    torch.testing.assert_close(ours[0], torch.tensor(expected, **double), atol=1e-8, rtol=0)


def test_moving_tokens_are_masked_more_often_and_tau_zero_is_plain_noise() -> None:
    torch.manual_seed(0)
    intensity = torch.tensor([[0.0] * 5 + [1.0] * 5]).expand(4000, 10)
    noise = torch.rand(4000, 10)
    share = [
        split_tokens(masking_scores(intensity, noise, tau=tau), num_visible=3)[1].mean(0).view(2, 5).mean(1)
        for tau in (0.3, 0.8)
    ]
    assert share[0][1] - share[0][0] > share[1][1] - share[1][0] > 0.1
    assert masking_scores(intensity, noise, tau=0) is noise


def test_the_lowest_scores_stay_visible() -> None:
    ids_keep, mask = split_tokens(torch.tensor([[0.3, 0.1, 0.2, 0.1]]), num_visible=2)
    assert ids_keep.tolist() == [[1, 3]]
    assert mask.tolist() == [[1.0, 0.0, 1.0, 0.0]]


def test_noise_of_zero_is_finite() -> None:
    assert masking_scores(torch.ones(1, 2), torch.zeros(1, 2), tau=0.8).isfinite().all()


def test_count_of_visible_tokens_is_the_authors() -> None:
    assert count_visible(750, 0.9) == 74
    assert count_visible(150, 0.9) == 14


@pytest.mark.parametrize(("stride", "expected"), [(1, [1.0, 3.0, 5.0, 0.0]), (3, [9.0, 0.0, 0.0, 0.0])])
def test_motion_looks_ahead_and_ends_in_zeros(stride: int, expected: list[float]) -> None:
    rows = torch.tensor([0.0, 1.0, 4.0, 9.0]).view(1, 1, 4, 1)
    assert motion(rows, stride=stride).flatten().tolist() == expected


def test_target_patches_are_frame_joint_coordinate() -> None:
    rows = torch.arange(3 * 4 * 4).view(1, 3, 4, 4).float()  # value = 16 c + 4 t + v
    patches = target_patches(rows, frame_patch_size=2, joint_patch_size=2)
    assert patches.shape == (1, 4, 12)
    assert patches[0, 1].tolist() == [16 * c + 4 * t + v for t in (0, 1) for v in (2, 3) for c in (0, 1, 2)]


def test_patches_are_normalised_with_the_unbiased_variance() -> None:
    patches = torch.tensor([[[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]]]).double()
    scale = 1 / math.sqrt(1 + 1e-6)
    expected = torch.tensor([[[-scale, 0.0, scale], [0.0, 0.0, 0.0]]]).double()
    torch.testing.assert_close(normalize_patches(patches), expected)
