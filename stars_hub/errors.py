"""Every error that a user of stars_hub can cause, in one place.

All of them are `ValueError`s, so that code which does not know this package still catches them.
A message says what was expected, what came, and where (file and line, sample name, tensor name).
"""

from pathlib import Path


class StarsHubError(ValueError):
    """The root of this package's errors."""


class ConfigError(StarsHubError):
    """A setting has a value that cannot be."""


class CheckpointError(StarsHubError):
    """A model folder, a repository or a weights file cannot be found, read, trusted or written."""


class LayoutError(StarsHubError):
    """A skeleton layout is unknown or contradicts itself, or the joints given do not fit it."""


class SequenceError(StarsHubError):
    """A sequence in memory has an impossible shape or impossible values."""


class StoreError(StarsHubError):
    """A skeleton store cannot be built, opened, verified or split."""


class SkeletonFileError(StarsHubError):
    """A recording's file cannot be read.

    Args:
        message: what was expected and what came.
        path: the file.
        line: the 1-based line in it, where the format has lines.

    Attributes:
        path: as given.
        line: as given.
    """

    def __init__(self, message: str, path: str | Path, line: int | None = None) -> None:
        self.path = Path(path)
        self.line = line
        place = f"{path}:{line}" if line is not None else f"{path}"
        super().__init__(f"{place}: {message}")


class MissingExtraError(StarsHubError, ImportError):
    """An optional package is needed for what was asked.

    Args:
        package: the import that failed.
        extra: the extra of stars-hub that brings it.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"this needs the package {package!r}: pip install 'stars-hub[{extra}]'")


class NotFiniteError(StarsHubError):
    """Numbers that training depends on are NaN or infinite.

    Args:
        what: what is not finite, such as "the features of".
        sample_ids: whose; a trainer knows their names.

    Attributes:
        sample_ids: as given.
    """

    def __init__(self, what: str, sample_ids: list[int]) -> None:
        self.sample_ids = sample_ids
        shown = ", ".join(map(str, sample_ids[:10])) + (", …" if len(sample_ids) > 10 else "")
        super().__init__(f"{what} sample {shown} are NaN or infinite")
