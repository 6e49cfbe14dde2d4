from pathlib import Path

import numpy as np
import pytest

from stars_hub.errors import SkeletonFileError
from stars_hub.skeletons.pku import find_pku_splits, read_pku
from tests.skeletons.test_ntu import authors_array


@pytest.mark.parametrize(("name", "split"), [("PKUv2_XSub", "xsub"), ("PKUv2_XView", "xview")])
def test_golden_splits_exactly_and_in_order(golden_dir: Path, name: str, split: str) -> None:
    raw = golden_dir / "pku_raw"
    training = find_pku_splits(raw, phase=2)[split]
    paths = sorted((raw / "skeleton").glob("*.txt"))
    with np.load(golden_dir / f"{name}.npz") as golden:
        for part in ("train", "test"):
            chosen = [
                s for path in paths if (path.stem in training) == (part == "train") for s in read_pku(path)
            ]
            np.testing.assert_array_equal(authors_array(chosen, 300, copy=False), golden[f"x_{part}"])
            assert [sequence.label for sequence in chosen] == golden[f"y_{part}"].argmax(axis=1).tolist()


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    (tmp_path / "skeleton").mkdir()
    (tmp_path / "label").mkdir()
    frames = np.arange(400 * 150, dtype=np.float64).reshape(400, 150) + 1
    frames[:, 75:] = 0
    frames[10:15] = 0
    np.savetxt(tmp_path / "skeleton" / "0002-L.txt", frames, fmt="%.1f")
    (tmp_path / "label" / "0002-L.txt").write_text("3,20,30,2\n51,0,400,1\n1,10,15,2\n")
    return tmp_path


def test_instances_are_cut_shortened_and_dropped_if_empty(raw: Path) -> None:
    third, last = read_pku(raw / "skeleton" / "0002-L.txt")
    assert (third.name, third.label, third.joints.shape) == ("0002-L_000", 2, (10, 1, 25, 3))
    assert third.joints[0, 0, 1, 2] == 20 * 150 + 1 * 3 + 2 + 1
    assert (last.name, last.label, last.joints.shape) == ("0002-L_001", 50, (300, 1, 25, 3))
    assert last.columns == {"recording": "0002-L"}


@pytest.mark.parametrize("name", ["cross-subject.txt", "cross_subject.txt"])
def test_split_files_of_phase_one(raw: Path, name: str) -> None:
    (raw / name).write_text("Training videos:\n0002-L, 0002-M ,0003-R\nValidation videos:\n0004-L\n")
    assert find_pku_splits(raw, phase=1) == {"xsub": ["0002-L", "0002-M", "0003-R"]}
    (raw / name).write_text("Training videos:\n")
    with pytest.raises(SkeletonFileError, match=rf"{name}:2: expected the training recordings"):
        find_pku_splits(raw, phase=1)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("label", "1,2\n", r"label/0002-L\.txt:1: expected action,start,end,confidence, got '1,2'"),
        ("label", "1,2,9,2\n52,2,9,2\n", r"label/0002-L\.txt:2: expected action"),
        ("label", "1,9,2,2\n", "expected action"),
        ("skeleton", "1 2 3\n", r"skeleton/0002-L\.txt:1: expected 150 coordinates, got '1 2 3'"),
        ("skeleton", " ".join(["1"] * 149 + ["inf"]), r"got 150 words from '1 1"),
    ],
)
def test_damage_is_named_with_its_line(raw: Path, file: str, content: str, message: str) -> None:
    (raw / file / "0002-L.txt").write_text(content)
    with pytest.raises(SkeletonFileError, match=message):
        read_pku(raw / "skeleton" / "0002-L.txt")


def test_a_recording_without_labels_is_an_error(raw: Path) -> None:
    (raw / "label" / "0002-L.txt").unlink()
    with pytest.raises(SkeletonFileError, match=r"label/0002-L\.txt: No such file"):
        read_pku(raw / "skeleton" / "0002-L.txt")
