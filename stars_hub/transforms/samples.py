"""What the loader knows of the samples of a store: where they lie, and who is there when."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stars_hub.errors import SequenceError
from stars_hub.skeletons.cleaning import fill_gaps, person_order, present
from stars_hub.skeletons.layouts import SkeletonLayout

IntArray = npt.NDArray[np.int64]


class ClipSource(Protocol):
    """What is needed of a `SkeletonStore`."""

    def __len__(self) -> int:
        """Number of samples."""

    @property
    def layout(self) -> SkeletonLayout:
        """The layout of all samples."""

    @property
    def frames(self) -> Any:
        """(F, V, 3), rows of all persons and frames; takes slices and arrays of rows."""

    @property
    def labels(self) -> npt.NDArray[Any]:
        """(N,)."""

    @property
    def names(self) -> npt.NDArray[Any]:
        """(N,)."""

    @property
    def num_persons(self) -> npt.NDArray[Any]:
        """(N,), persons who are zeros in every frame included."""

    def person_spans(self, indices: IntArray) -> tuple[IntArray, IntArray]:
        """First row of each person (N, M), -1 if absent, and number of frames (N,)."""


class Samples:
    """The samples of a store, each looked at once, at its first use.

    What is looked for: frames without anybody (they do not count), frames in which one person is missing, and
    which persons are taken in which order (`person_order`).

    Args:
        store: the samples.
        num_persons: M; of more persons those who move most are taken.

    Attributes:
        presence: bool (T, M), who is there when, of the samples in which somebody is missing at times.
        starts: (M,), first row of each person, -1 if absent, of the samples whose persons change places.
    """

    def __init__(self, store: ClipSource, num_persons: int) -> None:
        self.store = store
        self.num_persons = num_persons
        self.presence: dict[int, npt.NDArray[np.bool_]] = {}
        self.starts: dict[int, IntArray] = {}
        self._lengths = np.zeros(len(store), dtype=np.int64)  # frames with somebody; 0: not looked at yet

    def spans(self, ids: IntArray) -> tuple[IntArray, IntArray]:
        """First rows (N, M), -1 if absent, for exactly `num_persons` persons; and numbers of frames (N,)."""
        found, lengths = self._stored(ids)
        starts = np.full((len(ids), self.num_persons), -1, dtype=np.int64)
        persons = min(self.num_persons, found.shape[1])
        starts[:, :persons] = found[:, :persons]
        for row, sample in enumerate(ids.tolist() if self.starts else ()):
            starts[row] = self.starts.get(sample, starts[row])
        return starts, lengths

    def _stored(self, ids: IntArray) -> tuple[IntArray, IntArray]:
        """First rows (N, P) of all persons, those who were stored first; and numbers of frames (N,)."""
        found, lengths = self.store.person_spans(ids)
        order = np.argsort(found < 0, axis=1, kind="stable")
        return np.take_along_axis(found, order, axis=1), lengths

    def lengths(self, ids: IntArray) -> Tensor:
        """(N,) int64: frames of each sample in which there is somebody, at least 1."""
        new = np.unique(ids[self._lengths[ids] == 0])
        if len(new):
            self._inspect(new)
        return torch.from_numpy(self._lengths[ids])

    def _inspect(self, ids: IntArray) -> None:
        """Find samples in which a person is missing in a frame: a known first coordinate clears a frame."""
        starts, lengths = self._stored(ids)
        self._lengths[ids] = lengths
        sample, person = np.nonzero(starts >= 0)
        counts = lengths[sample]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        rows = np.repeat(starts[sample, person], counts) + within
        frames = self.store.frames
        first = frames[rows, 0, 0] if isinstance(frames, np.ndarray) else frames[rows][:, 0, 0]
        suspects = np.unique(np.repeat(sample, counts)[~(np.abs(first) > 0)])
        crowded = np.flatnonzero((starts >= 0).sum(axis=1) > self.num_persons)
        for row in np.union1d(suspects, crowded):
            self._look(int(ids[row]), starts[row][starts[row] >= 0], int(lengths[row]))

    def _look(self, sample: int, starts: IntArray, length: int) -> None:
        """See who is there when, and whom to take, of the persons (P,) whose rows start here."""
        joints = self._filled(sample, starts, length)
        order = person_order(joints, self.num_persons)
        presence = np.zeros((len(joints), self.num_persons), dtype=bool)
        presence[:, : len(order)] = present(joints)[:, order]
        taken = np.full(self.num_persons, -1, dtype=np.int64)
        taken[: len(order)] = starts[order]
        taken[~presence.any(axis=0)] = -1
        if not np.array_equal(taken[: len(order)], starts[: self.num_persons]):
            self.starts[sample] = taken
        if not presence[:, taken >= 0].all() or not presence.any():
            self.presence[sample] = presence
            self._lengths[sample] = max(1, presence.any(axis=1).sum())

    def filled(self, sample: int) -> npt.NDArray[Any]:
        """All of one sample (T, M, V, 3) float32, its unknown joints filled."""
        starts, lengths = self.spans(np.array([sample]))
        return self._filled(sample, starts[0], int(lengths[0]))

    def _filled(self, sample: int, starts: IntArray, length: int) -> npt.NDArray[Any]:
        """The persons whose rows start here; zeros where a start is -1."""
        joints = np.zeros((length, len(starts), self.store.layout.num_joints, 3), dtype=np.float32)
        for person in np.flatnonzero(starts >= 0):
            joints[:, person] = self.store.frames[starts[person] : starts[person] + length]
        try:
            return fill_gaps(joints, self.store.layout.parents)
        except SequenceError as error:
            raise SequenceError(f"sample {sample} ({self.store.names[sample]}): {error}") from None
