"""The recordings as stores, all in the layout ntu25: what is trained on, and what is only tested on.

The odd subjects of UTD-MHAD train, its even ones test and are never looked at before the end. Subjects of
different datasets get different numbers.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stars_hub.skeletons import SkeletonStore, convert_layout, read_sequences

LAYOUT = "ntu25"


class Dataset(NamedTuple):
    """A dataset's joints, and what is added to its subjects' numbers."""

    layout: str
    first_subject: int


DATASETS = {
    "uiprmd": Dataset("uiprmd22", 1000),
    "utd_mhad": Dataset("utd20", 0),
    "irds_sample": Dataset("ntu25", 2000),
}
TRAINING = ("uiprmd", "utd_odd", "irds_sample")
TEST = "utd_even"
PART = "uiprmd_part"
BALANCED = (PART, "utd_odd", "irds_sample")  # UI-PRMD has 200 recordings of a movement, the others about 20
_PART_SIZE = 200


def make_stores(data: Path, work: Path) -> None:
    """Write every store that is not there yet.

    Args:
        data: the folder of NAME.npz and NAME.json.
        work: gets a store for each of `TRAINING`, for `TEST` and for `PART`, a tenth of UI-PRMD at random.
    """
    for name, dataset in DATASETS.items():
        parts = ("utd_odd", "utd_even") if name == "utd_mhad" else (name,)
        if all((work / part).exists() for part in parts):
            continue
        names = json.loads((data / f"{name}.json").read_text())["label_names"]
        sequences = [
            replace(
                sequence,
                joints=convert_layout(sequence.joints, dataset.layout, LAYOUT),
                subject=int(sequence.subject or 0) + dataset.first_subject,
                columns={},
            )
            for sequence in read_sequences(data / f"{name}.npz")
        ]
        for part in parts:
            kept = [
                s for s in sequences if len(parts) == 1 or (int(s.subject) % 2 == 1) == (part == parts[0])
            ]
            if not (work / part).exists():
                SkeletonStore.create(work / part, kept, layout=LAYOUT, label_names=names)
    if not (work / PART).exists():
        whole = SkeletonStore.open(work / "uiprmd")
        chosen = np.sort(np.random.default_rng(0).permutation(len(whole))[:_PART_SIZE])
        whole.select(chosen).copy(work / PART)
