"""Recordings as they are shown: axes, sizes, rounding."""

import base64

import numpy as np
import pytest

from stars_hub.errors import LayoutError
from stars_hub.evaluation.embedding import PAPER_CLASSES, choose_samples, embed
from stars_hub.evaluation.motions import MAX_FRAMES, pack, to_view
from stars_hub.evaluation.report_motions import draw_samples
from stars_hub.skeletons import convert_layout, get_layout, layout_names
from stars_hub.skeletons.synthetic import synthetic_motion


@pytest.mark.parametrize("name", layout_names())
def test_every_layout_is_seen_upright_and_from_the_front(name: str) -> None:
    joints = synthetic_motion("walking", num_frames=4, variation=0.0, noise=0.0)
    layout = get_layout(name)
    shown = to_view(convert_layout(joints, "ntu25", layout), layout)[0, 0]
    place = {joint: shown[index] for index, joint in enumerate(layout.joint_names)}
    left, right = place["left_shoulder"], place["right_shoulder"]
    assert left[0] > right[0] + 0.1  # who faces us has the left side at our right
    assert place["left_shoulder"][1] > place["left_knee"][1] + 0.5


def test_absent_persons_are_not_shown() -> None:
    joints = np.repeat(synthetic_motion("walking", num_frames=5), 2, axis=1)
    joints[1:3, 1] = 0
    shown = np.isfinite(to_view(joints, "ntu25")).all(axis=(2, 3))
    assert shown.tolist() == [[True, True], [True, False], [True, False], [True, True], [True, True]]
    with pytest.raises(LayoutError, match=r"expected joints \(T, M, 25, 3\)"):
        to_view(joints[:, :, :20], "ntu25")


def test_packing_rounds_by_less_than_a_millimetre() -> None:
    points = to_view(synthetic_motion("shaking_hands", num_frames=60), "ntu25")
    points[5, 1, 3] = np.nan
    packed = pack(points, fps=30.0)
    frames, persons, joints = packed["shape"]
    assert (frames, persons, joints, packed["fps"]) == (30, 2, 25, 15.0)
    steps = np.frombuffer(base64.b64decode(packed["data"]), dtype="<i2").reshape(frames, persons, joints, 3)
    np.testing.assert_array_equal(steps == -32768, np.isnan(points[::2]))
    expected = points[::2] - np.nanmean(points[::2], axis=(0, 1, 2))
    unpacked = np.where(steps == -32768, np.nan, steps * packed["unit"])
    unpacked -= np.nanmean(unpacked, axis=(0, 1, 2))
    np.testing.assert_allclose(unpacked, expected, atol=1e-3)


def test_long_recordings_keep_their_length_in_seconds() -> None:
    packed = pack(np.random.default_rng(0).normal(size=(1000, 1, 5, 3)), fps=30.0)
    assert packed["shape"][0] <= MAX_FRAMES
    assert packed["shape"][0] / packed["fps"] == pytest.approx(1000 / 30, rel=0.02)


def test_a_recording_of_nobody_is_empty() -> None:
    packed = pack(to_view(np.zeros((3, 1, 25, 3)), "ntu25"), fps=30.0)
    assert set(np.frombuffer(base64.b64decode(packed["data"]), dtype="<i2")) == {-32768}


def test_samples_are_of_as_many_classes_as_can_be() -> None:
    labels = np.array([0] * 50 + [1] * 2 + [2])
    assert sorted(labels[draw_samples(labels, count=3, seed=1)]) == [0, 1, 2]
    assert sorted(labels[draw_samples(labels, count=7, seed=1)]) == [0, 0, 0, 0, 1, 1, 2]
    assert len(set(draw_samples(labels, count=99, seed=1))) == 53


def test_the_first_samples_of_the_papers_classes() -> None:
    labels = np.tile(np.arange(60), 120)
    chosen = choose_samples(labels)
    assert np.unique(labels[chosen]).tolist() == list(PAPER_CLASSES)
    assert chosen[:100].tolist() == [1 + 60 * repeat for repeat in range(100)]
    labels = np.tile(np.arange(40), 3)
    assert len(np.unique(labels[choose_samples(labels)])) == 15


def test_pca_is_that_of_scikit_learn() -> None:
    sklearn = pytest.importorskip("sklearn.decomposition")
    features = np.random.default_rng(0).normal(size=(40, 6)) * [5, 3, 1, 1, 1, 1]
    expected = sklearn.PCA(2).fit_transform(features)
    found = embed(features, method="pca")
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-4)
