"""Cleaning: hand-worked gaps, persons, identities and frame rates, and properties over random recordings."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stars_hub.errors import SequenceError
from stars_hub.skeletons.cleaning import (
    bridge_identities,
    center_sequence,
    clean,
    fill_gaps,
    limit_persons,
    present,
    remove_empty_frames,
    resample_fps,
)
from stars_hub.skeletons.layouts import get_layout

NAN = np.nan
CHAIN = (-1, 0, 1, 2)  # a chain of four joints


def track(*values: float) -> np.ndarray:
    """One person with one joint at (value, 1, 0): (T, 1, 1, 3)."""
    joints = np.array([[value, 1.0, 0.0] for value in values], dtype=np.float32)
    return joints[:, None, None]


def walkers(frames: int = 20) -> np.ndarray:
    """Two persons of 25 joints two metres apart who move slowly, (T, 2, 25, 3)."""
    rng = np.random.default_rng(0)
    bodies = rng.normal(0, 0.3, (1, 2, 25, 3)) + np.array([[-1.0, 0, 3], [1.0, 0, 3]])[None, :, None]
    return (bodies + 0.02 * np.arange(frames)[:, None, None, None]).astype(np.float32)


def test_gaps_are_interpolated_over_time_and_their_ends_held() -> None:
    joints = np.concatenate([track(NAN, 1, NAN, NAN, 4, NAN), track(9, 9, 9, 9, 9, 9)], axis=2)
    filled = fill_gaps(joints, (-1, 0))
    np.testing.assert_allclose(filled[:, 0, 0, 0], [1, 1, 2, 3, 4, 4], rtol=1e-6)
    assert (filled[:, 0, 1] == joints[:, 0, 1]).all()
    assert np.isnan(joints).any(), "the argument was changed"


def test_one_unknown_coordinate_makes_the_joint_unknown() -> None:
    joints = track(1, 2, 3)
    joints[1, 0, 0] = [2.5, NAN, 0]
    np.testing.assert_allclose(fill_gaps(joints, (-1,))[1, 0, 0], [2, 1, 0])


def test_frames_without_the_person_neither_get_nor_give_values() -> None:
    joints = np.concatenate([track(1, 2, 3, NAN, 5), track(1, 1, 1, 1, 1)], axis=2)
    joints[2] = 0  # away in frame 2: frame 3 lies between frames 1 and 4 in time
    filled = fill_gaps(joints, (-1, 0))
    assert (filled[2] == 0).all()
    assert filled[3, 0, 0, 0] == pytest.approx(2 + 2 / 3 * 3)


def test_an_absent_person_with_joints_that_a_layout_lacks_stays_absent() -> None:
    joints = np.concatenate([track(1, 0, 3), track(NAN, NAN, NAN)], axis=2)
    joints[1, 0, 0] = 0
    assert fill_gaps(joints, (-1, 0))[..., 0].tolist() == [[[1, 1]], [[0, 0]], [[3, 3]]]


def test_outside_a_persons_presence_there_are_zeros() -> None:
    joints = track(NAN, 0, 2, NAN, 4, NAN, NAN)
    joints[1] = 0
    assert fill_gaps(joints, (-1,))[:, 0, 0, 0].tolist() == [0, 0, 2, 3, 4, 0, 0]
    nobody = np.full((3, 2, 1, 3), NAN, dtype=np.float32)
    assert (fill_gaps(nobody, (-1,)) == 0).all()


def test_a_joint_never_known_takes_the_mean_of_the_nearest_bones() -> None:
    joints = np.zeros((2, 1, 4, 3), dtype=np.float32)
    joints[:, 0, :, 0] = [[0, 10, 20, 30], [1, 11, 21, 31]]
    middle = joints.copy()
    middle[:, :, 1] = NAN  # between joints 0 and 2
    assert fill_gaps(middle, CHAIN)[:, 0, 1, 0].tolist() == [10, 11]
    tail = joints.copy()
    tail[:, :, 2:] = NAN  # joint 1 is the nearest for both
    assert fill_gaps(tail, CHAIN)[:, 0, :, 0].tolist() == [[0, 10, 10, 10], [1, 11, 11, 11]]
    head = joints.copy()
    head[:, :, :2] = NAN
    head[0, :, 3] = NAN  # known at another time: first over time, then over the bones
    assert fill_gaps(head, CHAIN)[:, 0, :, 0].tolist() == [[20, 20, 20, 31], [21, 21, 21, 31]]


@settings(max_examples=60)
@given(st.integers(0, 2**31), st.integers(1, 12), st.integers(1, 3), st.floats(0, 1))
def test_filling_leaves_no_nan_keeps_the_known_and_stays_within_their_range(
    seed: int, frames: int, persons: int, share: float
) -> None:
    rng = np.random.default_rng(seed)
    joints = rng.uniform(1, 2, (frames, persons, 25, 3)).astype(np.float32)
    joints[rng.random((frames, persons)) < 0.2] = 0
    joints[rng.random((frames, persons, 25)) < share] = NAN
    before = joints.copy()
    filled = fill_gaps(joints, get_layout("ntu25").parents)
    np.testing.assert_array_equal(joints, before)
    known = ~np.isnan(joints).any(axis=3)
    assert (filled[known] == joints[known]).all()
    assert not np.isnan(filled).any()
    values = filled[filled != 0]
    assert ((values >= 1 - 1e-6) & (values <= 2 + 1e-6)).all()
    for person in range(persons):  # presence neither grows nor gets holes
        seen = np.flatnonzero(present(joints)[:, person])
        there = np.flatnonzero(present(filled)[:, person])
        if len(seen):
            assert (there[0], there[-1]) == (seen[0], seen[-1])
        else:
            assert len(there) == 0


def test_nothing_to_do_costs_no_copy() -> None:
    joints = walkers()
    assert fill_gaps(joints, get_layout("ntu25").parents) is joints
    assert remove_empty_frames(joints) is joints
    assert bridge_identities(joints) is joints
    assert limit_persons(joints, 2) is joints
    assert resample_fps(joints, 30) is joints
    assert clean(joints, layout="ntu25")[0] is joints


def test_empty_frames_go_wherever_they_are() -> None:
    joints = np.concatenate([track(0, 1, 0, 2, 0), track(0, 0, 0, 3, 0)], axis=1)
    joints[[0, 2, 4]] = 0
    joints[2, 0] = NAN  # an unknown person is nobody
    joints[[0, 1, 2, 4], 1] = 0
    assert remove_empty_frames(joints)[:, :, 0, 0].tolist() == [[1, 0], [2, 3]]


@pytest.mark.parametrize("value", [0.0, NAN])
def test_an_empty_recording_keeps_one_frame_of_zeros(value: float) -> None:
    joints = np.full((7, 2, 25, 3), value, dtype=np.float32)
    assert remove_empty_frames(joints).shape == (1, 2, 25, 3)
    cleaned, report = clean(joints, layout="ntu25", centered=True)
    assert cleaned.shape == (1, 2, 25, 3)
    assert (cleaned == 0).all()
    assert (report.frames_after, report.empty_frames, report.joints_filled) == (1, 6, 0)


def test_centering_uses_the_first_frame_of_person_1_and_keeps_absence() -> None:
    joints = walkers(6)
    joints[:2, 0] = 0
    joints[3:, 1] = 0
    found = center_sequence(joints, 1)
    origin = joints[2, 0, 1]
    assert (found[2, 0, 1] == 0).all()
    np.testing.assert_allclose(found[4, 0], joints[4, 0] - origin)
    np.testing.assert_allclose(found[1, 1], joints[1, 1] - origin)
    assert (found[:2, 0] == 0).all()
    assert (found[3:, 1] == 0).all()
    nobody = np.zeros_like(joints)
    assert center_sequence(nobody, 1) is nobody


def test_switched_identities_come_back() -> None:
    joints = walkers()
    switched = joints.copy()
    switched[7:12] = switched[7:12, ::-1]
    switched[15:] = switched[15:, ::-1]
    np.testing.assert_array_equal(bridge_identities(switched), joints)
    cleaned, report = clean(switched, layout="ntu25")
    np.testing.assert_array_equal(cleaned, joints)
    assert report.switches_bridged == 3
    assert clean(switched, layout="ntu25", bridge=False)[1].switches_bridged == 0


def test_a_person_who_slips_into_a_free_slot_comes_back_and_a_newcomer_does_not() -> None:
    joints = walkers()
    joints[10:, 1] = 0  # person 2 leaves,
    moved = joints.copy()
    moved[12:] = moved[12:, ::-1]  # and then person 1 is found in slot 2
    np.testing.assert_array_equal(bridge_identities(moved), joints)
    newcomer = walkers()
    newcomer[10:, 0] = 0
    newcomer[:12, 1] = 0  # person 1 is gone when somebody two metres away appears
    assert bridge_identities(newcomer) is newcomer


def test_identities_survive_unknown_joints_and_three_persons() -> None:
    rng = np.random.default_rng(1)
    joints = np.concatenate([walkers(), walkers()[:, :1] + np.float32([0, 0, 2])], axis=1)
    joints[rng.random(joints.shape[:3]) < 0.3] = NAN
    switched = joints.copy()
    switched[5:] = switched[5:, [2, 0, 1]]
    np.testing.assert_array_equal(bridge_identities(switched), joints)


def test_frame_rates() -> None:
    ramp = track(*range(1, 61))
    half = resample_fps(ramp, 60.0)
    np.testing.assert_allclose(half[:, 0, 0, 0], np.arange(1, 61, 2))
    double = resample_fps(ramp[:3], 15.0)
    np.testing.assert_allclose(double[:, 0, 0, 0], [1, 1.5, 2, 2.5, 3, 3])
    assert len(resample_fps(ramp[:1], 120.0)) == 1
    for fps in (0.0, -30.0, NAN, np.inf):
        with pytest.raises(SequenceError, match="positive"):
            resample_fps(ramp, fps)


def test_frame_rates_do_not_mix_persons_with_their_absence() -> None:
    joints = track(1, 2, 3, 4)
    joints[1] = 0
    joints[3, 0, 0, 1] = NAN
    found = resample_fps(joints, 15.0)[:, 0, 0]
    assert found[:3, 0].tolist() == [1, 0, 0]  # half-way between 1 and nobody: the later frame, as it is
    assert found[3:5, 0].tolist() == [3, 3]
    assert np.isnan(found[5:, 1]).all()


def test_clean_reports_what_it_did() -> None:
    joints = np.concatenate([walkers(40), np.tile(walkers(1)[:, :1] + np.float32(3), (40, 1, 1, 1))], axis=1)
    joints[:4] = 0
    joints[10:12, 0, 3] = NAN
    cleaned, report = clean(joints, layout="ntu25", fps=60.0, centered=True)
    assert cleaned.shape == (18, 2, 25, 3)
    assert (cleaned[0, 0, 1] == 0).all()
    assert (report.frames_before, report.frames_after, report.empty_frames) == (40, 18, 2)
    assert (report.joints_filled, report.persons_dropped, report.fps) == (2, 1, 60.0)
    assert report.changed
    single, report = clean(walkers()[:, 0], layout="ntu25")
    assert single.shape == (20, 1, 25, 3)
    assert not report.changed


@settings(max_examples=60)
@given(
    st.integers(0, 2**31),
    st.integers(1, 30),
    st.integers(1, 4),
    st.integers(1, 3),
    st.sampled_from([None, 7.5, 30.0, 59.94, 240.0]),
    st.floats(0, 1),
)
def test_clean_recordings_are_clean_and_stay_as_they_are(
    seed: int, frames: int, persons: int, num_persons: int, fps: float | None, share: float
) -> None:
    rng = np.random.default_rng(seed)
    joints = rng.normal(0, 1, (frames, persons, 25, 3)).astype(np.float32)
    unknown = rng.random((frames, persons, 25)) < share
    # One joint is no body: all others would take its place, and all would be 0 once centred.
    unknown[unknown.sum(axis=2) == 24] = True
    joints[unknown] = NAN
    joints[rng.random((frames, persons)) < 0.3] = 0
    before = joints.copy()
    cleaned, report = clean(joints, layout="ntu25", num_persons=num_persons, fps=fps, centered=True)
    np.testing.assert_array_equal(joints, before)
    assert cleaned.dtype == np.float32
    assert cleaned.shape[1:] == (min(persons, num_persons), 25, 3)
    assert not np.isnan(cleaned).any()
    assert present(cleaned).any(axis=1).all() or len(cleaned) == 1
    assert (report.frames_before, report.frames_after) == (frames, len(cleaned))
    again, report = clean(cleaned, layout="ntu25", num_persons=num_persons, bridge=False, centered=True)
    np.testing.assert_allclose(again, cleaned, atol=1e-6)
    assert not report.changed or len(cleaned) == 1


def test_bad_recordings_say_where() -> None:
    joints = walkers()
    joints[3, 1, 4, 2] = -np.inf
    with pytest.raises(SequenceError, match="joint 4 of person 1 is infinite in frame 3"):
        clean(joints, layout="ntu25")
    with pytest.raises(SequenceError, match="joint 4 of person 1 is infinite in frame 3"):
        fill_gaps(joints, get_layout("ntu25").parents)
    with pytest.raises(SequenceError, match=r"\(T, M, V, 3\)"):
        clean(np.zeros((4, 25)), layout="ntu25")
    with pytest.raises(SequenceError, match=r"\(T, M, V, 3\)"):
        clean(np.zeros((0, 25, 3)), layout="ntu25")
    with pytest.raises(SequenceError, match="25 joints, the recording 20"):
        clean(np.zeros((4, 20, 3)), layout="ntu25")
    with pytest.raises(SequenceError, match="4 parents"):
        fill_gaps(walkers(), CHAIN)
    with pytest.raises(SequenceError, match="at least one person"):
        limit_persons(walkers(), 0)
