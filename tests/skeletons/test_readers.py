import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from stars_hub.errors import SkeletonFileError
from stars_hub.skeletons import SkeletonStore, iter_sequences, read_sequence, read_sequences
from tests.motions import drifting
from tests.skeletons.recorded_files import ONE, TWO, equal, wide


@pytest.mark.parametrize("joints", [ONE, TWO], ids=["one", "two"])
def test_npy_and_npz_and_json_of_one_sequence(tmp_path: Path, joints: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", joints.astype(np.float64))
    np.savez(tmp_path / "b.npz", joints)
    np.savez_compressed(tmp_path / "c.npz", whatever=joints)
    (tmp_path / "d.json").write_text(json.dumps(joints.tolist()))
    (tmp_path / "e.json").write_text(json.dumps({"joints": joints.tolist(), "label": "wave", "fps": 30}))
    for name in ("a.npy", "b.npz", "c.npz", "d.json", "e.json"):
        equal(tmp_path / name, joints)
    (sequence,) = read_sequences(tmp_path / "e.json")
    assert (sequence.name, sequence.label, sequence.columns) == ("e", "wave", {"fps": 30})


def test_json_of_many_and_null_for_unknown(tmp_path: Path) -> None:
    joints = ONE.tolist()
    joints[2][1] = [None, None, None]
    (tmp_path / "a.json").write_text(
        json.dumps([ONE.tolist(), {"joints": joints, "name": "x", "subject": 3}])
    )
    first, second = read_sequences(tmp_path / "a.json")
    assert (first.name, second.name, second.subject) == ("a/000000", "x", 3)
    assert np.isnan(second.joints[2, 0, 1]).all()
    assert np.isnan(second.joints).sum() == 3
    with pytest.raises(
        SkeletonFileError, match=r"a\.json: expected one recording, got more than one: read_sequences"
    ):
        read_sequence(tmp_path / "a.json")


def test_null_for_a_whole_joint_or_frame(tmp_path: Path) -> None:
    joints = ONE.tolist()
    joints[0], joints[3][2] = None, None
    (tmp_path / "a.json").write_text(json.dumps(joints))
    expected = ONE.copy()
    expected[0] = expected[3, 2] = np.nan
    np.testing.assert_array_equal(read_sequence(tmp_path / "a.json"), expected)


def test_nulls_cannot_make_a_vast_recording(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([[[1, 2, 3]] * 3000] + [None] * 3000))
    with pytest.raises(SkeletonFileError, match="too many numbers"):
        read_sequence(tmp_path / "a.json")


def test_a_batch_in_an_array_is_no_crowd(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((16, 60, 25, 3)))
    with pytest.raises(SkeletonFileError, match=r"\(16, 60, 25, 3\) reads as \(T, M, V, 3\) with 60 persons"):
        read_sequence(tmp_path / "a.npy")


def test_ragged_npz(tmp_path: Path) -> None:
    lengths, joints = [2, 4], ONE
    np.savez(
        tmp_path / "a.npz",
        joints=joints, lengths=lengths, labels=[3, 1], subjects=[7, 8], names=["p", "q"],
        correct=[True, False],
    )  # fmt: skip
    first, second = read_sequences(tmp_path / "a.npz")
    assert (first.name, first.label, first.subject, first.columns) == ("p", 3, 7, {"correct": True})
    np.testing.assert_array_equal(second.joints[:, 0], joints[2:])
    np.savez(tmp_path / "b.npz", joints=joints, lengths=lengths)
    assert [sequence.name for sequence in read_sequences(tmp_path / "b.npz")] == ["b/000000", "b/000001"]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"joints": ONE, "lengths": [2, 3]}, "lengths add up to 5, but joints has 6 frames"),
        ({"joints": ONE, "lengths": [6, 0]}, "positive whole numbers"),
        (
            {"joints": ONE, "lengths": [6], "labels": [1, 2]},
            r"labels must be \(1,\) as lengths is, got \(2,\)",
        ),
        ({"a": ONE, "b": ONE}, "expected one array, joints and lengths, or x_train and y_train; got a, b"),
        ({"x_train": np.zeros((2, 3, 60))}, r"x_train must be \(N, T, 75 or 150\), got \(2, 3, 60\)"),
        ({"x_train": np.zeros((2, 3, 75)), "y_train": [1]}, "one row a sample"),
        ({"joints": np.float32(1), "lengths": [1]}, "got a single number"),
        ({"a": np.float32(1)}, r"expected \(T, V, 3\) or \(T, M, V, 3\) with nothing empty, got \(\)"),
        ({"joints": ONE, "lengths": np.uint64([2**63, 2**63 + 6])}, f"lengths add up to {2**64 + 6}, but"),
        ({"a": np.asfortranarray(ONE)}, "Fortran order"),
        ({"a": np.array([{}, {}])}, "pickled objects, which are never read"),
    ],
)
def test_an_impossible_npz_is_named(tmp_path: Path, arrays: dict, message: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(SkeletonFileError, match=rf"a\.npz: .*{message}"):
        read_sequences(tmp_path / "a.npz")


def test_golden_npz_of_the_field(golden_dir: Path) -> None:
    sequences = read_sequences(golden_dir / "NTU60_XSub.npz")
    with np.load(golden_dir / "NTU60_XSub.npz") as golden:
        x, y = np.concatenate([golden["x_train"], golden["x_test"]]), golden["y_test"].argmax(axis=1)
    assert [sequence.columns["split"] for sequence in sequences] == ["train"] * 8 + ["test"] * 10
    assert [sequence.label for sequence in sequences[8:]] == y.tolist()
    for sequence, row in zip(sequences, x, strict=True):
        frames, persons = sequence.joints.shape[:2]
        np.testing.assert_array_equal(sequence.joints.reshape(frames, -1), row[:frames, : 75 * persons])
        assert not row[frames:].any()
        assert not row[:, 75 * persons :].any()


def test_st_gcn_arrays_with_labels_beside(tmp_path: Path) -> None:
    data = np.zeros((2, 3, 8, 4, 2), dtype=np.float32)  # N C T V M
    data[0, :, :6, :, 0] = ONE.transpose(2, 0, 1)
    data[1, :, :5] = TWO.transpose(3, 0, 2, 1)
    np.save(tmp_path / "train.npy", data)
    np.save(tmp_path / "train_label.npy", np.array([4, 2]))
    first, second = read_sequences(tmp_path / "train.npy")
    np.testing.assert_array_equal(first.joints[:, 0], ONE)
    np.testing.assert_array_equal(second.joints, TWO)
    assert (first.label, second.label, first.name) == (4, 2, "train/000000")


def test_labels_beside_are_no_recording_of_the_folder(tmp_path: Path) -> None:
    np.save(tmp_path / "train.npy", np.ones((2, 3, 8, 4, 1), dtype=np.float32))
    np.save(tmp_path / "train_label.npy", np.array([4, 2]))
    np.save(tmp_path / "white_label.npy", ONE)  # no white.npy: a recording by that name
    assert [(s.name, s.label) for s in iter_sequences(tmp_path)] == [
        ("train/000000", 4), ("train/000001", 2), ("white_label", None),
    ]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "day1").mkdir()
    np.save(tmp_path / "b.npy", ONE)
    np.save(tmp_path / "day1" / "a.npy", TWO)
    (tmp_path / "c.csv").write_text(wide(ONE[:, None]))
    (tmp_path / "notes.txt").write_text("no recording")
    return tmp_path


def test_a_folder_is_read_in_the_order_of_its_names(folder: Path) -> None:
    assert [sequence.name for sequence in iter_sequences(folder)] == ["b", "c", "day1/a"]


def test_notes_beside_a_recording_are_none(folder: Path) -> None:
    (folder / "b.json").write_text('{"fps": 30}')
    assert [sequence.name for sequence in iter_sequences(folder)] == ["b", "c", "day1/a"]


def test_labels_beside(folder: Path) -> None:
    (folder / "labels.csv").write_text("file,label,subject,room\nday1/a.npy,walk,7,kitchen\nb,3,,\n")
    known = {s.name: (s.label, s.subject, s.columns) for s in iter_sequences(folder)}
    assert known == {"b": (3, None, {}), "c": (None, None, {}), "day1/a": ("walk", 7, {"room": "kitchen"})}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label\n1\n", r"labels\.csv:1: the header needs a column file or name"),
        ("file,label\nb.npy,1\nz.npy,2\n", r"labels\.csv:3: there is no recording 'z\.npy' in the folder"),
        ("file,label\nb.npy,1\nb,2\n", r"labels\.csv:3: 'b' stands here a second time"),
    ],
)
def test_impossible_labels_are_named(folder: Path, text: str, message: str) -> None:
    (folder / "labels.csv").write_text(text)
    with pytest.raises(SkeletonFileError, match=message):
        list(iter_sequences(folder))


def test_recordings_that_differ_by_the_suffix_are_not_mixed_up(folder: Path) -> None:
    (folder / "b.csv").write_text(wide(ONE[:, None]))
    with pytest.raises(SkeletonFileError, match=r"b\.npy: b\.csv stands beside it: both would be called b"):
        list(iter_sequences(folder))


def test_a_store_gives_its_samples(tmp_path: Path) -> None:
    SkeletonStore.create(tmp_path / "store", [drifting(4), drifting(6)], layout="ntu25", names=["u", "v"])
    assert [sequence.name for sequence in iter_sequences(tmp_path / "store")] == ["u", "v"]


def test_what_cannot_be_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("a.npy", "a.mp4", "bare"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "b.npz").write_bytes(b"PK\x03\x04 and so on")
    (tmp_path / "c.json").write_text('{"joints": [1, 2]\n')
    np.save(tmp_path / "d.npy", np.array([{}]), allow_pickle=True)
    with open(tmp_path / "e.npy", "wb") as file:
        np.savez(file, ONE)
    for name, message in {
        "empty": "no recordings in this folder",
        "absent.npy": "there is no such file or folder",
        "absent": "there is no such file or folder",
        "bare": "expected a .npy, .npz, .csv, .tsv, .json, .skeleton file, got 'bare'",
        "a.mp4": r"got '\.mp4'",
        "a.npy": "no array that NumPy reads without pickle",
        "b.npz": "no .npz file that NumPy wrote",
        "c.json": r"c\.json:2: this is no JSON",
        "d.npy": "no array that NumPy reads without pickle",
        "e.npy": r"this is a \.npz file that is called \.npy",
    }.items():
        with pytest.raises(SkeletonFileError, match=message):
            read_sequence(tmp_path / name)


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    marker = tmp_path / "marker"

    class Bomb:
        def __reduce__(self):
            return (Path.touch, (marker,))

    for name in ("a.pkl", "b.npy", "c.npz", "d.pickle"):
        (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
        with pytest.raises(SkeletonFileError, match="pickle"):
            read_sequence(tmp_path / name)
    assert not marker.exists()


def test_real_recordings(recordings_dir: Path) -> None:
    sequences = read_sequences(recordings_dir / "utd_mhad.npz")
    assert len(sequences) == 861
    assert sum(len(sequence.joints) for sequence in sequences) == 58_299
    assert {sequence.joints.shape[1:] for sequence in sequences} == {(1, 20, 3)}
    assert sorted({sequence.subject for sequence in sequences}) == list(range(1, 9))


def test_a_folder_of_real_recordings(recordings_dir: Path) -> None:
    assert sum(1 for _ in iter_sequences(recordings_dir)) == 3_049
