"""What a recording is: layouts, readers, cleaning, the store, made-up motions."""

from stars_hub.skeletons.conversion import convert_layout, nearest_joints
from stars_hub.skeletons.layouts import SkeletonLayout, get_layout, layout_names, register_layout
from stars_hub.skeletons.readers import iter_sequences, read_sequence, read_sequences
from stars_hub.skeletons.sequence import Sequence
from stars_hub.skeletons.store import SkeletonStore

__all__ = [
    "Sequence",
    "SkeletonLayout",
    "SkeletonStore",
    "convert_layout",
    "get_layout",
    "iter_sequences",
    "layout_names",
    "nearest_joints",
    "read_sequence",
    "read_sequences",
    "register_layout",
]
