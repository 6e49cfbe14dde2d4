"""Batches for training and evaluation, straight from a store on disk."""

import math
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from stars_hub.errors import ConfigError
from stars_hub.transforms.gather import ClipGather
from stars_hub.transforms.keyed import keyed_order, keyed_uniform
from stars_hub.transforms.samples import ClipSource, IntArray
from stars_hub.transforms.spatial import rotation_matrices, sideways_sign
from stars_hub.transforms.temporal import center_crop, random_crop

_SECOND_VIEW = 4  # the purpose of keyed randomness


class Batch(NamedTuple):
    """One batch on the CPU.

    Attributes:
        x: (N, C, T, V, M) float32, a view of memory in the order (N, M, C, T, V), in which the encoder's
            folding of persons into the batch copies nothing.
        labels: (N,) int64, -1 where a sample has none.
        ids: (N,) int64, each sample's index in the store.
        x_second: like x, other random choices for the same samples; None where one view is wanted.
    """

    x: Tensor
    labels: Tensor
    ids: Tensor
    x_second: Tensor | None = None


class BatchLoader:
    """Iterates over a store in batches: crop, resample, centre, rotate, in one gather from the memory map.

    What a sample looks like in an epoch depends on the seed, the epoch and its index in the store alone: not
    on the rank, the batch size, the prefetching or what was read before. The ranks of one job share each
    global batch of `world_size * batch_size` samples between them, so that two ranks with 16 samples each see
    what one rank with 32 sees. A loader can be pickled, and is iterated anew for every epoch.

    Frames without anybody are skipped wherever they are, and unknown joints (NaN) are filled as `encode` does
    (`skeletons.cleaning.fill_gaps`), which costs time: store cleaned recordings where speed counts.
    Persons who are never there come last, and of too many those who move most are kept, as `encode` does.

    Args:
        store: a `SkeletonStore`.
        batch_size: samples in a batch of one rank.
        num_frames: T, to which every crop is resampled.
        num_persons: M; of more persons those who move most are taken.
        crop: (low, high), a random part of the frames, or one number, the part in the middle.
        min_frames: the least number of frames in a random crop, where there are so many.
        rotation: largest angle about each axis in radians; 0 for none.
        mirror: probability with which a sample is shown in a mirror, left and right changing places.
        stretch: largest relative change of size, drawn for each axis, such as 0.1: other bodies.
        two_views: show each sample twice, each time with random choices of its own.
        absent_person: "zeros", or "copy" to put person 1 in the place of a person who is not in the sample.
        centering: "sequence" moves the middle of person 1's spine to the origin (`transforms.center`).
        seed: of the shuffling, the crops and what is done to the coordinates.
        shuffle: a new order every epoch.
        drop_last: leave out the last, incomplete global batch. Otherwise the ranks share it as evenly as
            possible, and some may get no part of it.
        rank: of this process.
        world_size: number of processes.
        prefetch: batches made ahead by a thread; 0 for none.

    Raises:
        ConfigError: a setting has a value that cannot be.

    Shapes:
        batches: `Batch` of x (N, C, T, V, M), labels (N,), ids (N,)
    """

    def __init__(
        self,
        store: ClipSource,
        *,
        batch_size: int,
        num_frames: int = 120,
        num_persons: int = 2,
        crop: tuple[float, float] | float = (0.5, 1.0),
        min_frames: int = 64,
        rotation: float = 0.3,
        mirror: float = 0.0,
        stretch: float = 0.0,
        two_views: bool = False,
        absent_person: Literal["zeros", "copy"] = "zeros",
        centering: Literal["sequence", "none"] = "sequence",
        seed: int = 0,
        shuffle: bool = True,
        drop_last: bool = True,
        rank: int = 0,
        world_size: int = 1,
        prefetch: int = 2,
    ) -> None:
        _check_whole(1, batch_size=batch_size, num_frames=num_frames, num_persons=num_persons)
        _check_whole(1, min_frames=min_frames, world_size=world_size)
        _check_whole(0, prefetch=prefetch, rank=rank)
        _check_choice(("zeros", "copy"), absent_person=absent_person)
        _check_choice(("sequence", "none"), centering=centering)
        if rank >= world_size:
            raise ConfigError(f"rank is below world_size, not {rank} of {world_size}")
        if not 0 <= rotation < math.inf:
            raise ConfigError(f"rotation is a finite angle of at least 0, not {rotation}")
        if not (0 <= mirror <= 1 and 0 <= stretch < 1):
            raise ConfigError(f"mirror lies in [0, 1] and stretch in [0, 1), got {mirror} and {stretch}")
        if drop_last and len(store) < batch_size * world_size:
            raise ConfigError(
                f"the store holds {len(store)} samples, fewer than one batch of {batch_size} on each of "
                f"{world_size} processes: lower batch_size"
            )
        self.store = store
        self.batch_size, self.num_frames = batch_size, num_frames
        self.crop, self.min_frames = crop, min_frames
        self.rotation, self.mirror, self.stretch = rotation, mirror, stretch
        self.two_views = two_views
        self.seed, self.shuffle, self.drop_last = seed, shuffle, drop_last
        self.rank, self.world_size, self.prefetch = rank, world_size, prefetch
        self.epoch = self.first_batch = 0
        one = torch.ones(1, dtype=torch.int64)  # a wrong crop shows now, not in the first batch
        _ = center_crop(one, crop) if isinstance(crop, float | int) else random_crop(one, *crop)
        self._gather = ClipGather(
            store,
            num_persons=num_persons,
            copy_absent=absent_person == "copy",
            centered=centering == "sequence",
        )

    def set_epoch(self, epoch: int, *, first_batch: int = 0) -> None:
        """Choose the epoch of the next iteration, and the batch at which it starts, for a resumed run."""
        self.epoch, self.first_batch = epoch, first_batch

    def __len__(self) -> int:
        """Number of batches that this rank gets in an epoch."""
        return len(self._batches(np.arange(len(self.store))))

    def __iter__(self) -> Iterator[Batch]:
        count = len(self.store)
        order = keyed_order(self.seed, self.epoch, count) if self.shuffle else np.arange(count)
        batches, epoch = self._batches(order)[self.first_batch :], self.epoch
        self._gather.open()
        if not self.prefetch:
            for ids in batches:
                yield self.load(ids, epoch)
            return
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="stars-hub-loader") as pool:
            waiting = iter(batches)
            ahead: deque[Future[Batch]] = deque()
            try:
                for ids in islice(waiting, self.prefetch):
                    ahead.append(pool.submit(self.load, ids, epoch))
                while ahead:
                    batch = ahead.popleft().result()
                    for ids in islice(waiting, 1):
                        ahead.append(pool.submit(self.load, ids, epoch))
                    yield batch
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def load(self, ids: IntArray, epoch: int) -> Batch:
        """Make the batch of these samples as they look in an epoch."""
        x = self._view(ids, epoch)
        labels = torch.from_numpy(np.asarray(self.store.labels[ids], dtype=np.int64))
        second = self._view(ids, epoch, purpose=_SECOND_VIEW) if self.two_views else None
        return Batch(x, labels, torch.from_numpy(ids), second)

    def _view(self, ids: IntArray, epoch: int, *, purpose: int = 0) -> Tensor:
        uniform = torch.from_numpy(keyed_uniform(self.seed, epoch, ids, 9, purpose=purpose))
        frames = self._gather.samples.lengths(ids)
        if isinstance(self.crop, float | int):
            crop = center_crop(frames, self.crop)
        else:
            crop = random_crop(frames, *self.crop, uniform=uniform[:, :2], min_frames=self.min_frames)
        matrices, mirrored = self._changes(uniform[:, 2:])
        return self._gather(ids, *crop, self.num_frames, matrices=matrices, mirrored=mirrored)

    def _changes(self, uniform: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """What multiplies coordinates (N, 3, 3), and whose sides change, of uniform numbers (N, 7)."""
        if not (self.rotation or self.mirror or self.stretch):
            return None, None
        angles = (2 * uniform[:, :3] - 1) * self.rotation
        mirrored = uniform[:, 3] < self.mirror
        scales = 1 + (2 * uniform[:, 4:] - 1) * self.stretch
        scales[mirrored] *= sideways_sign(self.store.layout)
        matrices = rotation_matrices(angles.to(torch.float32)) * scales.to(torch.float32)[:, None]
        return matrices, mirrored if self.mirror else None

    def _batches(self, order: IntArray) -> list[IntArray]:
        """This rank's part of each global batch."""
        whole = self.batch_size * self.world_size
        full = len(order) // whole
        batches = list(order[: full * whole].reshape(full, self.world_size, self.batch_size)[:, self.rank])
        if not self.drop_last:
            rest = np.array_split(order[full * whole :], self.world_size)[self.rank]
            batches += [rest] if len(rest) else []
        return batches


def _check_whole(least: int, **settings: int) -> None:
    for name, value in settings.items():
        if not isinstance(value, int) or value < least:
            raise ConfigError(f"{name} is a whole number of at least {least}, not {value!r}")


def _check_choice(choices: tuple[str, ...], **settings: str) -> None:
    for name, value in settings.items():
        if value not in choices:
            raise ConfigError(f"{name} is one of {choices}, not {value!r}")
