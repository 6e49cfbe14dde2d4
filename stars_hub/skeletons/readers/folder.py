"""A folder of recordings, with what is known of them in an optional `labels.csv`.

`labels.csv` has a column `file` or `name` (with or without the suffix; a path within the folder for files in
subfolders), and where known `label` (number or name), `subject` and further columns.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from stars_hub.errors import SkeletonFileError
from stars_hub.skeletons.readers.arrays import is_labels
from stars_hub.skeletons.readers.tables import read_rows
from stars_hub.skeletons.sequence import Sequence

LABELS_NAME = "labels.csv"


def find_files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The recordings of a folder and its subfolders, sorted by path.

    Left out are hidden files, labels (labels.csv, those beside an array), and a `.json` beside a recording of
    the same name: notes about it.
    """
    found = [path for path in folder.rglob("*") if path.suffix.lower() in suffixes and path.is_file()]
    others = {path.with_suffix("") for path in found if path.suffix.lower() != ".json"}
    found = [path for path in found if path.suffix.lower() != ".json" or path.with_suffix("") not in others]
    return sorted(
        path
        for path in found
        if path.name != LABELS_NAME
        and not is_labels(path)
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def iter_folder(
    folder: Path, suffixes: tuple[str, ...], read: Callable[[Path], Iterator[Sequence]]
) -> Iterator[Sequence]:
    """Read a folder, file by file.

    Raises:
        SkeletonFileError: no recordings, two whose names differ by the suffix only, a row of labels.csv
            without its file, or a file that cannot be read.
    """
    paths = find_files(folder, suffixes)
    if not paths:
        raise SkeletonFileError(f"no recordings in this folder; they are {', '.join(suffixes)} files", folder)
    names = [path.relative_to(folder).with_suffix("").as_posix() for path in paths]
    files: dict[str, Path] = {}
    for name, path in zip(names, paths, strict=True):
        if (other := files.setdefault(name, path)) != path:
            raise SkeletonFileError(f"{other.name} stands beside it: both would be called {name}", path)
    known = _read_labels(folder / LABELS_NAME, files)
    for name, path in zip(names, paths, strict=True):
        for sequence in read(path):
            inner = sequence.name.removeprefix(f"{path.stem}")
            sequence = replace(
                sequence, name=f"{name}{inner}" if inner[:1] in ("", "/") else f"{name}/{sequence.name}"
            )
            yield _labelled(sequence, known.get(name, {}))


def _labelled(sequence: Sequence, known: dict[str, Any]) -> Sequence:
    if not known:
        return sequence
    columns = {key: value for key, value in known.items() if key not in ("label", "subject")}
    return replace(
        sequence,
        label=known.get("label", sequence.label),
        subject=known.get("subject", sequence.subject),
        columns={**sequence.columns, **columns},
    )


def _read_labels(path: Path, files: dict[str, Path]) -> dict[str, dict[str, Any]]:
    """What labels.csv says, by the file's path without suffix."""
    if not path.is_file():
        return {}
    header, rows = read_rows(path)
    columns = {name.lower(): name for name in header}
    key = columns.get("file", columns.get("name"))
    if key is None:
        raise SkeletonFileError("the header needs a column file or name", path, 1)
    known: dict[str, dict[str, Any]] = {}
    for row in rows:
        given = row.cells[key]
        name = given if given in files else given[: -len(Path(given).suffix) or None]
        if name not in files:
            raise SkeletonFileError(f"there is no recording {given!r} in the folder", path, row.line)
        if name in known:
            raise SkeletonFileError(f"{given!r} stands here a second time", path, row.line)
        known[name] = {
            column: _value(row.cells[title])
            for column, title in columns.items()
            if title != key and row.cells[title]
        }
    return known


def _value(cell: str) -> int | str:
    return int(cell) if cell.isascii() and cell.removeprefix("-").isdigit() and len(cell) < 19 else cell
