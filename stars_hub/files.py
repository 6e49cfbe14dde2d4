"""Files that appear whole or not at all."""

import os
import re
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stars_hub.errors import ConfigError

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{12}\.tmp")


def temporary_name(name: str) -> str:
    """What a file or folder is called until it is finished."""
    return f".{name}.{uuid.uuid4().hex[:12]}.tmp"


def is_temporary(path: Path) -> bool:
    """Whether a killed process of this package may have left it: anybody else's files are left alone."""
    return _TEMPORARY.fullmatch(path.name) is not None


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to; at the end it takes the place of `path`, safe on disk.

    If anything goes wrong, `path` is as it was and the temporary file is gone.
    """
    path = Path(path)
    temporary = path.with_name(temporary_name(path.name))
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def output_file(path: str | Path) -> Iterator[Path]:
    """`whole_file` for a path that somebody chose.

    Raises:
        ConfigError: it cannot be written to.
    """
    try:
        with whole_file(path) as temporary:
            yield temporary
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror or error}") from error


def check_target(path: str | Path, suffixes: Iterable[str], rule: str) -> Path:
    """Say at once, before hours of work, that its result cannot be written to such a file.

    Args:
        path: of the file.
        suffixes: that it may have, in small letters.
        rule: what the error says of them, such as "features are written as .npz or .csv".

    Raises:
        ConfigError: an unknown suffix, or a folder that is not there or not to be written to.
    """
    path = Path(path)
    if not os.access(path.parent, os.W_OK):
        raise ConfigError(f"{path}: there is no folder {path.parent} that can be written to")
    if path.suffix.lower() not in suffixes:
        raise ConfigError(f"{path}: {rule}, got {path.suffix!r}")
    return path


def write_durably(path: Path, data: bytes) -> None:
    """Write a file to the disk, in a folder that nobody reads yet."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, as far as the system can: Windows opens no folders."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
