"""A store gives back what was put in, refuses what cannot be, and its views copy nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stars_hub.errors import StoreError
from stars_hub.skeletons.sequence import Sequence
from stars_hub.skeletons.splits import SplitRule
from stars_hub.skeletons.store import SkeletonStore
from tests.skeletons.small_stores import TRIPOD, motions


def test_gives_back_what_was_put_in(store: SkeletonStore) -> None:
    assert len(store) == 12
    for sample, joints in zip(store, motions(), strict=True):
        assert sample.joints.dtype == np.float32
        np.testing.assert_array_equal(sample.joints, joints)
        assert not sample.joints.flags.writeable
    assert (store[1].name, store[1].label, store[1].subject) == ("take01", 0, 3)
    assert store[1].columns == {"camera": 2}
    assert store[2].columns == {"room": "cellar", "weight": -1.0}
    assert store[-1].name == "take11"
    assert store.labels.tolist() == [2, 0, 1] * 4
    assert store.subjects.tolist() == [4, 3, 2, 1] * 3
    assert store.names.tolist() == [f"take{i:02d}" for i in range(12)]
    assert store.lengths.tolist() == [len(joints) for joints in motions()]
    assert store.num_persons.tolist() == [joints.shape[1] for joints in motions()]
    assert store.column("camera").tolist() == [1, 2, -1] * 4
    assert store.column("room").tolist() == ["hall", "", "cellar"] * 4
    np.testing.assert_array_equal(store.column("weight"), [0.5, np.nan, -1.0] * 4)
    assert store.label_names == ["walk", "wave", "größe"]
    assert (store.layout, store.fps) == (TRIPOD, 25)
    with pytest.raises(IndexError):
        store[12]
    with pytest.raises(StoreError, match="no column 'setup'; this store has name, label"):
        store.column("setup")


def test_one_person_and_present_persons_are_views_of_the_map(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    given = [random.normal(size=(5, 3, 3)), random.normal(size=(4, 2, 3, 3))]
    store = SkeletonStore.create(tmp_path / "s", given, layout=TRIPOD)
    assert store.frames.shape == (5 + 8, 3, 3)
    assert isinstance(store.frames, np.memmap)
    for sample in store:
        assert np.shares_memory(sample.joints, store.frames)
    with pytest.raises(ValueError, match="read-only"):
        store[0].joints[0] = 1


def test_absent_persons_take_no_space(tmp_path: Path) -> None:
    joints = np.ones((6, 3, 3, 3), np.float32)
    joints[:, 1] = 0
    empty = np.zeros((4, 3, 3), np.float32)
    store = SkeletonStore.create(tmp_path / "s", [joints, empty], layout=TRIPOD)
    assert len(store.frames) == 12
    np.testing.assert_array_equal(store[0].joints, joints)
    np.testing.assert_array_equal(store[1].joints, empty[:, None])
    starts, lengths = store.person_spans()
    assert starts.tolist() == [[0, -1, 6], [-1, -1, -1]]
    assert lengths.tolist() == [6, 4]
    store.verify()


def test_a_store_of_nobody_at_all(tmp_path: Path) -> None:
    store = SkeletonStore.create(tmp_path / "s", [np.zeros((4, 3, 3))], layout=TRIPOD)
    store.verify()
    assert store[0].joints.shape == (4, 1, 3, 3)


def test_nan_is_kept_and_float16_halves_the_file(tmp_path: Path) -> None:
    joints = np.random.default_rng(2).normal(size=(9, 3, 3)).astype(np.float32)
    joints[2, 1] = np.nan
    store = SkeletonStore.create(tmp_path / "s", [joints], layout=TRIPOD, dtype="float16")
    assert store.frames.dtype == np.float16
    assert store[0].joints.dtype == np.float32
    assert store.copy(tmp_path / "copy").fingerprint == store.fingerprint
    np.testing.assert_array_equal(store[0].joints[:, 0], joints.astype(np.float16).astype(np.float32))
    with pytest.raises(StoreError, match=r"sequence '000000' has coordinates beyond 65504 m"):
        SkeletonStore.create(tmp_path / "t", [joints * 1e6], layout=TRIPOD, dtype="float16")


def test_takes_sequences_generators_and_text_labels(tmp_path: Path) -> None:
    def stream() -> Iterator[Sequence]:
        for number, joints in enumerate(motions(4)):
            yield Sequence(
                joints=joints, name=f"s{number}", label=None, subject=number, columns={"take": number * 10}
            )

    store = SkeletonStore.create(
        tmp_path / "s", stream(), layout=TRIPOD, labels=["wave", "clap", "wave", "jump"]
    )
    assert store.label_names == ["clap", "jump", "wave"]
    assert store.labels.tolist() == [2, 0, 2, 1]
    assert store.names.tolist() == ["s0", "s1", "s2", "s3"]
    assert store.column("take").tolist() == [0, 10, 20, 30]
    given = SkeletonStore.create(
        tmp_path / "t",
        motions(2),
        layout=TRIPOD,
        labels=["wave", "clap"],
        label_names=["wave", "jump", "clap"],
    )
    assert given.labels.tolist() == [0, 2]
    assert given.names.tolist() == ["000000", "000001"]
    assert given.subjects.tolist() == [-1, -1]


BAD = [
    (np.zeros((0, 3, 3)), r"sequence 'bad' is empty"),
    (np.zeros((4, 0, 3, 3)), r"sequence 'bad' is empty"),
    (
        np.zeros((4, 5, 3)),
        r"'bad': expected \(T, 3, 3\) or \(T, M, 3, 3\) for the layout 'tripod', got \(4, 5, 3\)",
    ),
    (np.zeros((4, 3)), r"'bad': expected"),
    (np.zeros((4, 3, 3), complex), r"'bad': expected"),
    (np.full((4, 3, 3), np.inf), r"'bad' holds coordinates that are infinite"),
    (np.full((4, 3, 3), 1e300), r"'bad' holds coordinates that are infinite"),
    (np.full((4, 3, 3), 1e10), r"or beyond 1e\+09"),
    (np.ones((4, 11, 3, 3)), r"'bad' has 11 persons, more than 10"),
    ([[1], [1, 2]], r"'bad': "),
    ("walk.csv", r"'bad': "),
]


@pytest.mark.parametrize(("joints", "message"), BAD)
def test_a_bad_sequence_is_refused_by_name(tmp_path: Path, joints: object, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        SkeletonStore.create(tmp_path / "s", [motions(1)[0], joints], layout=TRIPOD, names=["good", "bad"])
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"labels": [0]}, "labels?: expected one value a sequence, got only 1"),
        ({"camera": [0, 1, 2]}, "camera: expected one value a sequence, got more values than the 2"),
        ({"labels": ["wave", "fly"], "label_names": ["wave"]}, "'fly' is not among the label names"),
        ({"labels": [0, 2], "label_names": ["a", "b"]}, "label of 0 or more and below 2, .* got 2"),
        ({"labels": [0, -2]}, "label of 0 or more, got -2"),
        ({"labels": [0, "wave"]}, "labels mix numbers and text, for example 0 and 'wave': give label_names"),
        ({"labels": [0.5, 1]}, "expected a label as a whole number or text, got 0.5"),
        ({"camera": [0, "left"]}, "column 'camera' mixes text and numbers, for example 0 and 'left'"),
        ({"camera": ["left", 0.5]}, "column 'camera' mixes text and numbers, for example 'left' and 0.5"),
        ({"camera": [0, [1]]}, "column 'camera': expected a number or text"),
        ({"camera": [0, "a\0"]}, "NUL"),
        ({"names": ["fine", "\ud800"]}, "lone surrogates"),
        ({"camera": [0, 2**63]}, "does not fit into 64 bits"),
        ({"Camera": [0, 1]}, "column 'Camera': expected a lower-case identifier"),
        ({"dtype": "float64"}, "dtype: expected one of float32, float16"),
        ({"fps": 0}, "fps: expected a positive number, got 0"),
        ({"fps": -30}, "fps: expected a positive number, got -30"),
        ({"fps": float("inf")}, "fps: expected a positive number, got inf"),
        ({"fps": float("nan")}, "fps: expected a positive number, got nan"),
        ({"fps": "30"}, "fps: expected a positive number, got '30'"),
        ({"label_names": ["a", "b", "a"]}, "label_names: expected different names, got 'a' more than once"),
        ({"label_names": "ab"}, "label_names: expected a list of values, got 'ab'"),
        ({"label_names": 2}, "label_names: expected a list of values, got 2"),
        ({"labels": "ab"}, "label: expected a list of values, got 'ab'"),
        ({"subjects": np.array(3)}, "subject: expected a list of values, got 3"),
        ({"provenance": {"by": Path()}}, "provenance: expected what JSON can hold, got"),
        ({"splits": {"xsub": {"train": [1]}}}, "expected a split rule with column and train"),
    ],
)
def test_bad_metadata_is_refused(tmp_path: Path, settings: dict, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        SkeletonStore.create(tmp_path / "s", motions(2), layout=TRIPOD, **settings)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("array", [np.array, torch.tensor], ids=["numpy", "torch"])
def test_takes_arrays_and_tensors_for_metadata(tmp_path: Path, array: Callable[[list], Any]) -> None:
    store = SkeletonStore.create(
        tmp_path / "s",
        motions(4),
        layout=TRIPOD,
        labels=array([0, 1, -1, 1]),
        label_names=np.array(["walk", "wave"]),
        subjects=array([7, 8, 7, 8]),
        fps=np.float32(25),
        weight=array([0.5, 1.0, -1.0, 2.0]),
        correct=array([True, False, True, True]),
        splits={"odd": SplitRule("subject", train=tuple(np.array([8])))},
        provenance={"scale": np.float32(2)},
    )
    assert store.labels.tolist() == [0, 1, -1, 1]
    assert store.subjects.tolist() == [7, 8, 7, 8]
    assert store.column("weight").tolist() == [0.5, 1.0, -1.0, 2.0]
    assert store.column("correct").tolist() == [1, 0, 1, 1]
    assert (store.label_names, store.fps, store.provenance) == (["walk", "wave"], 25, {"scale": 2})
    assert store.split("odd")[0].subjects.tolist() == [8, 8]


def test_no_sequences_and_a_path_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no sequence to store"):
        SkeletonStore.create(tmp_path / "s", [], layout=TRIPOD)
    with pytest.raises(StoreError, match="read files with read_sequences"):
        SkeletonStore.create(tmp_path / "s", "walks.npz", layout=TRIPOD)
    assert not list(tmp_path.iterdir())


def test_an_existing_folder_is_never_overwritten(store: SkeletonStore, tmp_path: Path) -> None:
    before = store.fingerprint
    with pytest.raises(StoreError, match="exists already: delete it or choose another name"):
        SkeletonStore.create(store.folder, motions(1), layout=TRIPOD)
    assert SkeletonStore.open(store.folder).fingerprint == before
    (tmp_path / "empty").mkdir()
    assert len(SkeletonStore.create(tmp_path / "empty", motions(1), layout=TRIPOD)) == 1


def test_describe_counts(store: SkeletonStore) -> None:
    text = store.describe()
    present = sum(bool(joints[:, person].any()) for joints in motions() for person in range(joints.shape[1]))
    for line in (
        "samples   12",
        f"persons   {present}",
        "layout    tripod (3 joints, float32)",
        "labels    3",
    ):
        assert line in text
    assert store.fingerprint in text


def test_every_array_opens_with_plain_numpy(store: SkeletonStore) -> None:
    for path in store.folder.rglob("*.npy"):
        np.load(path, mmap_mode="r", allow_pickle=False)
    arrays = ["crcs.npy", "frames.npy", "lengths.npy", "person_offsets.npy", "person_starts.npy"]
    assert sorted(path.name for path in store.folder.iterdir()) == ["columns", *arrays, "store.json"]
    assert [path.name for path in store.folder.parent.iterdir()] == ["store"]
