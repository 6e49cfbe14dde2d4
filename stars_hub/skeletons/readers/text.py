"""Text files of unknown origin, with every failure a SkeletonFileError."""

from pathlib import Path

from stars_hub.errors import SkeletonFileError


def read_bytes(path: str | Path) -> bytes:
    """The content of a file.

    Raises:
        SkeletonFileError: it cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:  # a NUL in the name is a ValueError
        raise SkeletonFileError(getattr(error, "strerror", None) or str(error), path) from error


def read_text(path: str | Path) -> str:
    """The content of a UTF-8 file, with or without a byte order mark.

    Raises:
        SkeletonFileError: it cannot be read, or is no UTF-8 text.
    """
    data = read_bytes(path)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SkeletonFileError("this is no UTF-8 text", path, line) from error
