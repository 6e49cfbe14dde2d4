"""From recordings as they come to the tensor that the encoder takes.

The steps, in this order, for each sequence:

1.  units and axes become metres with y up, joints become those of the encoder's layout;
2.  unknown joints (NaN) are filled: over time, then from their neighbours in the skeleton;
3.  persons who are never there come last; of too many, those that move most are kept;
4.  the middle of the first person's spine, when that person first appears, becomes the origin;
5.  frames without anybody are removed;
6.  the central 95 % are resampled to the encoder's number of frames;
7.  a second person whom the recording does not have is all zeros, or a copy of the first
    (`absent_person`); one whom it has as zeros stays so.

Reference: STARS (arXiv 2407.10935), section 4.2; the preprocessing of NTU RGB+D by its users.
"""

import warnings
from collections.abc import Iterator
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from einops import rearrange
from torch import Tensor
from tqdm import tqdm

from stars_hub.errors import LayoutError
from stars_hub.model.config import EncoderConfig
from stars_hub.model.sources import Sequences, count, iter_named
from stars_hub.skeletons.cleaning import center_sequence, fill_gaps, person_order, remove_empty_frames
from stars_hub.skeletons.conversion import convert_layout
from stars_hub.skeletons.layouts import SkeletonLayout, get_layout, layout_names
from stars_hub.transforms.temporal import center_crop, resample_plan

CENTER_CROP = 0.95
_SHOW_PROGRESS_AFTER = 2.0  # seconds


@dataclass(frozen=True)
class Preparation:
    """How recordings are made ready for one encoder.

    Args:
        config: the encoder's.
        target: the encoder's layout.
        source: layout of the recordings; None: the encoder's own.
        units: of the coordinates: "m", "cm", "mm" or "pixels".
        up_axis: which axis of the recordings points up; None: that of their layout.
    """

    config: EncoderConfig
    target: SkeletonLayout
    source: str | SkeletonLayout | None = None
    units: str = "m"
    up_axis: str | None = None

    def clean(self, joints: np.ndarray, *, name: str) -> np.ndarray:
        """Steps 1 to 5: one sequence (T, M, V, C) -> (T', M', V', 3) with M' of at most the encoder's.

        Raises:
            LayoutError: the number of joints is not that of the layout.
        """
        source = get_layout(self.source) if self.source is not None else self.target
        if joints.shape[2] != source.num_joints:
            raise LayoutError(_wrong_joint_count(name, joints.shape[2], source))
        joints = convert_layout(joints, source, self.target, units=self.units, up_axis=self.up_axis)
        joints = fill_gaps(joints, self.target.parents)
        if not joints.any():
            warnings.warn(f"{name}: nobody is seen; its feature is that of an empty recording", stacklevel=2)
        joints = joints[:, person_order(joints, self.config.num_persons)]
        if self.config.centering == "sequence":
            joints = center_sequence(joints, self.target.spine_middle)
        return remove_empty_frames(joints)

    def batch(self, cleaned: SequenceOf[np.ndarray]) -> Tensor:
        """Steps 6 and 7: cleaned sequences, each of its own length, -> (N, C, T, V, M)."""
        lengths = torch.tensor([len(joints) for joints in cleaned])
        frames = torch.from_numpy(np.concatenate([self._with_all_persons(joints) for joints in cleaned]))
        starts, cropped = center_crop(lengths, CENTER_CROP)
        first_rows = lengths.cumsum(0) - lengths
        left, right, weight = resample_plan(first_rows + starts, cropped, self.config.num_frames)
        x = torch.lerp(frames[left], frames[right], rearrange(weight, "n t -> n t 1 1 1"))
        return rearrange(x, "n t m v c -> n c t v m").contiguous()

    def _with_all_persons(self, joints: np.ndarray) -> np.ndarray:
        lacking = self.config.num_persons - joints.shape[1]
        if not lacking:
            return joints
        filler = joints[:, :1] if self.config.absent_person == "copy" else np.zeros_like(joints[:, :1])
        return np.concatenate([joints, *[filler] * lacking], axis=1)


def prepared_batches(
    sequences: Sequences, preparation: Preparation, *, batch_size: int, progress: bool | None = None
) -> Iterator[Tensor]:
    """Read and prepare sequences, a batch at a time: never more than one batch is in memory.

    Args:
        sequences: as for `STARSEncoder.encode`.
        preparation: what is done to each.
        batch_size: sequences in a batch, N; the last may be smaller.
        progress: show a progress bar; None: if it takes longer than two seconds.

    Yields:
        (N, C, T, V, M).
    """
    bar: dict[str, Any] = {
        "disable": progress is False,
        "delay": _SHOW_PROGRESS_AFTER if progress is None else 0,
    }
    with tqdm(total=count(sequences), unit="seq", desc="encode", **bar) as shown:
        cleaned = (preparation.clean(joints, name=name) for name, joints in iter_named(sequences))
        while group := list(islice(cleaned, batch_size)):
            yield preparation.batch(group)
            shown.update(len(group))


def _wrong_joint_count(name: str, num_joints: int, expected: SkeletonLayout) -> str:
    fitting = [other for other in layout_names() if get_layout(other).num_joints == num_joints]
    hint = (
        f"pass layout={' or '.join(repr(other) for other in fitting)}"
        if fitting
        else "register a layout of yours"
    )
    return (
        f"{name}: expected the {expected.num_joints} joints of layout {expected.name!r}, got {num_joints}; "
        f"{hint} if the recordings have another joint order"
    )
