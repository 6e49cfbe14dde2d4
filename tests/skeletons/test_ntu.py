from pathlib import Path

import numpy as np
import pytest

from stars_hub.errors import SkeletonFileError
from stars_hub.skeletons.ntu import persons_of, read_ntu
from stars_hub.skeletons.readers.skeleton import Body, SkeletonFile, read_skeleton_file
from stars_hub.skeletons.sequence import Sequence
from stars_hub.skeletons.splits import ntu_splits
from tests.motions import drifting


def authors_array(sequences: list[Sequence], num_frames: int, *, copy: bool) -> np.ndarray:
    """(n, T, 150): padded with zeros; an absent second person as zeros or as a copy of the first."""
    array = np.zeros((len(sequences), num_frames, 2, 25, 3), dtype=np.float32)
    for row, sequence in zip(array, sequences, strict=True):
        joints = sequence.joints
        row[: len(joints), : joints.shape[1]] = joints
        if copy and joints.shape[1] == 1:
            row[:, 1] = row[:, 0]
    return array.reshape(len(sequences), num_frames, 150)


@pytest.mark.parametrize(
    ("name", "split", "num_actions"),
    [
        ("NTU60_XSub", "xsub", 60),
        ("NTU60_XView", "xview", 60),
        ("NTU120_XSub", "xsub", 120),
        ("NTU120_XSet", "xset", 120),
    ],
)
def test_golden_splits_exactly_and_in_order(
    golden_dir: Path, name: str, split: str, num_actions: int
) -> None:
    sequences = [read_ntu(path)[0] for path in sorted((golden_dir / "ntu_raw").glob("*.skeleton"))]
    table = {
        "subject": np.array([sequence.subject for sequence in sequences]),
        "label": np.array([sequence.label for sequence in sequences]),
        **{column: np.array([s.columns[column] for s in sequences]) for column in ("setup", "camera")},
    }
    parts = ntu_splits(num_actions)[split].apply(table.__getitem__, len(sequences))
    with np.load(golden_dir / f"{name}.npz") as golden:
        for part, indices in zip(("train", "test"), parts, strict=True):
            expected = golden[f"x_{part}"]
            chosen = [sequences[index] for index in indices]
            ours = authors_array(chosen, expected.shape[1], copy=num_actions == 120)
            np.testing.assert_array_equal(ours, expected)
            assert [sequence.label for sequence in chosen] == golden[f"y_{part}"].argmax(axis=1).tolist()


def test_the_name_says_who_what_and_where(golden_dir: Path) -> None:
    (sequence,) = read_ntu(golden_dir / "ntu_raw" / "S019C001P045R002A110.skeleton")
    assert (sequence.label, sequence.subject) == (109, 45)
    assert sequence.columns == {"setup": 19, "camera": 1, "replication": 2}


def file_of(*bodies: tuple[int, np.ndarray]) -> SkeletonFile:
    tracks = {str(i): Body(np.arange(start, start + len(j)), j) for i, (start, j) in enumerate(bodies)}
    return SkeletonFile(max(track.frames[-1] for track in tracks.values()) + 1, tracks)


def someone(frames: int, seed: int, *, east: float = 0.0) -> np.ndarray:
    return drifting(frames, seed=seed)[:, 0] + np.float32([east, 0, 0])


def test_bodies_that_follow_each_other_are_one_person() -> None:
    first, second = someone(20, 0), someone(30, 1)
    joints = persons_of(file_of((0, first), (20, second)))
    assert joints.shape == (50, 2, 25, 3)
    assert not joints[:, 1].any()
    origin = first[0, 1] if joints[0, 0, 1].any() == 0 else second[0, 1]
    np.testing.assert_allclose(joints[:20, 0] - joints[0, 0, 1], first - first[0, 1], atol=1e-6)
    np.testing.assert_allclose(joints[20:, 0] + origin, second, atol=1e-6)


def test_bodies_side_by_side_are_two_persons() -> None:
    joints = persons_of(file_of((0, someone(30, 0)), (10, someone(30, 1, east=1))))
    assert joints.shape == (40, 2, 25, 3)
    assert joints[:30, 0].any(axis=(1, 2)).all() != joints[:30, 1].any(axis=(1, 2)).all()


def test_a_ghost_is_dropped_and_the_longest_of_ghosts_is_kept(tmp_path: Path) -> None:
    assert persons_of(file_of((0, someone(30, 0)), (5, someone(11, 1)))).shape == (30, 1, 25, 3)
    joints = persons_of(file_of((0, someone(5, 0)), (0, someone(9, 1))))
    assert joints.shape == (9, 1, 25, 3)


def write_skeleton(path: Path, frames: list[dict[str, np.ndarray]]) -> Path:
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for body, joints in bodies.items():
            lines += [f"{body} 0 1 1 1 1 0 0.01 -0.02 2", "25"]
            lines += [" ".join([*map(repr, joint), *["0"] * 9]) for joint in joints.tolist()]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_odd_numbers_are_read_as_float_reads_them(tmp_path: Path) -> None:
    joints = np.random.default_rng(0).normal(size=(3, 25, 3)) * 10.0 ** np.arange(-9, 3, 4)[:, None, None]
    path = write_skeleton(tmp_path / "a.skeleton", [{"7": frame} for frame in joints])
    assert "e-" in path.read_text()
    np.testing.assert_array_equal(read_skeleton_file(path).bodies["7"].joints, joints.astype(np.float32))


def test_body_ids_beyond_float64_stay_apart(tmp_path: Path) -> None:
    frame = {"72057594037931101": someone(1, 0)[0], "72057594037931102": someone(1, 1)[0]}
    assert len(read_skeleton_file(write_skeleton(tmp_path / "a.skeleton", [frame])).bodies) == 2


def test_a_file_without_anybody_holds_no_sequence(tmp_path: Path) -> None:
    assert read_ntu(write_skeleton(tmp_path / "a.skeleton", [{}, {}])) == []


def test_bodies_of_zeros_are_nobody(tmp_path: Path) -> None:
    nobody = np.zeros((25, 3), dtype=np.float32)
    # The last body stands upright around the origin, so that its coordinates cancel out in every frame.
    upright = np.float32([[0, y, 0] for y in range(-12, 13)])
    for bodies in ({"1": nobody}, {"1": nobody, "2": nobody}, {"1": nobody, "2": upright}):
        assert read_ntu(write_skeleton(tmp_path / "a.skeleton", [bodies] * 15)) == []


def test_a_body_that_is_twice_in_a_frame_is_named_with_its_line(tmp_path: Path) -> None:
    frames = [{"1": joints[0], "2": joints[1], "3": joints[2]} for joints in drifting(15, persons=3)]
    path = write_skeleton(tmp_path / "a.skeleton", frames)
    path.write_text(path.read_text().replace("\n2 0 1 1", "\n1 0 1 1"))
    with pytest.raises(SkeletonFileError, match=r"a\.skeleton:30: body 1 is in frame 1 a second time"):
        read_ntu(path)


def test_only_short_bodies_are_a_warning(tmp_path: Path) -> None:
    frames = [{"1": someone(1, t)[0], "2": someone(1, t + 9)[0]} for t in range(5)]
    with pytest.warns(UserWarning, match=r"a\.skeleton: no body is seen in 12 frames; the longest is kept"):
        assert len(read_ntu(write_skeleton(tmp_path / "a.skeleton", frames))) == 1


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        (lambda lines: [], 1, "the file ends where the number of frames should stand|got nothing"),
        (lambda lines: ["many", *lines[1:]], 1, "expected the number of frames, got 'many'"),
        (
            lambda lines: ["99999999999", *lines[1:]],
            57,
            "the file ends where the number of bodies should stand",
        ),
        (lambda lines: lines[:40], 40, "the file ends in frame 2 of 2"),
        (lambda lines: [*lines[:3], "31", *lines[4:]], 4, "expected 25 joints, got 31"),
        (lambda lines: [*lines[:2], "x 0 1", *lines[3:]], 3, "expected a body id, got 'x 0 1'"),
        (lambda lines: [*lines[:9], "1.0 2.0", *lines[10:]], 10, "expected x y z of a joint, got '1.0 2.0'"),
        (lambda lines: [*lines[:9], "1.0 nan 2.0 3", *lines[10:]], 10, "expected x y z"),
        (lambda lines: [*lines[:9], "1.0 2.0 1e39 0", *lines[10:]], 10, "expected x y z"),
        (lambda lines: [*lines, "1"], 58, "expected the end of the file, got '1'"),
    ],
)
def test_damage_is_named_with_its_line(tmp_path: Path, change, line: int, message: str) -> None:
    path = write_skeleton(tmp_path / "a.skeleton", [{"1": someone(1, 0)[0]}, {"1": someone(1, 1)[0]}])
    path.write_text("\n".join(change(path.read_text().splitlines())))
    with pytest.raises(SkeletonFileError, match=message) as caught:
        read_ntu(path)
    assert caught.value.line is not None
    assert abs(caught.value.line - line) <= 1
    assert caught.value.path == path
