"""STARS: pretrained encoders for 3D skeleton recordings.

The science stands in arXiv 2407.10935 (STARS) and arXiv 2308.07092 (MAMP); `stars_hub.model` holds the legend
of the letters that shapes are written with.

The names below are fetched when they are first used, so that processes which only read recordings do without
torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from stars_hub._version import __version__

if TYPE_CHECKING:
    from stars_hub.checkpoints import list_models
    from stars_hub.classifiers import PrototypeClassifier, STARSClassifier
    from stars_hub.evaluation import few_shot, knn_classify, linear_probe
    from stars_hub.hub import convert_checkpoint
    from stars_hub.model import EncoderConfig, STARSEncoder
    from stars_hub.objectives import MAMP, NNCLR
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
    from stars_hub.training import FinetuneConfig, PretrainConfig, TuneConfig, finetune, pretrain, tune

_ROOMS = {
    "checkpoints": ("list_models",),
    "classifiers": ("PrototypeClassifier", "STARSClassifier"),
    "evaluation": ("few_shot", "knn_classify", "linear_probe"),
    "hub": ("convert_checkpoint",),
    "model": ("EncoderConfig", "STARSEncoder"),
    "objectives": ("MAMP", "NNCLR"),
    "skeletons": (
        "SkeletonLayout",
        "SkeletonStore",
        "convert_layout",
        "get_layout",
        "layout_names",
        "read_sequence",
        "read_sequences",
        "register_layout",
    ),
    "training": ("FinetuneConfig", "PretrainConfig", "TuneConfig", "finetune", "pretrain", "tune"),
}

__all__ = [
    "MAMP",
    "NNCLR",
    "EncoderConfig",
    "FinetuneConfig",
    "PretrainConfig",
    "PrototypeClassifier",
    "STARSClassifier",
    "STARSEncoder",
    "SkeletonLayout",
    "SkeletonStore",
    "TuneConfig",
    "__version__",
    "convert_checkpoint",
    "convert_layout",
    "few_shot",
    "finetune",
    "get_layout",
    "knn_classify",
    "layout_names",
    "linear_probe",
    "list_models",
    "pretrain",
    "read_sequence",
    "read_sequences",
    "register_layout",
    "tune",
]


def __getattr__(name: str) -> Any:
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(f"stars_hub.{room}"), name)
    raise AttributeError(f"module 'stars_hub' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
