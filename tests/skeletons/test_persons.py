"""Which persons of a recording are kept, and in which order."""

import numpy as np

from stars_hub.skeletons.cleaning import limit_persons, person_order


def test_those_who_move_most_stay_in_order_of_motion() -> None:
    rng = np.random.default_rng(0)
    still, lively, swaying, late = (
        rng.normal(0, 1, (4, 30, 25, 3)) * np.array([0.1, 3, 1, 2])[:, None, None, None]
    )
    late[:28] = 0  # two frames only: the frames without a person do not count
    joints = np.stack([still, lively, swaying, late], axis=1)
    found = limit_persons(joints, 3)
    for person, expected in enumerate((lively, late, swaying)):
        assert (found[:, person] == expected).all()
    motion = [
        body[body.any(axis=(1, 2))].reshape(-1, 3).var(axis=0).sum()
        for body in (still, lively, swaying, late)
    ]
    assert np.argsort(motion)[::-1][:3].tolist() == [1, 3, 2]
    assert person_order(joints, 3).tolist() == [1, 3, 2]


def test_who_is_never_there_comes_last_and_else_all_stay_in_order() -> None:
    still, moving, nobody, unknown = np.ones((4, 5, 3, 3), dtype=np.float32)
    moving *= np.arange(5)[:, None, None]
    nobody[:], unknown[:] = 0, np.nan
    joints = np.stack([nobody, still, unknown, moving], axis=1)
    assert person_order(joints, 4).tolist() == [1, 3, 0, 2]
    assert person_order(joints, 2).tolist() == [1, 3]  # two are not too many
    assert person_order(joints, 1).tolist() == [3]
    assert person_order(joints[:, [0, 1, 1]], 1).tolist() == [1]  # who stands still comes before nobody
    assert person_order(joints[:, :3], 2).tolist() == [1, 0]
    assert person_order(joints[:, :1], 2).tolist() == [0]
