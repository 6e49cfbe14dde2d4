"""A folder of recordings in any format with its ``labels.csv``, cut into items that many processes read."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from stars_hub.errors import SkeletonFileError, StarsHubError
from stars_hub.skeletons.layouts import SkeletonLayout
from stars_hub.skeletons.preparations import Preparation, layout_of
from stars_hub.skeletons.readers import SUFFIXES, read_sequences
from stars_hub.skeletons.readers.folder import LABELS_NAME, iter_folder
from stars_hub.skeletons.sequence import Sequence
from stars_hub.skeletons.store.ingest import Item

_NOT_READ = np.empty((0, 1, 0, 3), np.float32)


def prepare_folder(raw: Path, *, layout: str | SkeletonLayout | None = None) -> Preparation:
    """Files of any format that `read_sequences` reads, found recursively, in the order of their paths.

    Raises:
        SkeletonFileError: no folder, no recordings, or a ``labels.csv`` that cannot be read.
        LayoutError: several layouts have so many joints.
    """
    if not raw.is_dir():
        raise SkeletonFileError("expected a folder", raw)
    paths: list[Path] = []

    def note(path: Path) -> Iterator[Sequence]:
        paths.append(path)
        yield Sequence(_NOT_READ, path.stem)

    # Walking without reading tells every file's name and what labels.csv knows of it.
    known = list(iter_folder(raw, SUFFIXES, note))
    table = [raw / LABELS_NAME] if (raw / LABELS_NAME).is_file() else []
    items = [
        Item(about.name, (path, about), (path, *table)) for path, about in zip(paths, known, strict=True)
    ]
    return Preparation(layout_of(_first_readable(paths), raw, layout), items, read=read_known)


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


def read_known(payload: tuple[Path, Sequence]) -> list[Sequence]:
    """Read one file and add what is known of it; one of several sequences keeps its own name at the end."""
    path, about = payload
    sequences = read_sequences(path)
    return [
        replace(
            sequence,
            name=about.name if len(sequences) == 1 else f"{about.name}/{_inner(sequence.name, path.stem)}",
            label=sequence.label if about.label is None else about.label,
            subject=sequence.subject if about.subject is None else about.subject,
            columns={**sequence.columns, **about.columns},
        )
        for sequence in sequences
    ]


def _inner(name: str, stem: str) -> str:
    """The part of a sequence's name that is not the file's."""
    return name.removeprefix(f"{stem}/")
