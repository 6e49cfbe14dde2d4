"""A folder of recordings in any format, and the ``labels.csv`` that says what they are."""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from stars_hub.errors import SkeletonFileError, StarsHubError
from stars_hub.skeletons.layouts import SkeletonLayout
from stars_hub.skeletons.preparations import Preparation, layout_of
from stars_hub.skeletons.readers import read_sequences
from stars_hub.skeletons.sequence import Sequence
from stars_hub.skeletons.store.ingest import Item

LABELS_NAME = "labels.csv"
NAME_COLUMNS = ("name", "file", "filename", "path")
SUFFIXES = (".npy", ".npz", ".csv", ".tsv", ".json", ".skeleton")


def prepare_folder(raw: Path, *, layout: str | SkeletonLayout | None = None) -> Preparation:
    """Files of any format that `read_sequences` reads, found recursively, in the order of their paths.

    ``labels.csv`` has a header. A column name, file, filename or path tells the file, with or without folder
    and suffix; label (a number or text) and subject are known, every other column becomes metadata.

    Raises:
        SkeletonFileError: no folder, no recordings, or a ``labels.csv`` that cannot be read.
    """
    if not raw.is_dir():
        raise SkeletonFileError("expected a folder", raw)
    rows = read_labels(raw / LABELS_NAME) if (raw / LABELS_NAME).exists() else {}
    paths = sorted(
        path for path in raw.rglob("*") if path.suffix.lower() in SUFFIXES and path.name != LABELS_NAME
    )
    if not paths:
        raise SkeletonFileError(
            f"there is no recording here: expected files like *{', *'.join(SUFFIXES)}", raw
        )
    items = []
    for path in paths:
        name = path.relative_to(raw).as_posix()
        short = name.removesuffix(path.suffix)
        keys = (name, short, path.name, path.stem)
        row: dict[str, Any] = next((rows[key] for key in keys if key in rows), {})
        items.append(Item(name, (path, short, row), (path,)))
    return Preparation(layout_of(_first_readable(paths), raw, layout), items, read=read_labelled)


def _first_readable(paths: list[Path]) -> Sequence:
    """A sequence that tells the number of joints; what cannot be read is reported when its turn comes."""
    for sequences in map(_read_or_nothing, paths):
        if sequences:
            return sequences[0]
    raise SkeletonFileError(f"none of {len(paths)} files can be read", paths[0].parent)


def _read_or_nothing(path: Path) -> list[Sequence]:
    try:
        return read_sequences(path)
    except (StarsHubError, OSError):
        return []


def read_labelled(payload: tuple[Path, str, dict[str, Any]]) -> list[Sequence]:
    """Read one file and give its sequences the values of its row in ``labels.csv``.

    A file's only sequence is named by its path in the folder, one of many by that and its own name.
    """
    path, name, row = payload
    sequences = read_sequences(path)
    return [
        replace(
            sequence,
            name=name if len(sequences) == 1 else f"{name}/{sequence.name}",
            label=row.get("label", sequence.label),
            subject=row.get("subject", sequence.subject),
            columns={**sequence.columns, **{k: v for k, v in row.items() if k not in ("label", "subject")}},
        )
        for sequence in sequences
    ]


def read_labels(path: Path) -> dict[str, dict[str, Any]]:
    """The rows of ``labels.csv`` by the name of the file; a column is of whole numbers where all cells are.

    Raises:
        SkeletonFileError: no column tells the file, or a row has too many or too few fields.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            numbered = list(_numbered_rows(csv.reader(file)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SkeletonFileError(f"cannot be read: {error}", path) from error
    header = [name.lower() for name in numbered[0][1]] if numbered else []
    key = next((name for name in NAME_COLUMNS if name in header), None)
    if key is None:
        raise SkeletonFileError(f"expected a column {' or '.join(NAME_COLUMNS)}, got {header}", path, 1)
    for number, row in numbered:
        if len(row) != len(header):
            raise SkeletonFileError(f"expected {len(header)} fields, got {len(row)}", path, number)
    columns = dict(zip(header, zip(*(row for _, row in numbered[1:]), strict=True), strict=False))
    names = columns.pop(key, ())
    typed = {name: _numbers_if_all(cells) for name, cells in columns.items()}
    return {name: {column: cells[i] for column, cells in typed.items()} for i, name in enumerate(names)}


def _numbered_rows(reader: Any) -> Iterator[tuple[int, list[str]]]:
    for row in reader:
        if any(cell.strip() for cell in row):
            yield reader.line_num, [cell.strip() for cell in row]


def _numbers_if_all(cells: tuple[str, ...]) -> list[Any]:
    """Empty cells are unknown."""
    try:
        return [int(cell) if cell else None for cell in cells]
    except ValueError:
        return [cell or None for cell in cells]
