"""Training the head of the linear protocol, on features however they come.

Reference: MAMP (arXiv 2308.07092) section 4.3.
"""

from collections.abc import Callable, Iterator
from typing import Protocol, TypeAlias

import torch
from torch import Tensor
from tqdm import tqdm

from stars_hub.errors import ConfigError
from stars_hub.model.heads import LinearHead
from stars_hub.objectives.classification import classification_loss
from stars_hub.training.optimizer import CosineSchedule, set_learning_rate

MOMENTUM = 0.9

Features: TypeAlias = tuple[Tensor, Tensor]
"""features (N, D) and labels (N,)."""
OnEpoch: TypeAlias = Callable[[int, dict[str, float]], None]


def fit_linear(
    features: Tensor,
    labels: Tensor,
    num_classes: int,
    *,
    epochs: int = 100,
    lr: float = 0.1,
    batch_size: int = 256,
    seed: int = 0,
    class_weights: Tensor | None = None,
    validation: Features | None = None,
    on_epoch: OnEpoch | None = None,
) -> LinearHead:
    """Train the linear protocol's head on features that were computed before, on their device.

    Args:
        features: (N, D), at least two.
        labels: (N,), from 0.
        num_classes: K.
        epochs: passes over the features.
        lr: learning rate at the start of the cosine, which ends at 0.
        batch_size: features a step; an incomplete last batch is left out unless it is the only one.
        seed: of the head's start and the order.
        class_weights: (K,), how much a feature of each class counts.
        validation: other features with labels, whose accuracy is told after each epoch.
        on_epoch: called after each epoch with its number, from 0, and its numbers: "loss" and, where there
            is something to validate on, "accuracy".

    Returns:
        The head, in evaluation mode.

    Raises:
        ConfigError: shapes, labels or settings that cannot be.
    """
    if features.ndim != 2 or len(features) < 2 or labels.shape != features.shape[:1]:
        raise ConfigError(
            "expected features (N, D) with N >= 2 and labels (N,), got "
            f"{tuple(features.shape)} and {tuple(labels.shape)}"
        )
    if not torch.isfinite(features).all():
        raise ConfigError("features are NaN or infinite")
    if not 0 <= labels.min() <= labels.max() < num_classes:
        raise ConfigError(f"labels must lie in [0, {num_classes}), got [{labels.min()}, {labels.max()}]")
    check_recipe(
        epochs=epochs,
        batch_size=batch_size,
        num_features=len(features),
        num_classes=num_classes,
        class_weights=class_weights,
    )
    head = new_head(features.shape[1], num_classes, seed).to(features.device)
    return train_head(
        head,
        CachedFeatures(features.float(), labels, min(batch_size, len(features)), seed),
        epochs=epochs,
        lr=lr,
        class_weights=class_weights,
        validation=validation,
        on_epoch=on_epoch,
        progress=False,
    )


def check_recipe(
    *, epochs: int, batch_size: int, num_features: int, num_classes: int, class_weights: Tensor | None
) -> None:
    """Refuse settings with which no head can be trained; the head normalises over a batch of two or more.

    Raises:
        ConfigError: one that cannot be.
    """
    if epochs < 1:
        raise ConfigError(f"epochs must be at least 1, got {epochs}")
    if min(batch_size, num_features) < 2:
        raise ConfigError(
            f"expected a batch_size of at least 2 and as many recordings, got {batch_size} and {num_features}"
        )
    if class_weights is not None and class_weights.shape != (num_classes,):
        raise ConfigError(
            f"class_weights must be one for each of {num_classes} classes, got {tuple(class_weights.shape)}"
        )


class Batches(Protocol):
    """Batches of features with labels, anew for each epoch."""

    def __len__(self) -> int:
        """How many there are in an epoch."""

    def epoch(self, number: int) -> Iterator[Features]:
        """Those of one epoch."""


class CachedFeatures:
    """Features that were computed before, in a new order every epoch."""

    def __init__(self, features: Tensor, labels: Tensor, size: int, seed: int) -> None:
        self.features, self.labels, self.size = features, labels, size
        self.generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return len(self.features) // self.size

    def epoch(self, number: int) -> Iterator[Features]:
        """The features in the order of one epoch; a last batch that is not full is left out."""
        order = torch.randperm(len(self.features), generator=self.generator).to(self.features.device)
        for chosen in order[: len(self) * self.size].view(-1, self.size):
            yield self.features[chosen], self.labels[chosen]


def new_head(dim: int, num_classes: int, seed: int) -> LinearHead:
    """Make a head whose start the seed alone decides; torch's own generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LinearHead(dim, num_classes)


def train_head(
    head: LinearHead,
    batches: Batches,
    *,
    epochs: int,
    lr: float,
    class_weights: Tensor | None,
    validation: Features | None,
    on_epoch: OnEpoch | None,
    progress: bool | None,
) -> LinearHead:
    """Train a head, a step a batch and a learning rate a step; see `fit_linear` for the arguments.

    `check_recipe` says before what cannot be.
    """
    schedule = CosineSchedule(lr=lr, epochs=epochs)
    optimizer = torch.optim.SGD(head.parameters(), lr=lr, momentum=MOMENTUM)
    weights = None if class_weights is None else class_weights.to(head.fc.weight)
    for epoch in tqdm(range(epochs), desc="linear", unit="epoch", disable=progress is False, delay=2.0):
        head.train()
        losses = []
        for step, (features, labels) in enumerate(batches.epoch(epoch)):
            set_learning_rate(optimizer, schedule(epoch + step / len(batches)))
            loss = classification_loss(head(features), labels, class_weights=weights)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        head.eval()
        if on_epoch is not None:
            numbers = {"loss": torch.stack(losses).mean().item()}
            if validation is not None:
                numbers["accuracy"] = _accuracy(head, *validation)
            on_epoch(epoch, numbers)
    return head.eval()


@torch.no_grad()
def _accuracy(head: LinearHead, features: Tensor, labels: Tensor) -> float:
    return 100 * (head(features).argmax(dim=1) == labels).double().mean().item()
