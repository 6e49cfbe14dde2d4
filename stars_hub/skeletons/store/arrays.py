"""Reading: a store as a sequence of samples and as arrays over all of them."""

import hashlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from stars_hub.skeletons.layouts import SkeletonLayout
from stars_hub.skeletons.sequence import Sequence
from stars_hub.skeletons.splits import find_values, known_values, rows_in
from stars_hub.skeletons.store.format import NO_NUMBER, decode_column, plain_value
from stars_hub.skeletons.store.join import JoinedSource
from stars_hub.skeletons.store.source import StoreSource


class StoreArrays:
    """What can be read of a selection of a store's samples.

    Args:
        source: the arrays.
        rows: (N,) which samples of the source these are; all of them by default.
        label_ids: (old label,) -> new label, -1 for those that are not here; None: labels are as they are.
    """

    def __init__(
        self,
        source: StoreSource | JoinedSource,
        rows: np.ndarray | None = None,
        label_ids: np.ndarray | None = None,
    ) -> None:
        self._source = source
        self._rows = np.arange(source.num_samples) if rows is None else rows
        self._label_ids = label_ids

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Sequence]:
        return map(self.sample, range(len(self)))

    def sample(self, index: int) -> Sequence:
        """Sample `index`: joints (T, M, V, 3), read-only, and its metadata; negative ones count from the end.

        Raises:
            IndexError: there is no such sample.
        """
        row = int(self._rows[index])
        plain = {name: plain_value(self._source.raw_column(name)[row]) for name in self._source.columns}
        label = plain.pop("label")
        if label is not None and self._label_ids is not None:
            label = int(self._label_ids[label])
        return Sequence(
            joints=self._joints(row),
            name=plain.pop("name") or "",
            label=label,
            subject=plain.pop("subject", None),
            columns={name: value for name, value in plain.items() if value is not None},
        )

    def _joints(self, row: int) -> np.ndarray:
        """(T, M, V, 3) float32: a view of the memory map unless a person is absent or dtype float16."""
        first, last = self._source.person_offsets[row], self._source.person_offsets[row + 1]
        starts, length = self._source.person_starts[first:last], int(self._source.lengths[row])
        frames, joints = self._source.frames, self.layout.num_joints
        if (starts == NO_NUMBER).any():
            persons = np.zeros((len(starts), length, joints, 3), dtype=np.float32)
            for person in np.flatnonzero(starts != NO_NUMBER):
                persons[person] = frames[starts[person] : starts[person] + length]
        else:  # a sample's persons lie one after another
            rows = frames[starts[0] : starts[0] + len(starts) * length]
            persons = np.asarray(rows, dtype=np.float32).reshape(len(starts), length, joints, 3)
        persons.flags.writeable = False
        return np.moveaxis(persons, 0, 1)  # (M, T, V, 3) -> (T, M, V, 3)

    @property
    def layout(self) -> SkeletonLayout:
        """The skeleton layout of all samples."""
        return self._source.layout

    @property
    def fps(self) -> float:
        """Frames a second."""
        return self._source.fps

    @property
    def folder(self) -> Path:
        """Where the store lies (of a concatenation: its first part)."""
        return self._source.folder

    @property
    def provenance(self) -> dict[str, Any]:
        """What the store was made of."""
        return dict(self._source.provenance)

    @property
    def split_names(self) -> list[str]:
        """The splits that this store declares."""
        return list(self._source.splits)

    @property
    def columns(self) -> list[str]:
        """The names of all metadata columns; name and label are among them."""
        return list(self._source.columns)

    @cached_property
    def label_names(self) -> list[str] | None:
        """The name of each label, or None."""
        names = self._source.label_names
        if names is None or self._label_ids is None:
            return names
        return [names[old] for old in np.flatnonzero(self._label_ids != NO_NUMBER)]

    @cached_property
    def labels(self) -> np.ndarray:
        """(N,) int64; -1 where a sample has none."""
        labels = self.column("label")
        return labels if self._label_ids is None else np.where(labels < 0, labels, self._label_ids[labels])

    @cached_property
    def names(self) -> np.ndarray:
        """(N,) str."""
        return self.column("name")

    @property
    def subjects(self) -> np.ndarray:
        """(N,) int64 or str; -1 for all where the store knows none."""
        if "subject" in self._source.columns:
            return self.column("subject")
        return np.full(len(self), NO_NUMBER)

    @property
    def known_subjects(self) -> list[str]:
        """The subjects that are known, as text, in its order."""
        return sorted(known_values(self.subjects).astype(str).tolist())

    def are_of(self, subjects: Iterable[Any]) -> tuple[np.ndarray, list[Any]]:
        """Which samples are of these subjects, (N,) bool, and of whom of them there is none.

        Subjects are numbers or text: "2" is subject 2.
        """
        found, unknown = find_values(subjects, known_values(self.subjects))
        mask = np.zeros(len(self), dtype=bool)
        mask[rows_in(self.subjects, found)] = True
        return mask, unknown

    @property
    def lengths(self) -> np.ndarray:
        """(N,) int64, frames of each sample."""
        return self._source.lengths[self._rows]

    @property
    def num_persons(self) -> np.ndarray:
        """(N,) int64, persons of each sample, absent ones included."""
        return np.diff(self._source.person_offsets)[self._rows]

    @property
    def sample_ids(self) -> np.ndarray:
        """(N,) 0 … N - 1: a sample's id in training is its index in this view."""
        return np.arange(len(self))

    @property
    def source_ids(self) -> np.ndarray:
        """(N,) each sample's index in the store on disk that this is a view of."""
        return self._rows.copy()

    def column(self, name: str) -> np.ndarray:
        """(N,) a metadata column; unknown is -1, NaN or "".

        Raises:
            StoreError: no such column.
        """
        return decode_column(self._source.raw_column(name)[self._rows])

    # -- batches ----------------------------------------------------------------------------------------

    @property
    def frames(self) -> np.ndarray:
        """(F, V, 3) person-frames on disk, float32 or float16, read-only; index it with `person_spans`.

        Of a concatenation it is no array but takes slices and arrays of rows as one does.
        """
        return self._source.frames

    @property
    def max_persons(self) -> int:
        """The most persons that a sample of the whole store has."""
        return self._source.max_persons

    def person_spans(
        self, indices: np.ndarray | None = None, *, num_persons: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Where in `frames` samples lie: person j of sample i has rows starts[i, j] … + lengths[i] - 1.

        Args:
            indices: (N,) samples of this view; all of them by default.
            num_persons: M; by default `max_persons`. Further persons of a sample are left out.

        Returns:
            starts (N, M) int64, -1 where a person is absent, and lengths (N,) int64.
        """
        rows = self._rows if indices is None else self._rows[indices]
        offsets, first = self._source.person_offsets, self._source.person_offsets[rows]
        counts = offsets[rows + 1] - first
        starts = np.full((len(rows), num_persons or self.max_persons), NO_NUMBER, dtype=np.int64)
        for person in range(starts.shape[1]):
            there = counts > person
            starts[there, person] = self._source.person_starts[first[there] + person]
        return starts, self._source.lengths[rows]

    def describe(self) -> str:
        """What this is, as text of several lines."""
        source, frames = self._source, int(self.lengths.sum())
        present = int((self.person_spans()[0] != NO_NUMBER).sum())
        lines = [
            f"skeleton store {source.folder}",
            f"  samples   {len(self):,}",
            f"  frames    {frames:,} at {self.fps:g} a second ({frames / self.fps / 3600:.2f} h)",
            f"  persons   {present:,}",
            f"  layout    {self.layout.name} ({self.layout.num_joints} joints, {source.frames.dtype})",
            f"  labels    {len(np.unique(self.labels[self.labels >= 0])):,}",
            f"  columns   {', '.join(self.columns)}",
            f"  splits    {', '.join(self.split_names) or 'none declared'}",
            *(f"  {name:<9} {value}" for name, value in self.provenance.items()),
            f"  digest    {self.fingerprint}",
        ]
        return "\n".join(lines)

    @cached_property
    def fingerprint(self) -> str:
        """A digest that two stores, or selections, share only if all of their contents are equal."""
        everything = np.arange(self._source.num_samples)
        if self._label_ids is None and np.array_equal(self._rows, everything):
            return self._source.fingerprint
        selection = hashlib.blake2b(np.asarray(self._rows, dtype="<i8").tobytes(), digest_size=16)
        if self._label_ids is not None:
            selection.update(b"labels" + np.asarray(self._label_ids, dtype="<i8").tobytes())
        return f"{self._source.fingerprint}/{selection.hexdigest()}"
