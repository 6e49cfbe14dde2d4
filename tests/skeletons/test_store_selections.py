"""Selections, splits, concatenations and copies of a store hold the right samples."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from stars_hub.errors import LayoutError, StoreError
from stars_hub.skeletons import convert_layout
from stars_hub.skeletons.layouts import SkeletonLayout
from stars_hub.skeletons.splits import SplitRule
from stars_hub.skeletons.store import SkeletonStore
from tests.motions import drifting
from tests.skeletons.small_stores import TRIPOD, motions


def test_person_spans_gather_every_sample(store: SkeletonStore) -> None:
    view = store.select([5, 0, 7])
    starts, lengths = view.person_spans(num_persons=3)
    for sample, spans, length in zip(view, starts, lengths, strict=True):
        for person, start in enumerate(spans):
            if person >= sample.joints.shape[1] or start < 0:
                assert person >= sample.joints.shape[1] or not sample.joints[:, person].any()
            else:
                np.testing.assert_array_equal(store.frames[start : start + length], sample.joints[:, person])
    one, _ = view.person_spans(np.array([2]), num_persons=1)
    assert one.tolist() == [[starts[2, 0]]]


def test_select_keeps_track_of_samples(store: SkeletonStore) -> None:
    view = store.select(label=["wave", 2], subject=2)
    assert view.names.tolist() == ["take02", "take06"]
    assert view.sample_ids.tolist() == [0, 1]
    assert view.source_ids.tolist() == [2, 6]
    assert view.frames is store.frames
    assert store.select(store.lengths > 10).names.tolist() == store.names[store.lengths > 10].tolist()
    assert store[3:6].select([2, -1, 0]).source_ids.tolist() == [5, 5, 3]
    assert store[[1, 2]].names.tolist() == ["take01", "take02"]
    assert store.select(room="cellar").source_ids.tolist() == [2, 5, 8, 11]
    assert len(store.select([])) == len(store.select(camera=[])) == len(store.select(camera=1, room="")) == 0
    for wrong in ([12], [-13], [0.5], [[1]], [True]):
        with pytest.raises(StoreError, match="select"):
            store.select(wrong)


def test_select_takes_values_as_text_and_arrays(store: SkeletonStore) -> None:
    assert store.select(subject="1").source_ids.tolist() == [3, 7, 11]
    assert store.select(subject=["4", 1.0], camera="2").source_ids.tolist() == [4, 7]
    assert store.select(subject=np.array([1, 4])).source_ids.tolist() == [0, 3, 4, 7, 8, 11]
    assert store.select(label=np.array([2, 0]), weight=-1).names.tolist() == []
    assert store.select(label=["wave", np.int64(2)], weight="0.5").labels.tolist() == [2] * 4
    assert len(store.select(camera=-1)) == 4  # not known


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"camera": 99}, r"no sample has the camera 99; this store has 1, 2$"),
        ({"subject": [1, "5", 0]}, r"no sample has the subject '5', 0; this store has 1, 2, 3, 4$"),
        ({"subject": None}, "no sample has the subject None; this store has 1"),
        ({"room": "attic"}, "no sample has the room 'attic'; this store has 'cellar', 'hall'"),
        ({"name": "take1"}, r"the name 'take1'; this store has 'take00', .* … \(12 in all\)"),
        ({"label": "fly"}, "no label 'fly'; the labels are 'walk', 'wave', 'größe'"),
        ({"label": [0, 3]}, "no label 3; the labels are 'walk'"),
        ({"label": -2}, "no label -2"),
        ({"label": "1"}, "no label '1'; the labels are 'walk'"),
    ],
)
def test_select_refuses_what_no_sample_has(store: SkeletonStore, conditions: dict, message: str) -> None:
    for view in (store, store[:3], store.select([])):  # all of them know what the whole store has
        with pytest.raises(StoreError, match=message):
            view.select(**conditions)


def test_labels_without_names_are_known_up_to_the_largest(tmp_path: Path) -> None:
    store = SkeletonStore.create(tmp_path / "s", motions(4), layout=TRIPOD, labels=[0, 3, -1, 5])
    assert store.select(label=["3", 0]).source_ids.tolist() == [0, 1]
    assert store.select(label=-1).source_ids.tolist() == [2]
    assert len(store.select(label=4)) == len(store[:2].select(label=5)) == 0
    assert store.renumber_labels().select(label=2).source_ids.tolist() == [3]
    for view, label in ((store, 6), (store.renumber_labels(), 3)):
        with pytest.raises(StoreError, match=f"no label {label}; the labels are 0, 1, 2"):
            view.select(label=label)


def test_renumber_labels(store: SkeletonStore) -> None:
    view = store.select(label=[0, 2])
    assert view.labels.tolist() == [2, 0] * 4
    assert view.label_names == store.label_names
    new = view.renumber_labels()
    assert new.labels.tolist() == [1, 0] * 4
    assert new[0].label == 1
    assert new.label_names == ["walk", "größe"]
    again = new.select(label="größe").renumber_labels()
    assert (again.labels.tolist(), again.label_names, again[0].label) == ([0] * 4, ["größe"], 0)


def test_split_by_subject_name_fraction_and_declared_rule(store: SkeletonStore, tmp_path: Path) -> None:
    train, test = store.split(subjects=[3, 1])
    assert train.subjects.tolist() == [3, 3, 3, 1, 1, 1]
    assert test.subjects.tolist() == [2, 2, 2, 4, 4, 4]
    assert train.names.tolist() == ["take01", "take05", "take09", "take03", "take07", "take11"]
    train, test = store.split(names=["take05", "take00"])
    assert (train.names.tolist(), len(test)) == (["take05", "take00"], 10)
    train, test = store.split(fraction=0.5, seed=3)
    assert np.bincount(train.labels).tolist() == [2, 2, 2]
    assert sorted([*train.source_ids, *test.source_ids]) == list(range(12))
    assert store.split(fraction=0.5, seed=3)[0].source_ids.tolist() == train.source_ids.tolist()
    assert any(
        store.split(fraction=0.5, seed=seed)[0].source_ids.tolist() != train.source_ids.tolist()
        for seed in range(3)
    )
    declared = store.copy(tmp_path / "copy")
    with pytest.raises(StoreError, match=r"no split 'xsub' \(declared: none\): name subjects instead"):
        declared.split("xsub")
    with pytest.raises(StoreError, match="expected one of rule, subjects, names, fraction, got 2"):
        store.split("xsub", fraction=0.5)
    rule = SplitRule("subject", train=(4, 2), where={"camera": (1, 2)})
    store = SkeletonStore.create(tmp_path / "t", store, layout=TRIPOD, splits={"xsub": rule})
    train, test = store.split("xsub")
    assert train.names.tolist() == ["take00", "take04", "take06", "take10"]
    assert test.names.tolist() == ["take03", "take07", "take01", "take09"]
    assert store.split_names == ["xsub"]


def test_split_refuses_whom_it_does_not_know_but_a_rule_may_name_them(store: SkeletonStore) -> None:
    train, test = store.split(subjects=["3", np.int64(1)])
    assert (train.subjects.tolist(), test.subjects.tolist()) == ([3, 3, 3, 1, 1, 1], [2, 2, 2, 4, 4, 4])
    assert store.split(subjects="3")[0].subjects.tolist() == [3, 3, 3]
    for subjects, unknown in (([1, 99], "99"), (["x", 4, 7], "'x', 7"), ([-1, 2], "-1"), ("12", "'12'")):
        with pytest.raises(
            StoreError, match=f"no sample has the subject {unknown}; this store has 1, 2, 3, 4"
        ):
            store.split(subjects=subjects)
    with pytest.raises(StoreError, match=r"no sample has the subject 4; this store has 1, 2, 3$"):
        store[1:4].split(subjects=[1, 4])
    with pytest.raises(StoreError, match=r"no sample has the name 'zzz'; this store has 'take00', 'take01'"):
        store.split(names=["take05", "zzz"])
    assert len(store.split(SplitRule("subject", train=(1, 99)))[0]) == 3  # of a part of a dataset
    with pytest.raises(
        StoreError, match="no sample has a subject among the training ones 9; this store has 1, 2, 3, 4"
    ):
        store.split(SplitRule("subject", train=(9,)))


def test_copy_and_pickle_keep_everything(store: SkeletonStore, tmp_path: Path) -> None:
    view = store.select(label=[0, 1])[1:]
    for other in (view.copy(tmp_path / "copy"), pickle.loads(pickle.dumps(view))):
        assert other.names.tolist() == view.names.tolist()
        assert other.labels.tolist() == view.labels.tolist()
        assert (other.label_names, other.layout, other.fps) == (view.label_names, view.layout, view.fps)
        for mine, its in zip(view, other, strict=True):
            np.testing.assert_array_equal(mine.joints, its.joints)
            assert mine.columns == its.columns
    assert len(pickle.dumps(store)) < 2000  # no frames travel


def test_concatenate_merges_labels_by_name(store: SkeletonStore, tmp_path: Path) -> None:
    other = SkeletonStore.create(
        tmp_path / "other",
        motions(3, seed=5),
        layout=TRIPOD,
        labels=["jump", "wave", "jump"],
        fps=25,
        site=["a", "b", "c"],
    )
    joined = SkeletonStore.concatenate([store.select(label="wave"), other, store[:1]])
    assert joined.label_names == ["walk", "wave", "größe", "jump"]
    assert joined.labels.tolist() == [1, 1, 1, 1, 3, 1, 3, 2]
    assert joined.column("source").tolist() == ["store"] * 4 + ["other"] * 3 + ["store"]
    assert joined.column("site").tolist() == [""] * 4 + ["a", "b", "c", ""]
    assert joined.subjects.tolist() == [2, 3, 4, 1, -1, -1, -1, 4]
    expected = [*store.select(label="wave"), *other, store[0]]
    starts, lengths = joined.person_spans()
    for index, (sample, want) in enumerate(zip(joined, expected, strict=True)):
        np.testing.assert_array_equal(sample.joints, want.joints)
        if starts[index, 0] >= 0:
            rows = starts[index, 0] + np.arange(lengths[index])
            np.testing.assert_array_equal(joined.frames[rows], want.joints[:, 0])
    assert len(joined.frames) == len(store.frames) + len(other.frames)
    np.testing.assert_array_equal(
        joined.frames[len(store.frames) - 1 : len(store.frames) + 1], [store.frames[-1], other.frames[0]]
    )
    copied = joined.copy(tmp_path / "joined")
    assert copied.names.tolist() == joined.names.tolist()
    assert copied.split(subjects=[2])[0].labels.tolist()
    joined.verify()
    again = pickle.loads(pickle.dumps(joined))
    np.testing.assert_array_equal(again[4].joints, joined[4].joints)
    with pytest.raises(StoreError, match="the frame rates differ: 25 and 30"):
        SkeletonStore.concatenate([store, SkeletonStore.create(tmp_path / "f", motions(1), layout=TRIPOD)])
    with pytest.raises(StoreError, match="the layouts differ"):
        SkeletonStore.concatenate(
            [store, SkeletonStore.create(tmp_path / "l", np.ones((1, 4, 25, 3)), layout="ntu25", fps=25)]
        )
    with pytest.raises(StoreError, match="labels are merged by name, but nolabels has no label names"):
        SkeletonStore.concatenate(
            [
                store,
                SkeletonStore.create(tmp_path / "nolabels", motions(1), layout=TRIPOD, fps=25, labels=[0]),
            ]
        )
    with pytest.raises(StoreError, match="at least one store"):
        SkeletonStore.concatenate([])


def test_a_copy_in_another_layout(tmp_path: Path) -> None:
    joints = [drifting(5, persons=2), drifting(3)]
    store = SkeletonStore.create(tmp_path / "ntu", joints, layout="ntu25", labels=["a", "b"], subjects=[1, 2])
    kinect = store.copy(tmp_path / "kinect", layout="kinect20")
    assert (kinect.layout.name, kinect.label_names, kinect.subjects.tolist()) == (
        "kinect20",
        ["a", "b"],
        [1, 2],
    )
    for sample, original in zip(kinect, joints, strict=True):
        np.testing.assert_array_equal(sample.joints, convert_layout(original, "ntu25", "kinect20"))
    tail = SkeletonLayout("tail2", ("tail_base", "tail_tip"), (-1, 0), (), root=0, spine_middle=0)
    with pytest.raises(LayoutError, match="no joint of 'tail2'"):
        store.copy(tmp_path / "none", layout=tail)
    assert not (tmp_path / "none").exists()
