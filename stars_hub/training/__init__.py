"""How objectives and classifiers are trained: what is frozen, parameter groups, schedules, the loop."""

from stars_hub.training.config import FinetuneConfig, PretrainConfig, TrainConfig, TuneConfig
from stars_hub.training.finetuning import finetune
from stars_hub.training.pretraining import pretrain
from stars_hub.training.run import TrainResult
from stars_hub.training.tuning import tune

__all__ = [
    "FinetuneConfig",
    "PretrainConfig",
    "TrainConfig",
    "TrainResult",
    "TuneConfig",
    "finetune",
    "pretrain",
    "tune",
]
