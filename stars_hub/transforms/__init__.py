"""Batched tensor functions: crop, resample, rotate, centre, streams; randomness is an argument."""

from stars_hub.transforms.loader import Batch, BatchLoader
from stars_hub.transforms.spatial import (
    add_noise,
    center,
    mirror,
    random_angles,
    rotate,
    rotation_matrices,
)
from stars_hub.transforms.streams import bone_stream, motion_stream
from stars_hub.transforms.temporal import (
    center_crop,
    compact_frames,
    random_crop,
    resample,
    resample_plan,
    valid_frames,
)

__all__ = [
    "Batch",
    "BatchLoader",
    "add_noise",
    "bone_stream",
    "center",
    "center_crop",
    "compact_frames",
    "mirror",
    "motion_stream",
    "random_angles",
    "random_crop",
    "resample",
    "resample_plan",
    "rotate",
    "rotation_matrices",
    "valid_frames",
]
