"""Files to a store: read by many processes, written by one, in the order given."""

import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from tqdm import tqdm

from stars_hub.errors import MissingExtraError, StarsHubError, StoreError
from stars_hub.skeletons.layouts import SkeletonLayout
from stars_hub.skeletons.sequence import Sequence
from stars_hub.skeletons.store.builder import StoreBuilder
from stars_hub.skeletons.store.journal import BuildEntry
from stars_hub.skeletons.store.validation import check_joints

FILES_A_TASK = 8
PATIENCE = 4.0  # seconds, about what it takes to start processes
MAX_WORKERS = 32
TASKS_AHEAD = 4  # a worker; what is read and not yet written stays bounded
IGNORED = "on the ignore list"
NO_BODY = "holds no body"
UNREADABLE = "unreadable"
UNFIT = "does not fit the layout"


@dataclass(frozen=True)
class Item:
    """One thing to read.

    Attributes:
        name: for reports, and for the order of the store.
        payload: what the reader is given; it travels to another process.
        files: a change of any of them makes an interrupted build read the item again.
    """

    name: str
    payload: Any
    files: tuple[Path, ...] = ()

    @property
    def key(self) -> str:
        """Name, sizes and times of change."""
        stats = [path.stat() for path in self.files]
        return "|".join([self.name, *(f"{stat.st_size}:{stat.st_mtime_ns}" for stat in stats)])


Read: TypeAlias = Callable[[Any], list[Sequence]]
Skips: TypeAlias = list[tuple[str, str]]


def read_item(read: Read, layout: SkeletonLayout, item: Item) -> tuple[list[Sequence], Skips]:
    """Read one item; what cannot be read is noted, not raised."""
    try:
        sequences = read(item.payload)
    except MissingExtraError:
        raise
    except (StarsHubError, OSError) as error:
        return [], [(item.name, f"{UNREADABLE}: {error}")]
    faults = [(sequence, _fault(sequence, layout)) for sequence in sequences]
    skips = [(sequence.name, f"{UNFIT}: {fault}") for sequence, fault in faults if fault]
    if not sequences:
        skips.append((item.name, NO_BODY))
    return [sequence for sequence, fault in faults if not fault], skips


def _fault(sequence: Sequence, layout: SkeletonLayout) -> str | None:
    """Why a store would refuse a sequence."""
    try:
        check_joints(sequence.joints, sequence.name, layout)
    except StoreError as error:
        return str(error)
    return None


def _read_items(read: Read, layout: SkeletonLayout, items: list[Item]) -> list[tuple[list[Sequence], Skips]]:
    return [read_item(read, layout, item) for item in items]


def _follow_parent() -> None:
    """End this worker when its parent is killed: the pool's queues would let it wait for ever."""
    threading.Thread(target=_exit_after_parent, daemon=True).start()


def _exit_after_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def num_cores() -> int:
    """How many processes can run at once, here."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ingest(
    builder: StoreBuilder, items: list[Item], read: Read, *, workers: int | None, progress: bool | None
) -> list[BuildEntry]:
    """Read all items that an interrupted build has not finished, and write them in order.

    Args:
        builder: writes.
        items: in the order of the store.
        read: gives an item's sequences; with more than one worker it must be picklable.
        workers: processes; by default one a core, as soon as this one alone has taken some seconds.
        progress: show a bar; None: on a terminal.

    Raises:
        StoreError: a reading process died, or the disk is full.
    """
    keys = [item.key for item in items]
    entries: list[BuildEntry] = []
    with tqdm(
        total=len(items), desc="prepare", unit="file", disable=None if progress is None else not progress
    ) as bar:
        while len(entries) < len(items) and (entry := builder.resume(keys[len(entries)])) is not None:
            entries.append(entry)
            bar.update()
        left = items[len(entries) :]
        outcomes = _outcomes(left, read, builder.layout, workers)
        for key, (sequences, skips) in zip(keys[len(entries) :], outcomes, strict=True):
            entries.append(builder.add(key, sequences, skipped=skips))
            bar.update()
    return entries


def _outcomes(
    items: list[Item], read: Read, layout: SkeletonLayout, workers: int | None
) -> Iterator[tuple[list[Sequence], Skips]]:
    """Read in this process, and where that takes long and nobody said otherwise, the rest in many."""
    left = deque(items)
    started = time.monotonic()
    limit = {None: PATIENCE, 1: float("inf")}.get(workers, 0.0)
    while left and ((workers is None and num_cores() == 1) or time.monotonic() - started < limit):
        yield read_item(read, layout, left.popleft())
    if left:
        yield from _outcomes_of_pool(left, read, layout, workers or min(num_cores(), MAX_WORKERS))


def _outcomes_of_pool(
    items: Iterable[Item], read: Read, layout: SkeletonLayout, workers: int
) -> Iterator[tuple[list[Sequence], Skips]]:
    given = list(items)
    tasks = deque(given[start : start + FILES_A_TASK] for start in range(0, len(given), FILES_A_TASK))
    # spawn: threads of a parent that was forked may hold locks for ever
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_follow_parent)
    running: deque[Future[list[tuple[list[Sequence], Skips]]]] = deque()
    with ExitStack() as stack:
        stack.callback(pool.shutdown, wait=True, cancel_futures=True)
        try:
            while tasks or running:
                while tasks and len(running) < workers * TASKS_AHEAD:
                    running.append(pool.submit(_read_items, read, layout, tasks.popleft()))
                yield from running.popleft().result()
        except BrokenProcessPool as error:
            raise StoreError(
                "a reading process died (out of memory? in a script, call this under "
                "`if __name__ == '__main__':`): run the same again to go on"
            ) from error


def ingest_stream(
    builder: StoreBuilder,
    sequences: Iterable[Sequence],
    *,
    stamp: str,
    ignored: Collection[str] = (),
    total: int | None = None,
    progress: bool | None = None,
) -> list[BuildEntry]:
    """Write sequences that come one at a time out of one large file.

    Args:
        builder: writes.
        sequences: in the order of the store.
        stamp: says which file, in which state.
        ignored: names that are not wanted.
        total: how many there are, if known.
        progress: show a bar; None: on a terminal.
    """
    entries: list[BuildEntry] = []
    bar = tqdm(sequences, total=total, desc="prepare", disable=None if progress is None else not progress)
    for number, sequence in enumerate(bar):
        key = f"{stamp}|{number}"
        entry = builder.resume(key)
        if entry is None:
            good, skips = read_item(lambda given: [given], builder.layout, Item(sequence.name, sequence))
            if sequence.name in ignored:
                good, skips = [], [(sequence.name, IGNORED)]
            entry = builder.add(key, good, skipped=skips)
        entries.append(entry)
    return entries
