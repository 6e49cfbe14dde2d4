"""Raw NTU and PKU-MMD files become stores whose splits are the authors' arrays, in the authors' order."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from stars_hub.errors import ConfigError, LayoutError, SkeletonFileError, StoreError
from stars_hub.skeletons.prepare import prepare
from stars_hub.skeletons.readers import iter_sequences
from stars_hub.skeletons.store import SkeletonStore
from stars_hub.skeletons.synthetic import synthetic_motion


def as_golden(store: SkeletonStore, num_frames: int, *, absent: str) -> np.ndarray:
    """The authors' form: (n, frames, 150), padded with zeros; the absent second person zeros or a copy."""
    x = np.zeros((len(store), num_frames, 2, 25, 3), np.float32)
    for row, sample in zip(x, store, strict=True):
        length, persons = sample.joints.shape[:2]
        row[:length, :persons] = sample.joints
        if persons == 1 and absent == "copy":
            row[:length, 1] = row[:length, 0]
    return x.reshape(len(x), num_frames, 150)


def check_split(store: SkeletonStore, split: str, golden: Path, *, absent: str) -> None:
    arrays = np.load(golden, allow_pickle=False)
    for part, view in zip(("train", "test"), store.split(split), strict=True):
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        assert view.labels.tolist() == y.argmax(axis=1).tolist()
        np.testing.assert_array_equal(as_golden(view, x.shape[1], absent=absent), x)


def test_ntu60(golden_dir: Path, tmp_path: Path) -> None:
    summary = prepare("ntu60", golden_dir / "ntu_raw", tmp_path / "ntu60")
    store = SkeletonStore.open(tmp_path / "ntu60")
    check_split(store, "xsub", golden_dir / "NTU60_XSub.npz", absent="zeros")
    check_split(store, "xview", golden_dir / "NTU60_XView.npz", absent="zeros")
    store.verify()
    assert summary.num_samples == 18
    assert summary.skip_counts == {"an action that NTU-60 lacks": 2}
    assert summary.num_frames == store.lengths.sum()
    text = summary.render()
    assert (
        "warning: xsub has 8 training and 10 test samples; the complete dataset has 40,091 and 16,487" in text
    )
    assert "(-40,083 and -16,477)" in text
    assert text.count("warning: ") == 2


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_ntu120_serves_ntu60_too(golden_dir: Path, tmp_path: Path, workers: int) -> None:
    prepare("ntu120", golden_dir / "ntu_raw", tmp_path / "ntu120", workers=workers)
    store = SkeletonStore.open(tmp_path / "ntu120")
    check_split(store, "xsub", golden_dir / "NTU120_XSub.npz", absent="copy")
    check_split(store, "xset", golden_dir / "NTU120_XSet.npz", absent="copy")
    check_split(store, "ntu60_xsub", golden_dir / "NTU60_XSub.npz", absent="zeros")
    check_split(store, "ntu60_xview", golden_dir / "NTU60_XView.npz", absent="zeros")
    train, test = store.split("few_shot")
    assert train.names.tolist() == ["S018C001P001R001A064", "S019C001P045R002A110"]
    assert len(test) == 0
    assert store.subjects[store.names == "S019C001P045R002A110"].tolist() == [45]
    assert store.column("replication").max() == 2


def test_pku2(golden_dir: Path, tmp_path: Path) -> None:
    prepare("pku2", golden_dir / "pku_raw", tmp_path / "pku")
    store = SkeletonStore.open(tmp_path / "pku")
    check_split(store, "xsub", golden_dir / "PKUv2_XSub.npz", absent="zeros")
    check_split(store, "xview", golden_dir / "PKUv2_XView.npz", absent="zeros")


def test_ignored_broken_and_empty_files_are_skipped_and_named(golden_dir: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    (raw / "more").mkdir(parents=True)
    for path in sorted((golden_dir / "ntu_raw").glob("S00*")):
        shutil.copy(path, raw / "more" / path.name)
    (raw / "S001C001P002R001A001.skeleton").write_text("1\n1\nnonsense\n")
    (raw / "S001C001P002R001A002.skeleton").write_text("2\n0\n0\n")
    (raw / "zoo").mkdir()
    (raw / "zoo" / "S001C001P001R001A001.skeleton").write_text("a second one")
    listed = tmp_path / "missing.txt"
    listed.write_text(
        "The following samples lack skeletons:\n\nS001C003P008R002A050\nS002C001P003R001A055.skeleton\n"
    )
    summary = prepare("ntu60", raw, tmp_path / "out", ignore=listed)
    assert summary.skip_counts == {
        "a second file of the same name": 1,
        "on the ignore list": 2,
        "unreadable": 1,
        "holds no body": 1,
    }
    store = SkeletonStore.open(tmp_path / "out")
    assert len(store) == summary.num_samples == 17 - 2
    assert store.names.tolist() == sorted(store.names)
    text = summary.render()
    assert "1 unreadable: S001C001P002R001A001 (" in text
    assert "2 on the ignore list: S001C003P008R002A050, S002C001P003R001A055" in text
    listed.write_text("S099C001P001R001A001\n")
    again = prepare("ntu60", raw, tmp_path / "again", ignore=listed)
    assert "no name in missing.txt is that of a file" in again.render()


def test_nothing_to_prepare(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"kind: expected one of ntu60, ntu120, pku1, pku2, npz, folder, got 'ntu'"
    ):
        prepare("ntu", tmp_path, tmp_path / "out")
    with pytest.raises(SkeletonFileError, match="no such file or folder"):
        prepare("ntu60", tmp_path / "nowhere", tmp_path / "out")
    for kind in ("ntu60", "pku1", "folder"):
        with pytest.raises(SkeletonFileError):
            prepare(kind, tmp_path, tmp_path / "out")
    (tmp_path / "S001C001P001R001A001.skeleton").write_text("nonsense")
    with pytest.raises(StoreError, match=r"none of 1 files could be read: S001C001P001R001A001: unreadable"):
        prepare("ntu60", tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / ".out.building").exists()


def write_npz(path: Path, joints: int = 20, **more: object) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    sequences = [random.normal(size=(length, joints, 3)).astype(np.float32) for length in (4, 7, 2)]
    np.savez(
        path,
        joints=np.concatenate(sequences),
        lengths=np.array([4, 7, 2]),
        labels=np.array([1, 0, 1]),
        subjects=np.array([1, 2, 3]),
        names=np.array(["a", "b", "c"]),
        **more,  # type: ignore[arg-type]
    )
    return sequences


def test_npz_with_notes_beside_it(tmp_path: Path) -> None:
    sequences = write_npz(tmp_path / "walks.npz", correct=np.array([True, False, True]))
    with pytest.raises(
        LayoutError, match=r"say the layout of its 20 joints; built in are \['kinect20', 'utd20'\]"
    ):
        prepare("npz", tmp_path / "walks.npz", tmp_path / "out")
    (tmp_path / "walks.json").write_text(
        '{"fps": 15, "label_names": ["walk", "wave"], "licence": "CC0", '
        '"splits": {"xsub": {"column": "subject", "train": [1, 3]}}}'
    )
    prepare("npz", tmp_path / "walks.npz", tmp_path / "out", layout="utd20")
    store = SkeletonStore.open(tmp_path / "out")
    assert (store.fps, store.label_names, store.layout.name) == (15, ["walk", "wave"], "utd20")
    assert store.provenance["licence"] == "CC0"
    assert [view.names.tolist() for view in store.split("xsub")] == [["a", "c"], ["b"]]
    assert store.column("correct").tolist() == [1, 0, 1]
    for sample, joints in zip(store, sequences, strict=True):
        np.testing.assert_array_equal(sample.joints[:, 0], joints)
    listed = tmp_path / "ignore.txt"
    listed.write_text("b\n")
    summary = prepare("npz", tmp_path / "walks.npz", tmp_path / "two", layout="utd20", ignore=listed)
    assert (summary.num_samples, summary.skip_counts) == (2, {"on the ignore list": 1})


def test_a_folder_with_labels(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    (raw / "day2").mkdir(parents=True)
    random = np.random.default_rng(0)
    joints = {name: random.normal(size=(5, 25, 3)).astype(np.float32) for name in ("b", "a", "day2/c", "d")}
    for name, array in joints.items():
        np.save(raw / f"{name}.npy", array)
    (raw / "e.npy").write_bytes(b"nonsense")
    (raw / "labels.csv").write_text(
        "File,Label,subject,room\na.npy,wave,1,hall\nday2/c,clap,2,\nb,wave,,cellar\n"
    )
    summary = prepare("folder", raw, tmp_path / "out")
    store = SkeletonStore.open(tmp_path / "out")
    assert store.label_names == ["clap", "wave"]
    by_name = {sample.name: sample for sample in store}
    assert {name: (s.label, s.subject, s.columns) for name, s in by_name.items()} == {
        "a": (1, 1, {"room": "hall"}),
        "b": (1, None, {"room": "cellar"}),
        "day2/c": (0, 2, {}),
        "d": (None, None, {}),
    }
    assert summary.skip_counts == {"unreadable": 1}
    for name, array in joints.items():
        np.testing.assert_array_equal(by_name[name].joints[:, 0], array)
    (raw / "labels.csv").write_text("file,label\nnowhere.npy,1\n")
    with pytest.raises(SkeletonFileError, match=r"labels\.csv:2: there is no recording 'nowhere\.npy'"):
        prepare("folder", raw, tmp_path / "bad")


def test_a_folder_gives_the_names_that_reading_it_gives(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    write_npz(raw / "many.npz")
    np.save(raw / "one.npy", np.ones((3, 20, 3), np.float32))
    prepare("folder", raw, tmp_path / "out", layout="utd20")
    store = SkeletonStore.open(tmp_path / "out")
    assert store.names.tolist() == [sequence.name for sequence in iter_sequences(raw)]
    assert store.subjects.tolist() == [1, 2, 3, -1]


def test_npz_of_the_field(golden_dir: Path, tmp_path: Path) -> None:
    prepare("npz", golden_dir / "NTU60_XView.npz", tmp_path / "out")
    store = SkeletonStore.open(tmp_path / "out")
    check_split(store, "given", golden_dir / "NTU60_XView.npz", absent="zeros")


@pytest.mark.parametrize(
    ("name", "layout", "count", "classes"),
    [("uiprmd", "uiprmd22", 2000, 10), ("utd_mhad", "utd20", 861, 27), ("irds_sample", "ntu25", 188, 9)],
)
def test_real_recordings_become_stores(
    recordings_dir: Path, tmp_path: Path, name: str, layout: str, count: int, classes: int
) -> None:
    prepare("npz", recordings_dir / f"{name}.npz", tmp_path / name)
    store = SkeletonStore.open(tmp_path / name)
    arrays = np.load(recordings_dir / f"{name}.npz", allow_pickle=False)
    assert (len(store), store.layout.name, len(store.label_names or [])) == (count, layout, classes)
    np.testing.assert_array_equal(store.frames, arrays["joints"])
    np.testing.assert_array_equal(store.labels, arrays["labels"])
    np.testing.assert_array_equal(store.subjects, arrays["subjects"])
    np.testing.assert_array_equal(store.names, arrays["names"])
    store.verify()


def save_walk(folder: Path, joints: np.ndarray) -> Path:
    folder.mkdir()
    np.save(folder / "walk.npy", joints)
    return folder


def test_millimetres_with_z_up_are_stored_as_metres_with_y_up(tmp_path: Path) -> None:
    walk = synthetic_motion("walking", num_frames=20)[:, 0]
    x, y, z = np.moveaxis(walk, -1, 0)
    raw = save_walk(tmp_path / "raw", 1000 * np.stack([x, -z, y], axis=-1))
    summary = prepare("folder", raw, tmp_path / "out", units="mm", up_axis="z")
    stored = SkeletonStore.open(tmp_path / "out")[0].joints[:, 0]
    np.testing.assert_allclose(stored, walk, atol=1e-5)
    assert not summary.warnings


def test_persons_of_impossible_size_are_told_when_stored(tmp_path: Path) -> None:
    raw = save_walk(tmp_path / "raw", 1000 * synthetic_motion("walking", num_frames=20)[:, 0])
    assert "--units mm" in prepare("folder", raw, tmp_path / "out").warnings[0]


def test_datasets_decide_on_units_themselves(golden_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ntu60 is in metres"):
        prepare("ntu60", golden_dir / "ntu_raw", tmp_path / "out", units="mm")


def test_joints_in_an_image_are_stored_flat_and_upright(tmp_path: Path) -> None:
    """A camera's x grows to its left, an image's to the right. Distances tell, as the origin is a corner."""
    walk = synthetic_motion("walking", num_frames=20)[:, 0]
    raw = save_walk(tmp_path / "raw", np.stack([320 - 200 * walk[..., 0], 240 - 200 * walk[..., 1]], axis=-1))
    with pytest.raises(StoreError, match="prepare --units pixels"):
        prepare("folder", raw, tmp_path / "out")
    with pytest.warns(UserWarning, match="z is set to 0"):
        prepare("folder", raw, tmp_path / "flat", units="pixels", workers=1)
    stored = SkeletonStore.open(tmp_path / "flat")[0].joints[:, 0]
    assert not stored[..., 2].any()
    moves, expected = (np.diff(joints[..., :2], axis=1) for joints in (stored, walk))
    scale = (moves * expected).sum() / (expected**2).sum()
    assert scale > 0
    np.testing.assert_allclose(moves, scale * expected, atol=1e-4)
