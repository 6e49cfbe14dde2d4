"""Tables of numbers: `.csv` (separated by commas, or by semicolons) and `.tsv`. A header is required.

Wide, a row a frame (or a frame and a person):
    columns JOINT_x, JOINT_y, JOINT_z for each joint; optional `frame` and `person`.

Long, a row a joint:
    columns `frame`, `joint`, `x`, `y`, `z`; optional `person` and `confidence`.

Excel's dialects are read too: semicolons with decimal commas, and UTF-16.

Joints come in the order of the columns, or of their first appearance; z may lack. Frames are sorted if they
are numbered. An empty cell or `nan` is unknown, as is a joint of a confidence below 0.1; a person without any
row in a frame is not there.
"""

import csv
import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stars_hub.errors import SkeletonFileError
from stars_hub.skeletons.readers.check import as_joints
from stars_hub.skeletons.readers.text import read_text
from stars_hub.skeletons.sequence import Sequence

MIN_CONFIDENCE = 0.1
_MAX_GROWTH = 100  # places for joints in a recording, for each row of its table


class Row(NamedTuple):
    """A row of a table: the line it stands in, and its cells by column."""

    line: int
    cells: dict[str, str]


def iter_table(path: Path) -> Iterator[Sequence]:
    """Read a `.csv` or `.tsv` file."""
    header, rows = read_rows(path)
    if not rows:
        raise SkeletonFileError("expected rows of numbers under the header, got none", path, 1)
    columns = {name.lower(): name for name in header}
    joints = _long(rows, columns, path) if "joint" in columns else _wide(rows, columns, header, path)
    yield Sequence(as_joints(joints, path), name=path.stem)


def read_rows(path: Path) -> tuple[list[str], list[Row]]:
    """The header and the rows of a table, blank lines left out.

    Raises:
        SkeletonFileError: no header, a column twice, or a row of another width.
    """
    text = read_text(path)
    first = text.split("\n", 1)[0]
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=first.count)
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
    header: list[str] = []
    rows = []
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if not header:
                header = cells
                continue
            if len(cells) != len(header):
                raise SkeletonFileError(
                    f"expected {len(header)} cells, got {len(cells)}", path, reader.line_num
                )
            rows.append(Row(reader.line_num, dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        raise SkeletonFileError(str(error), path, reader.line_num) from error
    if not header or len({name.lower() for name in header}) < len(header):
        raise SkeletonFileError("expected a header of different column names", path, 1)
    return header, rows


def _wide(rows: list[Row], columns: dict[str, str], header: list[str], path: Path) -> np.ndarray:
    names = list(dict.fromkeys(column[:-2] for column in header if column[-2:].lower() in ("_x", "_y", "_z")))
    axes = "xyz" if any(f"{name}_z".lower() in columns for name in names) else "xy"
    wanted = [f"{name}_{axis}".lower() for name in names for axis in axes]
    lacking = [column for column in wanted if column not in columns]
    if not names or lacking:
        what = (
            f"column {lacking[0]}"
            if lacking
            else "columns JOINT_x, JOINT_y, JOINT_z (or frame, joint, x, y, z)"
        )
        raise SkeletonFileError(f"the header lacks {what}", path, 1)
    frames, persons = _places(rows, columns, path)
    joints = _zeros(frames, persons, len(names), len(axes), path)
    _refuse_doubles(zip(frames, persons, strict=True), rows, path)
    for frame, person, row in zip(frames, persons, rows, strict=True):
        values = [_number(row, columns[column], path) for column in wanted]
        joints[frame, person] = np.reshape(values, (len(names), len(axes)))
    return joints


def _long(rows: list[Row], columns: dict[str, str], path: Path) -> np.ndarray:
    axes = [axis for axis in ("x", "y", "z") if axis in columns]
    if axes[:2] != ["x", "y"] or "frame" not in columns:
        raise SkeletonFileError("a long table has the columns frame, joint, x, y, z", path, 1)
    names = list(dict.fromkeys(row.cells[columns["joint"]] for row in rows))
    frames, persons = _places(rows, columns, path)
    order = {name: index for index, name in enumerate(names)}
    places = [order[row.cells[columns["joint"]]] for row in rows]
    _refuse_doubles(zip(frames, persons, places, strict=True), rows, path)
    joints = _zeros(frames, persons, len(names), len(axes), path)
    joints[frames, persons] = np.nan  # whoever has a row is there, with joints unknown that have none
    for frame, person, joint, row in zip(frames, persons, places, rows, strict=True):
        confidence = _number(row, columns["confidence"], path) if "confidence" in columns else 1.0
        if confidence >= MIN_CONFIDENCE:
            joints[frame, person, joint] = [_number(row, columns[axis], path) for axis in axes]
    return joints


def _zeros(frames: list[int], persons: list[int], num_joints: int, num_axes: int, path: Path) -> np.ndarray:
    """An empty recording, unless a table of few rows would make a vast one."""
    shape = (max(frames) + 1, max(persons) + 1, num_joints)
    if math.prod(shape) > _MAX_GROWTH * max(len(frames), num_joints):
        raise SkeletonFileError(f"{len(frames)} rows cannot be {shape} frames, persons and joints", path)
    return np.zeros((*shape, num_axes))


def _places(rows: list[Row], columns: dict[str, str], path: Path) -> tuple[list[int], list[int]]:
    """0-based frame and person of each row; frames in order of their numbers, persons of appearance."""
    if "person" in columns:
        people = [row.cells[columns["person"]] for row in rows]
        order = {name: index for index, name in enumerate(dict.fromkeys(people))}
        persons = [order[name] for name in people]
    else:
        persons = [0] * len(rows)
    if "frame" not in columns:
        if "person" in columns and len(set(persons)) > 1:
            raise SkeletonFileError("a table with several persons needs a column frame", path, 1)
        return list(range(len(rows))), persons
    numbers = [_number(row, columns["frame"], path) for row in rows]
    for row, number in zip(rows, numbers, strict=True):
        if math.isnan(number):
            raise SkeletonFileError("expected the number of a frame, got nothing", path, row.line)
    ranks = {number: rank for rank, number in enumerate(sorted(set(numbers)))}
    return [ranks[number] for number in numbers], persons


def _refuse_doubles(places: Iterator[tuple[int, ...]], rows: list[Row], path: Path) -> None:
    """Two rows for one place are a mistake, not a choice."""
    placed = sorted((place, row.line) for place, row in zip(places, rows, strict=True))
    for (first, line), (second, other) in pairwise(placed):
        if first == second:
            raise SkeletonFileError(f"this row says again what line {line} says", path, other)


def _number(row: Row, column: str, path: Path) -> float:
    cell = row.cells[column]
    try:
        return float(cell.replace(",", ".")) if cell else math.nan  # a comma here is Excel's decimal one
    except ValueError:
        raise SkeletonFileError(
            f"column {column}: expected a number, got {cell[:40]!r}", path, row.line
        ) from None
