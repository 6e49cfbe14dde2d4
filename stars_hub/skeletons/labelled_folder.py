"""A folder of recordings in any format with its ``labels.csv``, cut into items that many processes read."""

from pathlib import Path

from stars_hub.errors import SkeletonFileError, StarsHubError
from stars_hub.skeletons.layouts import SkeletonLayout
from stars_hub.skeletons.preparations import Preparation, layout_of
from stars_hub.skeletons.readers import SUFFIXES, read_sequences
from stars_hub.skeletons.readers.folder import LABELS_NAME, KnownFile, list_folder
from stars_hub.skeletons.sequence import Sequence
from stars_hub.skeletons.store.ingest import Item


def prepare_folder(raw: Path, *, layout: str | SkeletonLayout | None = None) -> Preparation:
    """Files of any format that `read_sequences` reads, found recursively, in the order of their paths.

    Raises:
        SkeletonFileError: no folder, no recordings, or a ``labels.csv`` that cannot be read.
        LayoutError: several layouts have so many joints.
    """
    if not raw.is_dir():
        raise SkeletonFileError("expected a folder", raw)
    files = list_folder(raw, SUFFIXES)
    table = [raw / LABELS_NAME] if (raw / LABELS_NAME).is_file() else []
    items = [Item(file.name, file, (file.path, *table)) for file in files]
    first = _first_readable([file.path for file in files])
    return Preparation(layout_of(first, raw, layout), items, read=read_known)


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


def read_known(file: KnownFile) -> list[Sequence]:
    """Read one file and add what is known of it."""
    return list(file.sequences(read_sequences(file.path)))
