"""A time limit on silence: work that shows no sign of life is given up, however patient it is itself.

The Hub's client retries a failing server for minutes, and a server that always cuts the same file short
without end. A large file over a slow line, on the other hand, may take as long as it needs. So what is
limited is the time in which no new byte arrives.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


class StalledError(Exception):
    """Nothing new arrived for the time given in `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"nothing arrived for {seconds:g} seconds")


class Watch:
    """Signs of life of a download: bytes counted by progress bars, bytes that appear in the cache.

    Only more than ever before counts: a download that starts over and over shows no life.

    Args:
        folder: where the downloaded files grow; another process that downloads the same file counts too.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.given_up = False
        self._most = 0
        self._last = time.monotonic()

    def alive(self) -> None:
        """Note that something arrived now."""
        self._last = time.monotonic()

    def silence(self) -> float:
        """Give the seconds since something arrived last."""
        size = _folder_size(self.folder)
        if size > self._most:
            self._most = size
            self.alive()
        return time.monotonic() - self._last

    def bar_class(self) -> type[Any]:
        """Make the client's progress bar, the user's settings for it included, report to this watch."""
        from huggingface_hub.utils.tqdm import tqdm

        watch = self

        class WatchedBar(tqdm):
            count = most = 0.0

            def update(self, n: float | None = 1) -> bool | None:
                if watch.given_up:
                    raise InterruptedError("the download was given up")
                self.count += n or 0
                if self.count > self.most:
                    self.most = self.count
                    watch.alive()
                return super().update(n)

        return WatchedBar


def run_watched(work: Callable[[], T], watch: Watch, *, limit: float) -> T:
    """Run `work` in a thread until it ends, or until `watch` saw no sign of life for `limit` seconds.

    Raises:
        StalledError: the limit passed. The thread ends at its own next step, at the latest with the process.
        BaseException: whatever `work` raised.
    """
    outcome: list[tuple[bool, Any]] = []
    done = threading.Event()

    def target() -> None:
        try:
            outcome.append((True, work()))
        except BaseException as error:
            outcome.append((False, error))
        finally:
            done.set()

    threading.Thread(target=target, name="stars-hub-download", daemon=True).start()
    try:
        while not done.wait(timeout=min(0.25, limit / 4)):
            if watch.silence() > limit:
                raise StalledError(limit)
    finally:
        watch.given_up = True
    succeeded, value = outcome[0]
    if not succeeded:
        raise value
    return value


def _folder_size(folder: Path) -> int:
    size = 0
    for path in folder.glob("*"):
        with suppress(OSError):  # renamed or removed just now
            size += path.stat().st_size
    return size
