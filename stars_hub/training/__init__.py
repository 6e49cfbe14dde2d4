"""How objectives and classifiers are trained: what is frozen, parameter groups, schedules, the loop."""

from stars_hub.training.config import PretrainConfig, TrainConfig, TuneConfig
from stars_hub.training.pretraining import pretrain
from stars_hub.training.run import TrainResult
from stars_hub.training.tuning import tune

__all__ = ["PretrainConfig", "TrainConfig", "TrainResult", "TuneConfig", "pretrain", "tune"]
