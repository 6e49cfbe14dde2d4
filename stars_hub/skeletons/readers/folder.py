"""A folder of recordings, with what is known of them in an optional `labels.csv`.

`labels.csv` has a column `file` or `name` (with or without the suffix; a path within the folder for files in
subfolders), and where known `label` (number or name), `subject` and further columns.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
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


@dataclass(frozen=True)
class KnownFile:
    """A file of a folder; travels to other processes.

    Attributes:
        path: of the file.
        name: its path within the folder, without suffix.
        label: as labels.csv says; None: unknown, as for the others.
        subject: of the recorded person.
        columns: what else labels.csv knows.
    """

    path: Path
    name: str
    label: int | str | None = None
    subject: int | str | None = None
    columns: dict[str, Any] = field(default_factory=dict)

    def sequences(self, found: Iterable[Sequence]) -> Iterator[Sequence]:
        """What was read from the file, named within the folder, with what is known of it."""
        for sequence in found:
            inner = sequence.name.removeprefix(self.path.stem)
            yield replace(
                sequence,
                name=f"{self.name}{inner}" if inner[:1] in ("", "/") else f"{self.name}/{sequence.name}",
                label=sequence.label if self.label is None else self.label,
                subject=sequence.subject if self.subject is None else self.subject,
                columns={**sequence.columns, **self.columns},
            )


def list_folder(folder: Path, suffixes: tuple[str, ...]) -> list[KnownFile]:
    """The recordings of a folder and its subfolders, sorted by path, none of them read.

    Raises:
        SkeletonFileError: no recordings, two whose names differ by the suffix only, or a row of labels.csv
            without its file.
    """
    paths = find_files(folder, suffixes)
    if not paths:
        raise SkeletonFileError(f"no recordings in this folder; they are {', '.join(suffixes)} files", folder)
    files: dict[str, Path] = {}
    for path in paths:
        name = path.relative_to(folder).with_suffix("").as_posix()
        if (other := files.setdefault(name, path)) != path:
            raise SkeletonFileError(f"{other.name} stands beside it: both would be called {name}", path)
    known = _read_labels(folder / LABELS_NAME, files)
    return [_known_file(path, name, known.get(name, {})) for name, path in files.items()]


def iter_folder(
    folder: Path, suffixes: tuple[str, ...], read: Callable[[Path], Iterator[Sequence]]
) -> Iterator[Sequence]:
    """Read a folder, file by file.

    Raises:
        SkeletonFileError: as for `list_folder`, or a file that cannot be read.
    """
    for file in list_folder(folder, suffixes):
        yield from file.sequences(read(file.path))


def _known_file(path: Path, name: str, known: dict[str, Any]) -> KnownFile:
    columns = {key: value for key, value in known.items() if key not in ("label", "subject")}
    return KnownFile(path, name, known.get("label"), known.get("subject"), columns)


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
