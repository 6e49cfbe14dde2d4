"""One recording in memory: the joints, and what is known about them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

LARGEST_COORDINATE = 1e9  # in any unit; what lies beyond is damage
MAX_PERSONS = 10  # more are a batch that somebody forgot to take apart


@dataclass
class Sequence:
    """A recording as readers give it and stores keep it.

    Attributes:
        joints: (T, M, V, 3) float32, metres where the format says so; NaN is an unknown joint, a person who
            is not there in a frame is all zeros in it.
        name: what the recording is called, such as the name of its file without the suffix.
        label: number or name of its class; None: unknown.
        subject: who is recorded, number or text; None: unknown.
        columns: whatever else is known, such as camera, setup and replication.
    """

    joints: np.ndarray
    name: str = ""
    label: int | str | None = None
    subject: int | str | None = None
    columns: dict[str, Any] = field(default_factory=dict)
