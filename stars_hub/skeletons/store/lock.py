"""One builder at a time: an advisory lock that the system drops when its holder dies."""

import os
import sys
from pathlib import Path
from types import TracebackType

from stars_hub.errors import StoreError


def _try_lock(descriptor: int) -> bool:
    """Lock without waiting; False if another process (or another handle of this one) holds it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


class BuildLock:
    """Holds ``.NAME.lock`` beside a store that is being built.

    The kernel frees the lock of a killed process, so none is ever stale; a lock file that lies about
    is only a file.

    Args:
        path: the lock file.

    Raises:
        StoreError: on entering, if another builder holds the lock.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def __enter__(self) -> "BuildLock":
        while self._descriptor is None:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                if not _try_lock(descriptor):
                    raise StoreError(f"another process is building this store (it holds {self.path.name})")
                # The holder before us may have unlinked the file between our open and our lock.
                if self._is_at_path(descriptor):
                    self._descriptor = descriptor
            except OSError as error:
                raise StoreError(f"{self.path} cannot be locked: {error}") from error
            finally:
                if self._descriptor is None:
                    os.close(descriptor)
        return self

    def _is_at_path(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except FileNotFoundError:
            return False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is None:
            return
        if sys.platform == "win32":  # an open file cannot be unlinked there
            os.close(self._descriptor)
            self.path.unlink(missing_ok=True)
        else:
            self.path.unlink(missing_ok=True)
            os.close(self._descriptor)
        self._descriptor = None
