"""What the loop asks of a stage: its objective, what of it is trained, and a batch's loss."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from operator import itemgetter
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from stars_hub.checkpoints import ModelCard
from stars_hub.errors import ConfigError
from stars_hub.training.cache import FeatureCache
from stars_hub.training.config import TrainConfig
from stars_hub.training.monitor import KNNMonitor, Monitor
from stars_hub.training.optimizer import parameter_groups
from stars_hub.transforms.loader import Batch

ConfigT = TypeVar("ConfigT", bound=TrainConfig)


class Stage(ABC, Generic[ConfigT]):
    """One kind of training.

    Args:
        config: of the run.

    Attributes:
        objective: what is trained and saved: an `Objective`, or a module with the like methods.
        two_views: whether batches hold a second view of their samples.
        cache: features that need no second look, if any.
        monitor: how it is seen, between epochs, what `describe` is worth.
        summary: a sentence of the saved models' cards, on how they were trained.
    """

    objective: Any
    two_views: bool = False
    cache: FeatureCache | None = None
    monitor: ClassVar[type[Monitor]] = KNNMonitor
    summary: ClassVar[str]

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    def parameter_groups(self) -> list[dict[str, Any]]:
        """What is trained, by learning rate and weight decay."""
        return parameter_groups(
            self.objective,
            self.objective.encoder,
            base_lr=self.config.lr,
            layer_decay=self.config.layer_decay,
            weight_decay=self.config.weight_decay,
            exempt=self.config.exempt,
        )

    def parts(self, batch: Batch, count: int) -> list[tuple[Batch, float]]:
        """Cut a batch into parts that are handled one after another.

        Args:
            batch: this process's share.
            count: the number of parts, the same on all processes; some may be empty.

        Returns:
            Each part with its share of the batch's loss, over all processes.
        """
        return [(batch, 1.0)]

    @abstractmethod
    def loss(self, model: nn.Module, batch: Batch, *, epoch: int) -> Tensor:
        """The loss of a batch.

        Args:
            model: the objective, or what wraps it.
            batch: on the model's device.
            epoch: whose randomness is drawn.
        """

    def card(self, name: str) -> ModelCard:
        """The card of a saved model.

        Args:
            name: of the model.
        """
        return ModelCard(name, self.summary, config=self.objective.encoder.config.to_dict())

    def describe(self, objective: Any, x: Tensor) -> Tensor:
        """What is monitored, features for k-NN or logits for accuracy: (N, C, T, V, M) -> (N, D)."""
        features: Tensor = objective.encoder(x)
        return features


def check_last_batch(config: TrainConfig, num_samples: int) -> None:
    """Refuse a last batch of one, for a stage that normalises over the batch of all processes.

    Raises:
        ConfigError: an epoch would end with one sample.
    """
    if num_samples % config.batch_size == 1 and not config.drop_last:
        raise ConfigError("the last batch would be one recording, too few to normalise: use drop_last")


def split_batch(batch: Batch, count: int) -> list[Batch]:
    """Cut a batch into `count` parts of nearly equal size."""
    places = torch.tensor_split(torch.arange(len(batch.ids)), count)
    return [_of_both_views(batch, itemgetter(place)) for place in places]


def on_device(batch: Batch, device: torch.device, dtype: torch.dtype) -> Batch:
    """Bring a batch to where it is needed."""
    return _of_both_views(
        batch, lambda rows: rows.to(device, dtype if rows.is_floating_point() else None, non_blocking=True)
    )


def _of_both_views(batch: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    """Do the same to all that a batch holds."""
    second = None if batch.x_second is None else change(batch.x_second)
    return Batch(change(batch.x), change(batch.labels), change(batch.ids), second)


def empty_batch(like: tuple[int, ...], *, two_views: bool = False) -> Batch:
    """What a process gets where the others have the rest of the samples."""
    none = torch.from_numpy(np.empty(0, dtype=np.int64))
    nothing = torch.empty(0, *like)
    return Batch(nothing, none, none, nothing if two_views else None)
