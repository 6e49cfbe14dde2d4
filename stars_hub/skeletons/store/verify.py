"""Comparing a store with its checksums."""

import zlib
from pathlib import Path

import numpy as np
from tqdm import tqdm

from stars_hub.errors import StoreError
from stars_hub.skeletons.store.format import NO_NUMBER, array_path, file_digest
from stars_hub.skeletons.store.source import StoreSource


def verify_folder(folder: str | Path, *, progress: bool = False) -> None:
    """Read a whole store and compare it with its checksums.

    Raises:
        StoreError: the first damage, by file or by sample.
    """
    source = StoreSource(folder)  # the manifest has its own digest
    for name, entry in source.manifest.files.items():
        path = array_path(source.folder, name)
        if file_digest(path) != entry["blake2b"]:
            raise StoreError(f"the store {source.folder} is damaged: {path.name} does not fit its checksum")
    names = source.raw_column("name")
    spans = zip(_first_rows(source), source.crcs, strict=True)
    for sample, ((start, stop), crc) in enumerate(
        tqdm(spans, total=source.num_samples, desc="verify", disable=not progress)
    ):
        if zlib.crc32(source.frames[start:stop].data) != crc:
            raise StoreError(
                f"the store {source.folder} is damaged: the frames of sample {sample} "
                f"({names[sample].decode()!r}, rows {start} to {stop - 1}) do not fit their checksum"
            )


def _first_rows(source: StoreSource) -> list[tuple[int, int]]:
    """(start, stop) of each sample's rows, which follow each other without a gap."""
    present = source.person_starts != NO_NUMBER
    rows = np.add.reduceat(present, source.person_offsets[:-1]) * source.lengths
    stops = np.cumsum(rows)
    return list(zip((stops - rows).tolist(), stops.tolist(), strict=True))
