"""Tables of joints: wide and long, of any delimiter, with gaps, and impossible ones by their line."""

from pathlib import Path

import numpy as np
import pytest

from stars_hub.errors import SkeletonFileError
from stars_hub.skeletons import read_sequence
from tests.skeletons.recorded_files import TWO, equal, wide


@pytest.mark.parametrize(
    ("name", "delimiter", "newline", "encoding"),
    [
        ("a.csv", ",", "\n", "utf-8"),
        ("a.csv", ";", "\r\n", "utf-8-sig"),
        ("a.tsv", "\t", "\n", "utf-8"),
    ],
)
def test_wide_tables(tmp_path: Path, name: str, delimiter: str, newline: str, encoding: str) -> None:
    (tmp_path / name).write_bytes(wide(TWO, delimiter, newline).encode(encoding))
    equal(tmp_path / name, TWO)


def test_excel_tables(tmp_path: Path) -> None:
    text = "a_x;a_y;a_z\r\n1,5;-2,25;3\r\n;0,5;1e-1\r\n"
    for encoding in ("utf-16", "utf-8-sig"):
        (tmp_path / "a.csv").write_bytes(text.encode(encoding))
        np.testing.assert_array_equal(
            read_sequence(tmp_path / "a.csv"), np.float32([[[1.5, -2.25, 3]], [[np.nan, 0.5, 0.1]]])
        )


def test_a_small_table_cannot_make_a_vast_recording(tmp_path: Path) -> None:
    rows = [f"{index},{index},1,2,3" for index in range(3000)]
    (tmp_path / "a.csv").write_text("\n".join(["frame,joint,x,y,z", *rows]))
    with pytest.raises(SkeletonFileError, match=r"3000 rows cannot be \(3000, 1, 3000\) frames"):
        read_sequence(tmp_path / "a.csv")


def test_a_table_without_frame_and_person_and_with_gaps(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('"a_x",a_y,a_z,b_x,b_y,b_z\n1,2,3,4,5,6\n\n7,8,9,,nan,NaN\n')
    joints = read_sequence(tmp_path / "a.csv")
    np.testing.assert_array_equal(joints, [[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [np.nan] * 3]])


def test_a_person_without_a_row_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("frame,person,a_x,a_y,a_z\n9,jo,1,2,3\n9,al,4,5,6\n7,jo,7,8,9\n")
    np.testing.assert_array_equal(
        read_sequence(tmp_path / "a.csv"), [[[[7, 8, 9]], [[0, 0, 0]]], [[[1, 2, 3]], [[4, 5, 6]]]]
    )


def test_long_tables(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "frame,joint,x,y,z,confidence\n0,hip,1,2,3,0.9\n0,head,4,5,6,0.05\n1,head,7,8,9,1\n"
    )
    nan = [np.nan] * 3
    np.testing.assert_array_equal(read_sequence(tmp_path / "a.csv"), [[[1, 2, 3], nan], [nan, [7, 8, 9]]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"a\.csv:1: expected a header"),
        ("a_x,a_y,a_z\n", ":1: expected rows of numbers under the header"),
        ("a,b\n1,2\n", ":1: the header lacks columns JOINT_x"),
        ("a_x,a_y,a_z,b_x,b_z\n1,2,3,4,5\n", ":1: the header lacks column b_y"),
        ("a_x,a_y,a_z\n1,2,3\n1,2\n", ":3: expected 3 cells, got 2"),
        ("a_x,a_y,a_z\n1,2,x\n", ":2: column a_z: expected a number, got 'x'"),
        ("a_x,a_y,a_x\n1,2,3\n", ":1: expected a header of different column names"),
        ("frame,a_x,a_y,a_z\n1,1,2,3\n1,4,5,6\n", ":3: this row says again what line 2 says"),
        ("frame,a_x,a_y,a_z\n,1,2,3\n", ":2: expected the number of a frame"),
        ("person,a_x,a_y,a_z\n1,1,2,3\n2,1,2,3\n", ":1: a table with several persons needs a column frame"),
        ("frame,joint,x\n1,a,1\n", ":1: a long table has the columns frame, joint, x, y, z"),
        ('a_x,a_y,a_z\n1,"2,3\n', r"a\.csv:\d: unexpected end of data"),
        ("a_x,a_y,a_z\n1,2,inf\n", "coordinates are infinite or beyond"),
    ],
)
def test_an_impossible_table_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(SkeletonFileError, match=message):
        read_sequence(tmp_path / "a.csv")
