"""Made-up motions: bodies that could exist, on the ground, in classes one can tell apart, not for free."""

import numpy as np
import pytest

from stars_hub.errors import ConfigError
from stars_hub.skeletons.layouts import get_layout
from stars_hub.skeletons.synthetic import (
    CAMERA_HEIGHT,
    SYNTHETIC_ACTIONS,
    synthetic_dataset,
    synthetic_motion,
)

LAYOUT = get_layout("ntu25")
LEFT_LEG, RIGHT_LEG = (12, 13, 14, 15), (16, 17, 18, 19)
LEFT_ARM, RIGHT_ARM = (4, 5, 6, 7), (8, 9, 10, 11)
SYMMETRIC = (
    "squatting",
    "sitting_down",
    "standing_up",
    "clapping",
    "raising_arms",
    "bowing",
    "jumping_jacks",
)


def bones(joints: np.ndarray) -> np.ndarray:
    """(T, M, 24) lengths."""
    return np.stack(
        [np.linalg.norm(joints[..., c, :] - joints[..., p, :], axis=-1) for c, p in LAYOUT.bones], -1
    )


@pytest.mark.parametrize("action", SYNTHETIC_ACTIONS)
def test_bones_keep_their_length_and_persons_are_of_human_size(action: str) -> None:
    for seed in range(5):
        joints = synthetic_motion(action, seed=seed, noise=0)
        assert joints.shape == (90, 2 if action == "shaking_hands" else 1, 25, 3)
        assert joints.dtype == np.float32
        lengths = bones(joints)
        assert np.abs(lengths - lengths[0]).max() < 1e-5
        assert lengths.min() > 0.02
        assert lengths.max() < 0.55
        arm, leg = np.array(LEFT_ARM), np.array(LEFT_LEG)
        for limb, low, high in ((arm, 0.45, 0.75), (leg, 0.75, 1.1)):
            whole = np.linalg.norm(np.diff(joints[:, :, limb], axis=2), axis=-1).sum(axis=-1)
            assert low < whole.min() <= whole.max() < high
        feet = joints[:, :, [15, 19], 1] + CAMERA_HEIGHT
        assert feet.min() > -0.06, "a foot is under the ground"
        assert 0.5 < joints[:, :, :, 2].min() < joints[:, :, :, 2].max() < 5.5
        speed = np.linalg.norm(np.diff(joints, axis=0), axis=-1) * 30
        assert speed.max() < 15, "no joint of a person is that fast (m/s)"


@pytest.mark.parametrize("action", SYNTHETIC_ACTIONS)
def test_knees_and_elbows_bend_the_way_they_do(action: str) -> None:
    body = synthetic_motion(action, variation=0, noise=0)[:, 0]
    toes = body[0, 15] - body[0, 14] + body[0, 19] - body[0, 18]
    if action != "shaking_hands":
        assert toes[2] < -0.1, "the person faces the camera"
    across = np.cross(toes, [0, 1, 0])  # to the person's right
    across /= np.linalg.norm(across)
    assert (body[0, 8] - body[0, 4]) @ across > 0.3
    for hip, knee, ankle, _ in (LEFT_LEG, RIGHT_LEG):  # a shin is behind the line of its thigh
        thigh, shin = body[:, knee] - body[:, hip], body[:, ankle] - body[:, knee]
        assert (np.cross(thigh, shin) @ across).max() < 1e-3
    if action in ("walking", "marching", "squatting", "sitting_down", "standing_up", "bowing", "drinking"):
        for shoulder, elbow, wrist, _ in (LEFT_ARM, RIGHT_ARM):  # a forearm in front of that of its upper arm
            upper, fore = body[:, elbow] - body[:, shoulder], body[:, wrist] - body[:, elbow]
            assert (np.cross(upper, fore) @ across).min() > -1e-3


def test_walking_stands_on_one_foot_at_least_and_does_not_slide() -> None:
    joints = synthetic_motion("walking", variation=0, noise=0, num_frames=120)[:, 0]
    ankles, toes = joints[:, [14, 18]], joints[:, [15, 19]]
    flat = ankles[..., 1] + CAMERA_HEIGHT < 0.095  # 9 cm above the ground when standing
    on_ground = flat | (toes[..., 1] + CAMERA_HEIGHT < 0.05)
    assert on_ground.any(axis=1).all()
    assert not on_ground.all()
    step = np.linalg.norm(np.diff(ankles[..., [0, 2]], axis=0), axis=-1)
    assert np.quantile(step[flat[1:] & flat[:-1]], 0.9) < 0.004
    assert step.max() > 0.05
    way = joints[-1, 0] - joints[0, 0]
    assert way[2] < -2, "towards the camera, two metres at least in four seconds"
    assert joints[:, [15, 19], 1].min() + CAMERA_HEIGHT == pytest.approx(0.02, abs=0.04)


@pytest.mark.parametrize("action", SYMMETRIC)
def test_symmetric_actions_are_their_own_mirror_image(action: str) -> None:
    joints = synthetic_motion(action, variation=0, noise=0)
    mirrored = joints[:, :, list(LAYOUT.mirror_order)] * np.float32([-1, 1, 1])
    np.testing.assert_allclose(joints, mirrored, atol=1e-5)


def test_one_handed_actions_are_not() -> None:
    for action in set(SYNTHETIC_ACTIONS) - set(SYMMETRIC) - {"jumping"}:
        joints = synthetic_motion(action, variation=0, noise=0)
        mirrored = joints[:, :, list(LAYOUT.mirror_order)] * np.float32([-1, 1, 1])
        assert np.abs(joints - mirrored).max() > 0.1, action


def test_hands_meet_when_shaking_and_clapping_and_reach_the_mouth_when_drinking() -> None:
    for seed in range(10):
        shake = synthetic_motion("shaking_hands", seed=seed, noise=0)
        distance = np.linalg.norm(shake[:, 0][:, [7, 11], None] - shake[:, 1][:, None, [7, 11]], axis=-1)
        assert distance.min() < 0.12
        assert distance[0].min() > 0.2
        clap = synthetic_motion("clapping", seed=seed, noise=0)[:, 0]
        assert np.linalg.norm(clap[:, 7] - clap[:, 11], axis=-1).min() < 0.25
        drink = synthetic_motion("drinking", seed=seed, noise=0)[:, 0]
        hands = np.linalg.norm(drink[:, [7, 11]] - drink[:, None, 3], axis=-1)
        assert 0.05 < hands.min() < 0.3


def test_seed_decides_everything_and_subject_the_body() -> None:
    first = synthetic_motion("throwing", seed=5, subject=2)
    np.testing.assert_array_equal(first, synthetic_motion("throwing", seed=5, subject=2))
    other = synthetic_motion("throwing", seed=6, subject=2)
    assert np.abs(first - other).max() > 0.05
    clean = [synthetic_motion("throwing", seed=seed, subject=2, noise=0) for seed in (5, 6)]
    np.testing.assert_allclose(bones(clean[0])[0], bones(clean[1])[0], atol=1e-5)
    heights = {
        round(float(bones(synthetic_motion("bowing", subject=s, noise=0))[0].sum()), 5) for s in range(8)
    }
    assert len(heights) == 8


def test_noise_has_its_size() -> None:
    noisy, clean = (synthetic_motion("waving", seed=1, noise=noise) for noise in (0.01, 0.0))
    assert (noisy - clean).std() == pytest.approx(0.01, rel=0.05)


def test_a_data_set_has_labels_subjects_and_names() -> None:
    made = synthetic_dataset(4, actions=("waving", "bowing"), num_subjects=3, num_frames=(20, 30), seed=9)
    assert [sequence.label for sequence in made] == [0] * 4 + [1] * 4
    assert [sequence.subject for sequence in made] == [0, 1, 2, 0] * 2
    assert len({sequence.name for sequence in made}) == 8
    assert all("synthetic" in sequence.name for sequence in made)
    assert all(20 <= len(sequence.joints) <= 30 for sequence in made)
    again = synthetic_dataset(4, actions=("waving", "bowing"), num_subjects=3, num_frames=(20, 30), seed=9)
    for sequence, same in zip(made, again, strict=True):
        np.testing.assert_array_equal(sequence.joints, same.joints)
    one, two = made[0].joints, made[3].joints  # the same person twice
    assert np.median(bones(one), axis=0) == pytest.approx(np.median(bones(two), axis=0), abs=0.01)


def nearest_neighbour_accuracy(num_per_class: int) -> float:
    """1-NN on raw joints of 24 frames, the first person, placed at the origin; half of the subjects each."""
    made = synthetic_dataset(num_per_class, seed=1)
    rows, labels = [], np.array([sequence.label for sequence in made])
    for sequence in made:
        frames = np.linspace(0, len(sequence.joints) - 1, 24).round().astype(int)
        body = sequence.joints[frames, 0]
        rows.append((body - body[0, 1]).ravel())
    x, train = np.array(rows), np.array([sequence.subject % 2 == 0 for sequence in made])
    distances = ((x[~train, None] - x[None, train]) ** 2).sum(axis=-1)
    return float((labels[train][distances.argmin(axis=1)] == labels[~train]).mean())


def test_classes_can_be_told_apart_but_not_for_free() -> None:
    assert 0.4 < nearest_neighbour_accuracy(10) < 0.97  # chance is 1 / 16


def test_bad_arguments_say_so() -> None:
    with pytest.raises(ConfigError, match="unknown action 'flying': expected one of walking"):
        synthetic_motion("flying")
    for arguments in ({"num_frames": 0}, {"fps": 0.0}, {"variation": -1.0}, {"noise": -0.1}):
        with pytest.raises(ConfigError, match="got"):
            synthetic_motion("waving", **arguments)
    for arguments in ({"num_per_class": 0}, {"num_per_class": 1, "num_frames": (9, 5)}):
        with pytest.raises(ConfigError, match="at least one"):
            synthetic_dataset(**arguments)
    assert synthetic_motion("walking", num_frames=1).shape == (1, 1, 25, 3)
