"""From the memory map of a store to a batch for the network, without a copy of any sample.

Every frame of a batch is a weighted sum of two rows of the map, so crop, resampling and the read itself are
one `embedding_bag`; rotation, mirror and stretch are a matrix product over all of it.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from einops import einsum, rearrange, reduce, repeat
from torch import Tensor

from stars_hub.transforms.samples import ClipSource, IntArray, Samples
from stars_hub.transforms.temporal import resample_plan


@dataclass
class _Plan:
    """Which rows of the store make which frames of the batch, and how.

    Attributes:
        left, right, weight: (N, T), two frames of a sample and how much the second counts.
        rows: (N, M), the first row of each person; -1: zeros.
        source: (N, M), whose rows each person takes: another's where person 1 is copied.
        there: (N, M, T), how much of a person-frame comes of frames in which the person is there.
        first: (N,), the first frame in which person 1 is there.
    """

    left: Tensor
    right: Tensor
    weight: Tensor
    rows: Tensor
    source: Tensor
    there: Tensor
    first: Tensor


class ClipGather:
    """Reads crops of many samples at once, as (N, C, T, V, M).

    Args:
        store: the samples.
        num_persons: M; of more persons those who move most are taken.
        copy_absent: put person 1 in the place of persons whom a sample does not have; else zeros.
        centered: move each sample so that the middle of person 1's spine starts at the origin.
    """

    def __init__(self, store: ClipSource, *, num_persons: int, copy_absent: bool, centered: bool) -> None:
        self.store = store
        self.samples = Samples(store, num_persons)
        self.num_persons = num_persons
        self.copy_absent = copy_absent
        self.centered = centered
        self._counts = torch.from_numpy(np.asarray(store.num_persons, dtype=np.int64))
        self._map: Tensor | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_map": None}  # a memory map does not travel; it is opened again

    def open(self) -> None:
        """Take the memory map as a tensor, where it is one array of float32."""
        frames = self.store.frames
        if self._map is None and isinstance(frames, np.ndarray) and frames.dtype == np.float32:
            with warnings.catch_warnings():  # "not writable": nobody writes to it
                warnings.simplefilter("ignore", UserWarning)
                self._map = torch.from_numpy(frames.reshape(len(frames), -1))

    def __call__(
        self,
        ids: IntArray,
        starts: Tensor,
        lengths: Tensor,
        num_frames: int,
        *,
        matrices: Tensor | None = None,
        mirrored: Tensor | None = None,
    ) -> Tensor:
        """Read one crop of each sample, resampled and, where wanted, centred, transformed and mirrored.

        Args:
            ids: (N,) samples.
            starts: (N,) first frame of each crop, among the frames in which there is somebody.
            lengths: (N,) frames of each crop.
            num_frames: T.
            matrices: (N, 3, 3), by which coordinates are multiplied, x' = A x.
            mirrored: (N,) bool, whose left and right joints change places; `matrices` has the mirror.

        Returns:
            (N, C, T, V, M) float32, a view of memory in the order (N, M, C, T, V).

        Raises:
            SequenceError: a coordinate is infinite; the message names the sample.
        """
        plan = self._plan(ids, resample_plan(starts, lengths, num_frames))
        sample, person = torch.nonzero(plan.rows >= 0, as_tuple=True)
        clips, origins = self._read(plan, sample, person), self._origins(plan)
        self._mend(clips, origins, plan, ids, sample, person)

        clips = rearrange(clips, "p t (v c) -> p c (t v)", c=3)
        if matrices is not None:
            clips = torch.bmm(matrices[sample], clips)
            origins = einsum(matrices, origins, "n row c, n c -> n row")
        x = torch.zeros(len(ids), self.num_persons, 3, num_frames, self.store.layout.num_joints)
        x[sample, person] = rearrange(clips, "p c (t v) -> p c t v", t=num_frames)
        if self.centered:
            x -= einsum(origins, plan.there, "n c, n m t -> n m c t")[..., None]
        if mirrored is not None:
            x[mirrored] = x[mirrored][..., list(self.store.layout.mirror_order)]
        return rearrange(x, "n m c t v -> n c t v m")

    def _plan(self, ids: IntArray, frames: tuple[Tensor, Tensor, Tensor]) -> _Plan:
        left, right, weight = frames
        rows = torch.from_numpy(self.samples.spans(ids)[0])
        source = torch.arange(self.num_persons).expand_as(rows)
        if self.copy_absent:
            source = torch.where(source < self._counts[ids][:, None], source, 0)
            rows = rows.gather(1, source)
        there = repeat((rows >= 0).float(), "n m -> n m t", t=left.shape[1]).clone()
        first = torch.zeros(len(ids), dtype=torch.int64)
        for row, sample in enumerate(ids.tolist()):
            if sample in self.samples.presence:
                presence = torch.from_numpy(self.samples.presence[sample])
                first[row] = presence[:, 0].to(torch.uint8).argmax()
                if presence.any():
                    somebody = torch.nonzero(presence.any(dim=1)).flatten()
                    left[row], right[row] = somebody[left[row]], somebody[right[row]]
                before, after = presence[left[row]].float(), presence[right[row]].float()
                there[row] = torch.lerp(before, after, weight[row, :, None])[:, source[row]].T
        return _Plan(left, right, weight, rows, source, there, first)

    def _read(self, plan: _Plan, sample: Tensor, person: Tensor) -> Tensor:
        """Sum pairs of rows of the store to the frames (P, T, V * 3) of the persons who are there."""
        rows = torch.stack([plan.left, plan.right], dim=-1)[sample] + plan.rows[sample, person, None, None]
        weights = torch.stack([1 - plan.weight, plan.weight], dim=-1)[sample]
        table = self._map
        if table is None:  # float16, or several maps: bring the rows of this batch together first
            used, rows = torch.unique(rows, return_inverse=True)
            table = torch.from_numpy(np.asarray(self.store.frames[used.numpy()], dtype=np.float32)).flatten(1)
        flat = [rearrange(part, "p t pair -> (p t) pair") for part in (rows, weights)]
        frames = F.embedding_bag(flat[0], table, per_sample_weights=flat[1], mode="sum")
        return rearrange(frames, "(p t) x -> p t x", p=len(sample))

    def _origins(self, plan: _Plan) -> Tensor:
        """The middle of person 1's spine (N, 3) in the first frame in which person 1 is there; else zeros."""
        if not self.centered:
            return torch.zeros(len(plan.rows), 3)
        rows = (plan.rows[:, 0].clamp(min=0) + plan.first).numpy()
        origins = np.asarray(self.store.frames[rows][:, self.store.layout.spine_middle], dtype=np.float32)
        return torch.where(plan.rows[:, :1] >= 0, torch.from_numpy(origins), 0)

    def _mend(
        self, clips: Tensor, origins: Tensor, plan: _Plan, ids: IntArray, sample: Tensor, person: Tensor
    ) -> None:
        """Read samples with unknown joints again, whole, and fill them; a sum shows whether all is known."""
        known = torch.isfinite(origins).all(dim=1)
        known[sample[~torch.isfinite(reduce(clips, "p t x -> p", "sum"))]] = False
        for row in torch.nonzero(~known).flatten().tolist():
            joints = torch.from_numpy(self.samples.filled(int(ids[row])))
            origins[row] = joints[plan.first[row], 0, self.store.layout.spine_middle] * self.centered
            mine = torch.nonzero(sample == row).flatten()
            persons = rearrange(joints, "t m v c -> m t (v c)")[plan.source[row, person[mine]]]
            before, after = persons[:, plan.left[row]], persons[:, plan.right[row]]
            clips[mine] = torch.lerp(before, after, plan.weight[row, :, None])
