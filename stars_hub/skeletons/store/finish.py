"""The end of a build: the journal becomes arrays, the arrays get checksums, the manifest names them all."""

from pathlib import Path
from typing import Any

import numpy as np

from stars_hub.skeletons.store.format import (
    COLUMNS_FOLDER,
    FRAMES_NAME,
    INDEX_NAMES,
    NO_NUMBER,
    Manifest,
    encode_column,
    write_array,
)
from stars_hub.skeletons.store.journal import JOURNAL_NAME, SampleRecord, read_records


def _number_labels(
    labels: list[Any], label_names: list[str] | None
) -> tuple[list[int | None], list[str] | None]:
    """Give text labels numbers, in sorted order."""
    texts = {label for label in labels if isinstance(label, str)}
    if not texts:
        return labels, label_names
    names = sorted(texts)
    numbers = {name: number for number, name in enumerate(names)}
    return [None if label is None else numbers[label] for label in labels], names


def _index_arrays(records: list[SampleRecord]) -> dict[str, np.ndarray]:
    """Where each person of each sample begins."""
    lengths = np.array([record.length for record in records], dtype=np.int64)
    persons = np.array([len(record.present) for record in records], dtype=np.int64)
    present = np.concatenate([np.array(record.present, dtype=bool) for record in records])
    rows = np.where(present, np.repeat(lengths, persons), 0)
    starts = np.where(present, np.cumsum(rows) - rows, NO_NUMBER)
    crcs = np.array([record.crc for record in records], dtype=np.uint32)
    return {
        "lengths": lengths,
        "person_offsets": np.concatenate([[0], np.cumsum(persons)]).astype(np.int64),
        "person_starts": starts.astype(np.int64),
        "crcs": crcs,
    }


def write_index(
    folder: Path,
    *,
    layout: Any,
    fps: float,
    dtype: str,
    label_names: list[str] | None,
    splits: dict[str, Any],
    provenance: dict[str, Any],
) -> None:
    """Write everything but the frames, the manifest last."""
    records = list(read_records(folder / JOURNAL_NAME))
    names = list(dict.fromkeys(name for record in records for name in record.columns))
    columns = {name: [record.columns.get(name) for record in records] for name in names}
    columns["label"], label_names = _number_labels(columns.get("label", [None] * len(records)), label_names)
    index = _index_arrays(records)
    files = {name: write_array(folder, name, index[name]) for name in INDEX_NAMES}
    for name, values in columns.items():
        key = f"{COLUMNS_FOLDER}/{name}"
        files[key] = write_array(folder, key, encode_column(values))
    Manifest(
        layout=layout,
        fps=fps,
        dtype=dtype,
        num_samples=len(records),
        num_rows=sum(record.num_rows for record in records),
        max_persons=max(len(record.present) for record in records),
        label_names=label_names,
        splits=splits,
        provenance=provenance,
        columns=list(columns),
        files=files,
        frames_bytes=(folder / FRAMES_NAME).stat().st_size,
    ).write(folder)
