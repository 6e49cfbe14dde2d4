"""STARS: pretrained encoders for 3D skeleton recordings.

The science stands in arXiv 2407.10935 (STARS) and arXiv 2308.07092 (MAMP); `stars_hub.model` holds the legend
of the letters that shapes are written with.
"""

from stars_hub._version import __version__
from stars_hub.checkpoints import bundled_models as list_models
from stars_hub.hub import convert_checkpoint
from stars_hub.model import EncoderConfig, STARSEncoder
from stars_hub.skeletons import (
    SkeletonLayout,
    SkeletonStore,
    convert_layout,
    get_layout,
    layout_names,
    read_sequence,
    read_sequences,
    register_layout,
)

__all__ = [
    "EncoderConfig",
    "STARSEncoder",
    "SkeletonLayout",
    "SkeletonStore",
    "__version__",
    "convert_checkpoint",
    "convert_layout",
    "get_layout",
    "layout_names",
    "list_models",
    "read_sequence",
    "read_sequences",
    "register_layout",
]
