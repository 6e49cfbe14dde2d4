"""`SkeletonStore`: what everybody else in the package sees of a store."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

import numpy as np

from stars_hub.errors import StoreError
from stars_hub.skeletons.conversion import convert_layout
from stars_hub.skeletons.layouts import SkeletonLayout, get_layout
from stars_hub.skeletons.sequence import Sequence
from stars_hub.skeletons.splits import SplitRule, fraction_split, known_values, rows_in, shorten
from stars_hub.skeletons.store.arrays import StoreArrays
from stars_hub.skeletons.store.create import write_sequences
from stars_hub.skeletons.store.format import NO_NUMBER, decode_column
from stars_hub.skeletons.store.join import JoinedSource, Part
from stars_hub.skeletons.store.selection import known_or_refuse, label_numbers, rows_of
from stars_hub.skeletons.store.source import StoreSource
from stars_hub.skeletons.store.verify import verify_folder


class SkeletonStore(StoreArrays):
    """Recordings in a folder, or a selection of them: a sequence of samples over one memory map.

    `create` writes one, `open` opens one in milliseconds, `select`, `split` and `concatenate` give views
    that copy no frames. A store can be sent to other processes: they map the same files.

    Example::

        store = SkeletonStore.create("walks", arrays, layout="ntu25", labels=labels, subjects=subjects)
        train, test = store.split(subjects=[1, 2, 5])
        train[0].joints.shape  # (T, M, V, 3)
    """

    @classmethod
    def create(
        cls,
        folder: str | Path,
        sequences: Iterable[Any],
        *,
        layout: str | SkeletonLayout,
        labels: Iterable[Any] | None = None,
        subjects: Iterable[Any] | None = None,
        names: Iterable[str] | None = None,
        label_names: Iterable[str] | None = None,
        fps: float = 30.0,
        dtype: str = "float32",
        splits: Mapping[str, Any] | None = None,
        provenance: Mapping[str, Any] | None = None,
        progress: bool = False,
        **columns: Iterable[Any],
    ) -> "SkeletonStore":
        """Write sequences into a new store and open it.

        Any iterable will do, a generator too: memory does not grow with it. An interrupted call, or one that
        failed, is resumed by calling it again with the same sequences.

        Args:
            folder: appears whole, at the end; must not exist.
            sequences: each an array (T, V, 3) or (T, M, V, 3), metres, or a `Sequence` (a store gives those).
                NaN, a joint unknown in a frame, is stored as it is; `cleaning.fill_gaps` fills it when
                sequences are prepared for a model. A person who is zero in all frames takes no space.
            layout: name or object.
            labels: one a sequence, as are the others; lists, arrays, tensors or any iterable. Numbers, or
                names (numbered in the order of label_names, else sorted).
            subjects: one a sequence, number or text.
            names: one a sequence; by default that of the `Sequence`, or "000000", "000001", …
            label_names: the name of each label; all different.
            fps: frames a second, of all sequences.
            dtype: "float32", or "float16" for half the space and 0.5 mm precision at 1 m.
            splits: split rules by name, for example {"xsub": SplitRule("subject", train=(1, 3, 5, 7))}.
            provenance: free fields, such as source and licence.
            progress: show a bar.
            columns: further metadata, one value a sequence, such as camera=[…].

        Raises:
            StoreError: the folder exists, a sequence or a setting is bad (it is named), the disk is full. If
                sequences were written before, the message says where they are kept to be gone on from.
        """
        given = {"name": names, "label": labels, "subject": subjects, **columns}
        path = write_sequences(
            folder,
            sequences,
            {name: values for name, values in given.items() if values is not None},
            layout=layout,
            label_names=label_names,
            fps=fps,
            dtype=dtype,
            splits=splits,
            provenance=provenance,
            progress=progress,
        )
        return cls.open(path)

    @classmethod
    def open(cls, folder: str | Path) -> "SkeletonStore":
        """Open a store; reads one small file and the sizes of the others.

        Raises:
            StoreError: no store, a newer format, files missing or cut off.
        """
        return cls(StoreSource(folder))

    @classmethod
    def concatenate(cls, stores: Iterable["SkeletonStore"]) -> "SkeletonStore":
        """Join stores of one layout and one frame rate into one view, without copying their frames.

        Labels are merged by name. A column that a store lacks is unknown there; a column ``source`` says
        which store's folder a sample came from. `copy` writes the view as one folder.

        Raises:
            StoreError: layouts or frame rates differ, or only some stores have label names.
        """
        return cls(
            JoinedSource([Part(p._source, p._rows, p.labels, p.label_names, p.fingerprint) for p in stores])
        )

    def copy(
        self,
        folder: str | Path,
        *,
        layout: str | SkeletonLayout | None = None,
        dtype: str | None = None,
        progress: bool = False,
    ) -> "SkeletonStore":
        """Write this selection as a store of its own.

        Args:
            folder: as for `create`.
            layout: convert the joints to this layout, as an encoder of it needs to be trained; None: as is.
            dtype: of the frames; None: as it is.
            progress: show a bar.

        Raises:
            StoreError: see `create`.
            LayoutError: nothing of the layout can be made of these joints.
        """
        target = self.layout if layout is None else get_layout(layout)
        return type(self).create(
            folder,
            self if target == self.layout else self._converted(target),
            layout=target,
            label_names=self.label_names,
            fps=self.fps,
            dtype=dtype or str(self.frames.dtype),
            splits=self._source.splits,
            provenance=self.provenance,
            progress=progress,
        )

    def _converted(self, target: SkeletonLayout) -> Iterator[Sequence]:
        for sequence in self:
            yield replace(sequence, joints=convert_layout(sequence.joints, self.layout, target))

    @overload
    def __getitem__(self, index: int | np.integer) -> Sequence: ...
    @overload
    def __getitem__(self, index: slice | list[int] | np.ndarray) -> "SkeletonStore": ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, int | np.integer):
            return self.sample(int(index))
        return self._view(self._rows[index]) if isinstance(index, slice) else self.select(index)

    def __repr__(self) -> str:
        return f"SkeletonStore({len(self)} samples, layout {self.layout.name!r}, {self.folder.name!r})"

    def _view(self, rows: np.ndarray) -> "SkeletonStore":
        return type(self)(self._source, rows, self._label_ids)

    def select(self, which: Any = None, /, **conditions: Any) -> "SkeletonStore":
        """A view of some samples, in the order given by `which`, else in this one's.

        Args:
            which: (N,) bool mask, or indices.
            conditions: a column's name and the value, or the values, that it may have: label=[0, 4],
                label="wave", camera=2, subject="2". All must hold, which no sample of this view need do.

        Raises:
            StoreError: no such column or index, or a value that is nowhere in the whole store.
        """
        view = self if which is None else self._view(self._rows[rows_of(which, len(self))])
        for name, wanted in conditions.items():
            if name == "label":
                column, found = view.labels, label_numbers(wanted, self.label_names, self._num_labels)
            else:
                there = decode_column(self._source.raw_column(name))
                column, found = view.column(name), known_or_refuse(name, wanted, there)
            view = view._view(view._rows[np.sort(rows_in(column, found))])
        return view

    @property
    def _num_labels(self) -> int:
        """Labels are below this number in the whole store."""
        if self._label_ids is not None:
            return int(self._label_ids.max(initial=NO_NUMBER)) + 1
        return len(self.label_names or ()) or int(self._source.raw_column("label").max(initial=NO_NUMBER)) + 1

    def renumber_labels(self) -> "SkeletonStore":
        """The same samples with the labels that occur numbered 0, 1, … in their old order."""
        present = np.unique(self.labels[self.labels >= 0])
        size = len(self.label_names or ()) or int(present.max(initial=-1)) + 1
        ids = np.full(size, NO_NUMBER, dtype=np.int64)
        ids[present] = np.arange(len(present))
        if self._label_ids is not None:
            ids = np.where(self._label_ids >= 0, ids[self._label_ids], NO_NUMBER)
        return type(self)(self._source, self._rows, ids)

    def split(
        self,
        rule: str | SplitRule | None = None,
        *,
        subjects: Iterable[Any] | None = None,
        names: Iterable[str] | None = None,
        fraction: float | None = None,
        seed: int = 0,
        stratify: bool = True,
    ) -> "tuple[SkeletonStore, SkeletonStore]":
        """Divide the samples into (train, test), in one of four ways.

        Args:
            rule: the name of a split that the store declares (see `split_names`; "xsub", "xset",
                "ntu60_xsub", "few_shot", … on prepared NTU data), or a rule of one's own.
            subjects: the training subjects, as numbers or text; the other known ones test.
            names: the training samples; the others test.
            fraction: this share trains, drawn at random.
            seed: of that draw.
            stratify: draw the fraction of every class alike.

        Raises:
            StoreError: not exactly one way was given, the store does not know the split, or no sample is
                of one of the subjects or names. (A rule may name what a part of a dataset lacks.)
        """
        given = [way for way in (rule, subjects, names, fraction) if way is not None]
        if len(given) != 1:
            raise StoreError(f"split: expected one of rule, subjects, names, fraction, got {len(given)}")
        if fraction is not None:
            labels = self.labels if stratify and (self.labels >= 0).any() else None
            train, test = fraction_split(len(self), fraction, seed=seed, labels=labels)
        else:
            rule = self._split_rule(rule, subjects, names)
            train, test = rule.apply(self.column, len(self))
            if len(self) and not len(train):
                raise StoreError(
                    f"no sample has a {rule.column} among the training ones {shorten(rule.train)}; "
                    f"this store has {shorten(np.unique(self.column(rule.column)).tolist())}"
                )
        return self._view(self._rows[train]), self._view(self._rows[test])

    def _split_rule(
        self, rule: str | SplitRule | None, subjects: Iterable[Any] | None, names: Iterable[str] | None
    ) -> SplitRule:
        for column, listed in (("subject", subjects), ("name", names)):
            if listed is not None:
                there = known_values(self.column(column))
                return SplitRule(column, train=tuple(known_or_refuse(column, listed, there)))
        if isinstance(rule, SplitRule):
            return rule
        if rule is None or rule not in self._source.splits:
            declared = ", ".join(self._source.splits) or "none"
            raise StoreError(
                f"this store declares no split {rule!r} (declared: {declared}): name subjects instead, "
                "or declare it when the store is made: "
                "create(…, splits={'xsub': SplitRule('subject', train=(1, 3))})"
            )
        return SplitRule.from_json(self._source.splits[rule])

    def verify(self, *, progress: bool = False) -> None:
        """Compare every byte on disk with its checksum.

        Raises:
            StoreError: names the first damage: a file, or a sample.
        """
        for folder in self._source.folders:
            verify_folder(folder, progress=progress)
