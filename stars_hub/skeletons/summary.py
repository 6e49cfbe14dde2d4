"""What a preparation has to say when it is done."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from stars_hub.skeletons.store.journal import BuildEntry

NAMES_SHOWN = 3


@dataclass(frozen=True)
class PrepareSummary:
    """What was read and what was not.

    Attributes:
        kind: of the raw data.
        folder: the store.
        num_files: files (of one large file: sequences) that were looked at.
        num_samples: samples in the store.
        num_frames: the sum of their lengths.
        num_persons: the sum of their persons.
        seconds: how long it took.
        skipped: (name, reason) of everything that is not in the store.
        warnings: what to look at, such as counts that differ from the complete dataset's.
    """

    kind: str
    folder: Path
    num_files: int
    num_samples: int
    num_frames: int
    num_persons: int
    seconds: float
    skipped: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = field(default=())

    @property
    def skip_counts(self) -> dict[str, int]:
        """How often each reason came up, the details after a colon left out."""
        return {reason: len(names) for reason, names in self._by_reason().items()}

    def _by_reason(self) -> dict[str, list[str]]:
        groups: dict[str, list[str]] = {}
        for name, reason in self.skipped:
            short, _, detail = reason.partition(": ")
            groups.setdefault(short, []).append(f"{name} ({detail})" if detail else name)
        return groups

    def render(self) -> str:
        """The summary as text, several lines."""
        rate = self.num_files / self.seconds if self.seconds else 0.0
        lines = [
            f"prepared {self.kind}: {self.folder}",
            f"  read     {self.num_files:,} in {self.seconds:.1f} s ({rate:,.0f} a second)",
            f"  samples  {self.num_samples:,}",
            f"  frames   {self.num_frames:,}",
            f"  persons  {self.num_persons:,}",
            f"  skipped  {len(self.skipped):,}",
        ]
        for reason, names in self._by_reason().items():
            more = "" if len(names) <= NAMES_SHOWN else f", … ({len(names) - NAMES_SHOWN:,} more)"
            lines.append(f"    {len(names):,} {reason}: {', '.join(names[:NAMES_SHOWN])}{more}")
        return "\n".join(lines + [f"warning: {warning}" for warning in self.warnings])


def summarize(
    kind: str,
    folder: Path,
    entries: Iterable[BuildEntry],
    *,
    ignored: Iterable[tuple[str, str]],
    seconds: float,
    warnings: Iterable[str],
) -> PrepareSummary:
    """Sum the items of a build up."""
    done = list(entries)
    return PrepareSummary(
        kind=kind,
        folder=folder,
        num_files=len(done),
        num_samples=sum(entry.num_samples for entry in done),
        num_frames=sum(entry.num_frames for entry in done),
        num_persons=sum(entry.num_persons for entry in done),
        seconds=seconds,
        skipped=(*ignored, *(skip for entry in done for skip in entry.skipped)),
        warnings=tuple(warnings),
    )
