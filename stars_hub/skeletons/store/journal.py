"""What a build has finished so far: one JSON line an item, trusted as far as the frames on disk agree."""

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from stars_hub.errors import StoreError
from stars_hub.skeletons.store.format import FRAMES_HEADER_BYTES

JOURNAL_NAME = "journal.jsonl"


@dataclass(frozen=True)
class SampleRecord:
    """One sample of a journal line.

    Attributes:
        length: frames.
        present: for each person, whether it has rows on disk (False: absent in every frame).
        crc: CRC-32 of its rows.
        columns: its metadata, name and label among them.
    """

    length: int
    present: tuple[bool, ...]
    crc: int
    columns: dict[str, Any]

    @property
    def num_rows(self) -> int:
        """Person-frames on disk."""
        return self.length * sum(self.present)

    def to_json(self) -> list[Any]:
        """The record as a JSON list."""
        return [self.length, [int(present) for present in self.present], self.crc, self.columns]

    @classmethod
    def from_json(cls, data: list[Any]) -> "SampleRecord":
        """The inverse of `to_json`."""
        length, present, crc, columns = data
        return cls(int(length), tuple(map(bool, present)), int(crc), dict(columns))


def check_kinds(examples: Mapping[str, Any], records: Iterable[SampleRecord]) -> Mapping[str, Any]:
    """Refuse samples that would make a column hold both text and numbers.

    Args:
        examples: of each column of the samples before, a value.
        records: the samples that are to follow.

    Returns:
        Examples that know the columns of these samples too; the same object where they bring no new ones.

    Raises:
        StoreError: names a value of each kind.
    """
    new: dict[str, Any] = {}
    for record in records:
        for name, value in record.columns.items():
            example = examples.get(name, new.setdefault(name, value))
            if isinstance(example, str) == isinstance(value, str):
                continue
            where = f"sequence {record.columns.get('name', '')!r}: "
            if name == "label":
                raise StoreError(
                    f"{where}labels mix numbers and text, for example {example!r} and {value!r}: "
                    "give label_names"
                )
            raise StoreError(
                f"{where}column {name!r} mixes text and numbers, for example {example!r} and {value!r}"
            )
    return examples if new.keys() <= examples.keys() else {**new, **examples}


@dataclass(frozen=True)
class BuildEntry:
    """One finished item of a build: usually a file, in `SkeletonStore.create` a sequence.

    Attributes:
        key: says which item, and in which state (for example path, size and time of change).
        num_samples: samples that it gave.
        num_frames: the sum of their lengths.
        num_persons: the sum of their persons, absent ones not counted.
        skipped: (name, reason) of what it did not give.
        rows_end: person-frames in frames.npy after this item.
        journal_end: bytes in the journal after this item.
        examples: a value of each column, of all items up to this one.
    """

    key: str
    num_samples: int
    num_frames: int
    num_persons: int
    skipped: tuple[tuple[str, str], ...] = ()
    rows_end: int = field(default=0, repr=False)
    journal_end: int = field(default=0, repr=False)
    examples: Mapping[str, Any] = field(default_factory=dict, repr=False)


def make_entry(
    key: str,
    records: list[SampleRecord],
    skipped: list[tuple[str, str]],
    rows_end: int,
    journal_end: int,
    examples: Mapping[str, Any],
) -> BuildEntry:
    """Sum an item's samples up."""
    return BuildEntry(
        key,
        len(records),
        sum(record.length for record in records),
        sum(sum(record.present) for record in records),
        tuple(skipped),
        rows_end,
        journal_end,
        examples,
    )


def dump_line(key: str, records: list[SampleRecord], skipped: list[tuple[str, str]]) -> bytes:
    """One journal line, newline included."""
    data = {"key": key, "samples": [record.to_json() for record in records], "skipped": skipped}
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def parse_line(line: bytes) -> tuple[str, list[SampleRecord], list[tuple[str, str]]]:
    """Read one journal line.

    Raises:
        ValueError: it is torn.
    """
    if not line.endswith(b"\n"):
        raise ValueError("the line is cut off")
    try:
        data = json.loads(line)
        records = [SampleRecord.from_json(sample) for sample in data["samples"]]
        return str(data["key"]), records, [(str(name), str(reason)) for name, reason in data["skipped"]]
    except (KeyError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"no journal line: {error}") from error


def read_records(journal: Path) -> Iterator[SampleRecord]:
    """All samples of a journal that is known to be whole, in order."""
    with journal.open("rb") as file:
        next(file)  # the settings
        for line in file:
            yield from parse_line(line)[1]


def read_finished(journal: BinaryIO, frames: BinaryIO, settings: bytes, row_bytes: int) -> list[BuildEntry]:
    """The items that an interrupted build finished: up to the first line that is torn or whose frames differ.

    Args:
        journal: the journal, open for reading.
        frames: frames.npy, open for reading.
        settings: the journal's first line; another one there means a build of something else.
        row_bytes: bytes of one person-frame.
    """
    journal.seek(0)
    frames.seek(FRAMES_HEADER_BYTES)
    entries: list[BuildEntry] = []
    if journal.readline() != settings:
        return entries
    rows, end = 0, len(settings)
    examples: Mapping[str, Any] = {}
    for line in iter(journal.readline, b""):
        try:
            key, records, skipped = parse_line(line)
            examples = check_kinds(examples, records)
        except ValueError:
            break
        if any(zlib.crc32(frames.read(record.num_rows * row_bytes)) != record.crc for record in records):
            break
        rows += sum(record.num_rows for record in records)
        end += len(line)
        entries.append(make_entry(key, records, skipped, rows, end, examples))
    return entries
