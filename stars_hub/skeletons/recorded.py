"""Recordings in other units, or with another axis up, than their layout: made its own when stored."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

from stars_hub.skeletons.conversion import convert_layout
from stars_hub.skeletons.layouts import SkeletonLayout
from stars_hub.skeletons.sequence import Sequence
from stars_hub.skeletons.store import SkeletonStore
from stars_hub.skeletons.units import plausible_units

_LOOKED_AT = 20


@dataclass(frozen=True)
class Recorded:
    """How recordings were made; travels to other processes.

    Attributes:
        layout: of the joints.
        units: of the coordinates: "m", "cm", "mm" or "pixels".
        up_axis: the axis that points up, such as "z"; None: that of the layout.
    """

    layout: SkeletonLayout
    units: str = "m"
    up_axis: str | None = None

    def sequences(self, found: Iterable[Sequence]) -> Iterator[Sequence]:
        """The sequences in metres, with the layout's axes."""
        for sequence in found:
            joints = convert_layout(
                sequence.joints, self.layout, self.layout, units=self.units, up_axis=self.up_axis
            )
            yield replace(sequence, joints=joints)

    def reader(self, read: Callable[[Any], list[Sequence]]) -> Callable[[Any], list[Sequence]]:
        """A reader whose sequences are in metres, with the layout's axes."""
        return partial(_read, read, self)


def _read(read: Callable[[Any], list[Sequence]], recorded: Recorded, payload: Any) -> list[Sequence]:
    return list(recorded.sequences(read(payload)))


def size_warnings(store: SkeletonStore) -> list[str]:
    """Say where stored recordings are not the size of people in metres; the first few are looked at."""
    found: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for sequence in islice(store, _LOOKED_AT):
            if likely := plausible_units(sequence.joints, store.layout):
                found.add(likely)
    text = "persons are not of human size in metres; if they are in {0}, prepare them again with --units {0}"
    return [text.format(unit) for unit in sorted(found)]
