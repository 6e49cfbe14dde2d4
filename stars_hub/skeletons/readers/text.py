"""Text files of unknown origin, with every failure a SkeletonFileError."""

import codecs
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
    """The content of a file in UTF-8, with or without a byte order mark, or in UTF-16 with one.

    Raises:
        SkeletonFileError: it cannot be read, or is no such text.
    """
    data = read_bytes(path)
    encoding = "UTF-16" if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "UTF-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SkeletonFileError(f"this is no {encoding.removesuffix('-sig')} text", path, line) from error
