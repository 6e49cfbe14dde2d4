"""Building a store: append-only, resumable after a kill at any moment, renamed into place at the end."""

import errno
import json
import math
import os
import shutil
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from stars_hub.errors import StoreError
from stars_hub.skeletons.layouts import SkeletonLayout, get_layout
from stars_hub.skeletons.sequence import Sequence
from stars_hub.skeletons.store.finish import write_index
from stars_hub.skeletons.store.format import (
    DTYPES,
    FORMAT_VERSION,
    FRAMES_HEADER_BYTES,
    FRAMES_NAME,
    frames_header,
    layout_to_json,
)
from stars_hub.skeletons.store.journal import (
    JOURNAL_NAME,
    BuildEntry,
    SampleRecord,
    check_kinds,
    dump_line,
    make_entry,
    read_finished,
)
from stars_hub.skeletons.store.lock import BuildLock
from stars_hub.skeletons.store.metadata import (
    check_column_names,
    check_label,
    check_label_names,
    storable_value,
)
from stars_hub.skeletons.store.validation import pack_rows

DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class StoreBuilder:
    """Writes the samples of one store, item by item, into ``.NAME.building`` beside it.

    What is finished survives a kill -9: the next builder of the same store finds it. Offer it the same
    items in the same order with `resume`; from the first item that differs on, the old build is discarded.
    One builder at a time; an existing store is never overwritten. Frames go to disk before the journal line
    that speaks of them, and each line holds checksums, so even a power failure costs only the tail.

    Args:
        folder: the store to be.
        layout: name or object.
        fps: frames a second.
        dtype: "float32" or "float16", of the frames on disk.
        label_names: names of the labels 0, 1, …; without them, labels given as text make their own, sorted.
        signature: how the items are made; a build with another signature is not resumed.

    Raises:
        StoreError: something lies at `folder` already, another process builds it, the disk is full, or a
            setting cannot be. Where something is finished, the message of what ends a build says where it is.

    Example::

        with StoreBuilder("walks", layout="ntu25") as builder:
            for path in paths:
                if builder.resume(path.name) is None:
                    builder.add(path.name, read_sequences(path))
            builder.finish()
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        layout: str | SkeletonLayout,
        fps: float = 30.0,
        dtype: str = "float32",
        label_names: Iterable[str] | None = None,
        signature: str = "",
    ) -> None:
        if dtype not in DTYPES:
            raise StoreError(f"dtype: expected one of {', '.join(DTYPES)}, got {dtype!r}")
        if isinstance(fps, bool) or not isinstance(fps, int | float | np.number) or not 0 < fps < math.inf:
            raise StoreError(f"fps: expected a positive number, got {fps!r}")
        # Not resolve(): a link to another disk is to be replaced by nothing.
        self.folder = Path(os.path.abspath(Path(folder).expanduser()))
        self.build_folder = self.folder.with_name(f".{self.folder.name}.building")
        self.layout = get_layout(layout)
        self.fps, self.dtype = float(fps), dtype
        self.label_names = check_label_names(label_names)
        self.signature = signature
        self.num_samples = self._rows = self._journal_end = 0
        self._row_bytes = self.layout.num_joints * 3 * np.dtype(dtype).itemsize
        self._pending: deque[BuildEntry] = deque()
        self._examples: Mapping[str, Any] = {}

    def __enter__(self) -> "StoreBuilder":
        with ExitStack() as stack, self._disk_errors():
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(BuildLock(self.folder.with_name(f".{self.folder.name}.lock")))
            self._refuse_existing()
            self.build_folder.mkdir(exist_ok=True)
            self._frames = stack.enter_context(self._open(FRAMES_NAME))
            self._journal = stack.enter_context(self._open(JOURNAL_NAME))
            self._load()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if not self.num_samples and not self._pending:  # nothing that the next build could use
                shutil.rmtree(self.build_folder, ignore_errors=True)
        if isinstance(error, StoreError) and self.build_folder.exists():
            raise StoreError(
                f"{error}. What is finished is kept in {self.build_folder} for the same call to go on from "
                "there; delete that folder if there will be none"
            ) from error

    def resume(self, key: str) -> BuildEntry | None:
        """Take an item over from an interrupted build, if the next one there has this key.

        Returns:
            What the item held, or None: then `add` it.
        """
        if not self._pending or self._pending[0].key != key:
            self._pending.clear()
            return None
        entry = self._pending.popleft()
        self._rows, self._journal_end = entry.rows_end, entry.journal_end
        self._examples = entry.examples
        self.num_samples += entry.num_samples
        return entry

    def add(
        self, key: str, sequences: Iterable[Sequence], *, skipped: Iterable[tuple[str, str]] = ()
    ) -> BuildEntry:
        """Write one item: all of its sequences, or none if one of them is bad.

        Args:
            key: by which `resume` knows the item again.
            sequences: with joints (T, V, 3) or (T, M, V, 3), metres, NaN where unknown.
            skipped: (name, reason) of what the item could not give.

        Raises:
            StoreError: a sequence is empty, does not fit the layout, holds infinite values; a column would
                mix text and numbers; the disk is full.
        """
        self._pending.clear()
        packed = [self._pack(sequence) for sequence in sequences]
        records = [record for record, _ in packed]
        examples = check_kinds(self._examples, records)
        notes = list(skipped)
        line = dump_line(key, records, notes)
        with self._disk_errors():
            self._write_at(
                self._frames, FRAMES_HEADER_BYTES + self._rows * self._row_bytes, (r for _, r in packed)
            )
            self._write_at(self._journal, self._journal_end, [line])
        self._rows += sum(record.num_rows for record in records)
        self._journal_end += len(line)
        self.num_samples += len(records)
        self._examples = examples
        return make_entry(key, records, notes, self._rows, self._journal_end, examples)

    def finish(
        self,
        *,
        splits: Mapping[str, Mapping[str, Any]] | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> Path:
        """Write the index and put the store into its place.

        Args:
            splits: split rules by name, see `stars_hub.skeletons.splits`.
            provenance: what the store was made of, free fields.

        Raises:
            StoreError: there is no sample, or the disk is full.
        """
        if not self.num_samples:
            raise StoreError(f"{self.folder}: there is no sequence to store")
        with self._disk_errors():
            self._truncate()
            self._frames.seek(0)
            self._frames.write(frames_header(self._rows, self.layout.num_joints, self.dtype))
            os.fsync(self._frames.fileno())
            self._frames.close()
            write_index(
                self.build_folder,
                layout=layout_to_json(self.layout),
                fps=self.fps,
                dtype=self.dtype,
                label_names=self.label_names,
                splits=dict(splits or {}),
                provenance=dict(provenance or {}),
            )
            self._refuse_existing()
            if self.folder.is_dir():
                self.folder.rmdir()
            self._journal.close()
            os.rename(self.build_folder, self.folder)
            (self.folder / JOURNAL_NAME).unlink()
        return self.folder

    def _pack(self, sequence: Sequence) -> tuple[SampleRecord, bytes]:
        """Validate one sequence and turn it into its record and its rows."""
        present, rows = pack_rows(sequence.joints, sequence.name, self.layout, self.dtype)
        columns = {
            "name": sequence.name,
            "label": sequence.label,
            "subject": sequence.subject,
            **sequence.columns,
        }
        check_column_names(columns)
        columns["label"] = check_label(columns["label"], self.label_names, sequence.name)
        values = {name: storable_value(name, value) for name, value in columns.items() if value is not None}
        return SampleRecord(len(sequence.joints), present, zlib.crc32(rows), values), rows

    def _refuse_existing(self) -> None:
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            return
        if self.folder.exists() or self.folder.is_symlink():
            raise StoreError(f"{self.folder} exists already: delete it or choose another name")

    def _open(self, name: str) -> BinaryIO:
        path = self.build_folder / name
        path.touch()
        # Unbuffered: what a failed write leaves must not be tried again when the file is closed.
        return path.open("r+b", buffering=0)

    def _load(self) -> None:
        """Find what an interrupted build finished, or start anew."""
        settings = {
            "format_version": FORMAT_VERSION,
            "layout": layout_to_json(self.layout),
            "dtype": self.dtype,
            "label_names": self.label_names,
            "signature": self.signature,
        }
        line = json.dumps(settings, sort_keys=True).encode() + b"\n"
        journal_path, frames_path = self.build_folder / JOURNAL_NAME, self.build_folder / FRAMES_NAME
        with journal_path.open("rb") as journal, frames_path.open("rb") as frames:
            self._pending.extend(read_finished(journal, frames, line, self._row_bytes))
        if not self._pending:
            self._write_at(self._journal, 0, [line])
            self._write_at(self._frames, 0, [bytes(FRAMES_HEADER_BYTES)])
        self._journal_end = len(line)

    def _write_at(self, file: BinaryIO, position: int, blocks: Iterable[bytes]) -> None:
        file.seek(position)
        for block in blocks:
            view = memoryview(block)
            while view:
                view = view[file.write(view) :]
        file.truncate()

    def _truncate(self) -> None:
        self._pending.clear()
        self._frames.truncate(FRAMES_HEADER_BYTES + self._rows * self._row_bytes)
        self._journal.truncate(self._journal_end)

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in DISK_FULL:
                raise StoreError(
                    f"no space left for {self.folder} after {self.num_samples} samples ({error.strerror}): "
                    "free some space and run the same again to go on"
                ) from error
            raise StoreError(f"{self.folder} cannot be written: {error}") from error
