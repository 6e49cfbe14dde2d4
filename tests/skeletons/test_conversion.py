"""Conversion goes by name and by rules that move with the person; real people keep their size."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stars_hub.errors import LayoutError
from stars_hub.skeletons.conversion import convert_layout, nearest_joints
from stars_hub.skeletons.joint_rules import RULES, combination
from stars_hub.skeletons.layouts import SkeletonLayout, get_layout
from tests.skeletons.random_people import NAMES, at, person

RECORDINGS = {"uiprmd": "uiprmd22", "utd_mhad": "utd20", "irds_sample": "ntu25"}
# The frame of ntu25, so that nothing turns where a test is about joints alone.
SAME_AXES = {"up_axis": "y", "front_axis": "-z"}


@pytest.mark.parametrize("name", NAMES)
def test_every_layout_reaches_ntu25_with_no_joint_unknown(name: str) -> None:
    joints = person(name, shape=(3, 2))
    converted = convert_layout(joints, name, "ntu25", **SAME_AXES)
    assert converted.shape == (3, 2, 25, 3)
    assert converted.dtype == np.float32
    assert np.isfinite(converted).all()
    for joint in set(get_layout(name).joint_names) & set(get_layout("ntu25").joint_names):
        np.testing.assert_array_equal(at(converted, "ntu25", joint), at(joints, name, joint))


@pytest.mark.parametrize("name", NAMES)
def test_flat_layouts_reach_ntu25_too(name: str) -> None:
    with pytest.warns(UserWarning, match="2D joints"):
        converted = convert_layout(100 * person(name)[..., :2], name, "ntu25", units="pixels")
    assert np.isfinite(converted).all()
    assert not converted[..., 2].any()


@pytest.mark.parametrize("name", NAMES)
def test_same_layout_is_the_identity(name: str) -> None:
    joints = person(name)
    converted = convert_layout(joints, name, name)
    np.testing.assert_array_equal(converted, joints)
    assert not np.shares_memory(converted, joints)


def test_rules_by_hand() -> None:
    joints = person("coco17")
    converted = convert_layout(joints, "coco17", "ntu25", **SAME_AXES)
    hips = (at(joints, "coco17", "left_hip") + at(joints, "coco17", "right_hip")) / 2
    shoulders = (at(joints, "coco17", "left_shoulder") + at(joints, "coco17", "right_shoulder")) / 2
    head = (at(joints, "coco17", "left_ear") + at(joints, "coco17", "right_ear")) / 2
    wrist, elbow = at(joints, "coco17", "left_wrist"), at(joints, "coco17", "left_elbow")
    hand = wrist + 0.25 * (wrist - elbow)
    expected = {
        "pelvis": hips,
        "shoulder_center": shoulders,
        "spine_middle": 0.42 * hips + 0.58 * shoulders,
        "head": head,
        "neck": (2 * shoulders + head) / 3,
        "left_hand": hand,
        "left_hand_tip": hand + 0.86 * (hand - wrist),
        "left_thumb": hand,
    }
    for joint, place in expected.items():
        np.testing.assert_allclose(at(converted, "ntu25", joint), place, atol=1e-6, err_msg=joint)


def test_rules_keep_their_weight_and_their_sides() -> None:
    for rule in RULES:
        assert sum(rule.weights.values()) == pytest.approx(1.0)
        sides = {name.split("_")[0] for name in rule.weights} & {"left", "right"}
        assert len(sides) != 1 or rule.joint.startswith(next(iter(sides)))
    assert combination("nose", frozenset(get_layout("ntu25").joint_names)) is None


@pytest.mark.parametrize("target", ["coco17", "h36m17", "mediapipe33"])
def test_a_face_is_not_invented(target: str) -> None:
    converted = convert_layout(person("ntu25"), "ntu25", target)
    unknown = {get_layout(target).joint_names[v] for v in np.flatnonzero(np.isnan(converted).any((0, 2)))}
    invented = ("nose", "eye", "ear", "mouth", "heel", "toe")
    assert unknown == {
        name for name in get_layout(target).joint_names if any(part in name for part in invented)
    }


@settings(max_examples=60, deadline=None)
@given(
    source=st.sampled_from(NAMES),
    target=st.sampled_from(NAMES),
    angles=st.tuples(*[st.floats(-3, 3)] * 3),
    move=st.tuples(*[st.floats(-5, 5)] * 3),
    scale=st.floats(0.8, 1.3),
)
def test_conversion_moves_turns_and_grows_with_the_person(
    source: str, target: str, angles: tuple[float, ...], move: tuple[float, ...], scale: float
) -> None:
    (a, b, c), shift = angles, np.array(move)
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    turn = turn @ np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    turn = turn @ np.array([[1, 0, 0], [0, np.cos(c), -np.sin(c)], [0, np.sin(c), np.cos(c)]])
    same = {"up_axis": get_layout(target).up_axis, "front_axis": get_layout(target).front_axis}
    joints = person(source)
    moved = convert_layout(scale * joints @ turn.T + shift, source, target, **same)
    expected = scale * convert_layout(joints, source, target, **same) @ turn.T + shift
    np.testing.assert_allclose(moved, expected, atol=2e-5)


@settings(max_examples=40, deadline=None)
@given(source=st.sampled_from(NAMES), target=st.sampled_from(NAMES), seed=st.integers(0, 99))
def test_mirroring_and_conversion_commute(source: str, target: str, seed: int) -> None:
    def mirrored(joints: np.ndarray, layout: str) -> np.ndarray:
        return joints[..., get_layout(layout).mirror_order, :] * np.float32([-1, 1, 1])

    joints = person(source, seed)
    np.testing.assert_allclose(
        convert_layout(mirrored(joints, source), source, target),
        mirrored(convert_layout(joints, source, target), target),
        atol=1e-6,
    )


def test_an_unknown_joint_makes_unknown_only_what_is_made_of_it() -> None:
    joints = person("utd20")
    joints[:, get_layout("utd20").joint_names.index("left_hand")] = np.nan
    converted = convert_layout(joints, "utd20", "ntu25")
    unknown = {get_layout("ntu25").joint_names[v] for v in np.flatnonzero(np.isnan(converted).any((0, 2)))}
    assert unknown == {"left_hand", "left_hand_tip", "left_thumb"}


@pytest.mark.parametrize("target", ["ntu25", "coco17", "smpl24"])
def test_an_absent_person_stays_absent(target: str) -> None:
    joints = person("utd20", shape=(4, 2))
    joints[1:3, 1] = 0
    converted = convert_layout(joints, "utd20", target, up_axis="z")
    absent = ~np.any(converted != 0, axis=(-2, -1))
    assert absent.tolist() == [[False, False], [False, True], [False, True], [False, False]]
    assert not np.signbit(converted[1:3, 1]).any()


def test_own_layout_converts_by_name() -> None:
    names = ("tail", "left_hip", "right_hip")
    own = SkeletonLayout("own", names, (-1, 0, 0), ((1, 2),), root=0, spine_middle=0)
    joints = np.arange(9, dtype=np.float32).reshape(1, 3, 3)
    converted = convert_layout(joints, own, "ntu25")
    np.testing.assert_array_equal(at(converted, "ntu25", "pelvis"), [[4.5, 5.5, 6.5]])
    assert np.isnan(at(converted, "ntu25", "head")).all()


def test_foreign_names_are_an_error_that_lists_them() -> None:
    own = SkeletonLayout("own", ("tail", "wing"), (-1, 0), (), root=0, spine_middle=0)
    with pytest.raises(LayoutError, match=r"'tail', 'wing'"):
        convert_layout(np.zeros((1, 2, 3)), own, "ntu25")
    with pytest.raises(LayoutError, match="share no joint name"):
        nearest_joints(own, "ntu25")


@pytest.mark.parametrize(
    "joints",
    [
        np.zeros((4, 24, 3)),
        np.zeros(25),
        np.zeros((4, 25, 4)),
        np.zeros((4, 25, 1)),
        [["a"]],
        [[1], [1, 2]],
        None,
    ],
)
def test_joints_that_do_not_fit_are_an_error(joints: object) -> None:
    with pytest.raises(LayoutError):
        convert_layout(joints, "ntu25", "utd20")


def test_nearest_joints() -> None:
    source, target = get_layout("coco17"), get_layout("ntu25")
    places = nearest_joints(source, target)
    found = {name: source.joint_names[place] for name, place in zip(target.joint_names, places, strict=True)}
    assert found["left_knee"] == "left_knee"
    assert found["left_hand"] == found["left_thumb"] == found["left_hand_tip"] == "left_wrist"
    assert found["right_foot"] == "right_ankle"
    assert found["pelvis"] == "left_hip"
    for name in NAMES:
        assert nearest_joints(name, name) == list(range(get_layout(name).num_joints))


def mean_bones(joints: np.ndarray) -> dict[str, float]:
    layout = get_layout("ntu25")
    return {
        layout.joint_names[child]: float(np.linalg.norm(joints[:, child] - joints[:, parent], axis=-1).mean())
        for child, parent in layout.bones
    }


@pytest.mark.parametrize("file", RECORDINGS)
def test_real_people_keep_their_proportions(file: str, recordings_dir: Path) -> None:
    with np.load(recordings_dir / f"{file}.npz", allow_pickle=False) as data:
        joints = convert_layout(data["joints"][::20], RECORDINGS[file], "ntu25")
    bones = mean_bones(joints)
    ranges = {"neck": (0.05, 0.1), "head": (0.11, 0.17), "knee": (0.33, 0.48), "ankle": (0.3, 0.4)}
    ranges |= {"shoulder": (0.15, 0.2), "elbow": (0.22, 0.28), "wrist": (0.21, 0.26), "hand": (0.05, 0.08)}
    ranges |= {"hip": (0.07, 0.12), "foot": (0.07, 0.13), "hand_tip": (0.03, 0.09)}
    for part, (low, high) in ranges.items():
        for side in ("",) if part in ("neck", "head") else ("left_", "right_"):
            assert low < bones[side + part] < high, (side + part, bones[side + part])
    torso = np.linalg.norm(at(joints, "ntu25", "shoulder_center") - at(joints, "ntu25", "pelvis"), axis=-1)
    assert 0.4 < np.median(torso) < 0.55
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "foot"):
        assert bones[f"left_{part}"] == pytest.approx(bones[f"right_{part}"], rel=0.1)


@pytest.mark.parametrize("file", RECORDINGS)
def test_real_people_face_the_camera_with_left_at_minus_x(file: str, recordings_dir: Path) -> None:
    with np.load(recordings_dir / f"{file}.npz", allow_pickle=False) as data:
        joints = convert_layout(data["joints"][::20], RECORDINGS[file], "ntu25")
    feet = [at(joints, "ntu25", f"{s}_foot") - at(joints, "ntu25", f"{s}_ankle") for s in ("left", "right")]
    across = at(joints, "ntu25", "left_shoulder") - at(joints, "ntu25", "right_shoulder")
    assert np.mean(feet[0][:, 2] + feet[1][:, 2] < 0) > 0.95
    assert np.mean(across[:, 0] < 0) > 0.98
    assert np.mean(at(joints, "ntu25", "head")[:, 1] > at(joints, "ntu25", "pelvis")[:, 1]) > 0.98


@pytest.mark.parametrize(("file", "layout"), [("uiprmd", "uiprmd22"), ("utd_mhad", "utd20")])
def test_layouts_are_those_of_the_recordings(file: str, layout: str, recordings_dir: Path) -> None:
    content = json.loads((recordings_dir / f"{file}.json").read_text())
    assert list(get_layout(layout).parents) == content["parents"]
