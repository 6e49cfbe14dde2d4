"""Several stores as one, without copying their frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stars_hub.errors import StoreError
from stars_hub.skeletons.layouts import SkeletonLayout
from stars_hub.skeletons.store.format import NO_NUMBER, encode_column, layout_to_json
from stars_hub.skeletons.store.source import StoreSource


@dataclass(frozen=True)
class Part:
    """One of the stores that are joined.

    Attributes:
        source: its arrays.
        rows: which of its samples.
        labels: (N,) their labels, as the view numbers them.
        label_names: the names of those.
        fingerprint: of the selection.
    """

    source: "StoreSource | JoinedSource"
    rows: np.ndarray
    labels: np.ndarray
    label_names: list[str] | None
    fingerprint: str


class JoinedFrames:
    """Person-frames of several memory maps behind one row number: takes slices and arrays of rows."""

    def __init__(self, parts: Sequence[Any]) -> None:
        self._parts = list(parts)
        self._ends = np.cumsum([len(part) for part in parts])
        self.shape = (int(self._ends[-1]), *parts[0].shape[1:])
        self.dtype = np.result_type(*(part.dtype for part in parts))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            part = int(np.searchsorted(self._ends, start, side="right"))
            if step == 1 and part < len(self._parts) and stop <= self._ends[part]:
                before = int(self._ends[part]) - len(self._parts[part])
                return self._parts[part][start - before : stop - before]
            rows = np.arange(start, stop, step)
        rows = np.asarray(rows)
        result = np.empty((*rows.shape, *self.shape[1:]), dtype=self.dtype)
        owners = np.searchsorted(self._ends, rows, side="right")
        for number in np.unique(owners):
            here = owners == number
            before = self._ends[number] - len(self._parts[number])
            result[here] = self._parts[number][rows[here] - before]
        return result


class JoinedSource:
    """The arrays of several selections, one after another; it offers what `StoreSource` offers.

    Raises:
        StoreError: there is none, layouts or frame rates differ, or only some have label names.
    """

    layout: SkeletonLayout
    fps: float
    folder: Path
    folders: list[Path]
    num_samples: int
    max_persons: int
    label_names: list[str] | None
    columns: list[str]
    fingerprint: str
    frames: Any
    lengths: np.ndarray
    person_offsets: np.ndarray
    person_starts: np.ndarray

    def __init__(self, parts: Sequence[Part]) -> None:
        if not parts:
            raise StoreError("concatenate: expected at least one store")
        self._parts = list(parts)
        first = parts[0].source
        for part in parts[1:]:
            if layout_to_json(part.source.layout) != layout_to_json(first.layout):
                raise StoreError(
                    f"concatenate: the layouts differ: {first.layout.name!r} in {first.folder.name}, "
                    f"{part.source.layout.name!r} in {part.source.folder.name}; bring them together with "
                    "convert_layout"
                )
            if part.source.fps != first.fps:
                raise StoreError(
                    f"concatenate: the frame rates differ: {first.fps:g} and {part.source.fps:g}"
                )
        self.layout = first.layout
        self.splits: Mapping[str, Any] = {}  # the parts' rules speak of the parts
        self.fps, self.folder = first.fps, first.folder
        self.num_samples = sum(len(part.rows) for part in parts)
        self.max_persons = max(part.source.max_persons for part in parts)
        self.label_names, self._labels = _merge_labels(self._parts)
        self.columns = list(dict.fromkeys([c for part in parts for c in part.source.columns] + ["source"]))
        self._raw: dict[str, np.ndarray] = {"label": self._labels}
        self._index()

    def _index(self) -> None:
        sources = list({id(part.source): part.source for part in self._parts}.values())
        sizes = [len(source.frames) for source in sources]
        first_row = {
            id(source): end - size for source, end, size in zip(sources, np.cumsum(sizes), sizes, strict=True)
        }
        self.frames = JoinedFrames([source.frames for source in sources])
        self.folders = [folder for source in sources for folder in source.folders]
        self.fingerprint = "+".join(part.fingerprint for part in self._parts)
        counts, starts = [], []
        for part in self._parts:
            offsets = part.source.person_offsets
            count = np.diff(offsets)[part.rows]
            counts.append(count)
            before = np.cumsum(count) - count
            persons = np.repeat(offsets[part.rows] - before, count) + np.arange(count.sum())
            there = part.source.person_starts[persons]
            starts.append(np.where(there == NO_NUMBER, there, there + first_row[id(part.source)]))
        self.lengths = np.concatenate([part.source.lengths[part.rows] for part in self._parts])
        self.person_offsets = np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int64)
        self.person_starts = np.concatenate(starts)

    @property
    def provenance(self) -> dict[str, Any]:
        """The provenance of each part, by its folder's name."""
        return {part.source.folder.name: dict(part.source.provenance) for part in self._parts}

    def raw_column(self, name: str) -> np.ndarray:
        """(S,) one metadata column, text as bytes.

        Raises:
            StoreError: no such column, or one that is text in one part and numbers in another.
        """
        if name not in self.columns:
            raise StoreError(f"there is no column {name!r}; this store has {', '.join(self.columns)}")
        if name not in self._raw:
            self._raw[name] = self._join_column(name)
        return self._raw[name]

    def _join_column(self, name: str) -> np.ndarray:
        known = [
            part.source.raw_column(name)[part.rows] if name in part.source.columns else None
            for part in self._parts
        ]
        kinds = {column.dtype.kind for column in known if column is not None and len(column)}
        if "S" in kinds and len(kinds) > 1:
            raise StoreError(f"concatenate: the column {name!r} is text in one store and numbers in another")
        columns = []
        for part, column in zip(self._parts, known, strict=True):
            if column is None:
                own = part.source.folder.name if name == "source" else None
                missing: Any = (
                    own if own is not None else {"f": np.nan, "S": ""}.get(min(kinds, default="i"), NO_NUMBER)
                )
                column = encode_column([missing] * len(part.rows))
            columns.append(column)
        return np.concatenate(columns)


def _merge_labels(parts: Sequence[Part]) -> tuple[list[str] | None, np.ndarray]:
    """Number the labels of all parts by name, in the order in which the names come up."""
    named = [part.label_names is not None for part in parts]
    if not any(named):
        return None, np.concatenate([part.labels for part in parts])
    for part in parts:
        if part.label_names is None and (part.labels >= 0).any():
            raise StoreError(
                f"concatenate: labels are merged by name, but {part.source.folder.name} has no label names"
            )
    names = list(dict.fromkeys(name for part in parts for name in part.label_names or ()))
    number = {name: position for position, name in enumerate(names)}
    merged = []
    for part in parts:
        ids = np.array([number[name] for name in part.label_names or ()] + [NO_NUMBER], dtype=np.int64)
        merged.append(ids[part.labels])  # -1 picks the last: unknown stays unknown
    return names, np.concatenate(merged)
