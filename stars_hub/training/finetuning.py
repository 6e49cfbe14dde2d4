"""Fine-tuning: train an encoder and a head with labels, into a classifier.

Reference: MAMP (arXiv 2308.07092) section 4.3; STARS (arXiv 2407.10935) section 4.3.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stars_hub import checkpoints
from stars_hub.errors import ConfigError
from stars_hub.model.encoder import STARSEncoder
from stars_hub.objectives import Classification, classification_loss
from stars_hub.skeletons.layouts import SkeletonLayout
from stars_hub.training.chunks import encode_in_chunks
from stars_hub.training.config import FinetuneConfig
from stars_hub.training.data import TrainData, class_names, open_labelled_data
from stars_hub.training.freezing import freeze_encoder, train_upper_blocks
from stars_hub.training.loop import train
from stars_hub.training.monitor import AccuracyMonitor
from stars_hub.training.run import TrainResult
from stars_hub.training.stage import Stage, check_last_batch
from stars_hub.training.start import new_encoder, with_encoder
from stars_hub.transforms.loader import Batch


def finetune(config: FinetuneConfig) -> TrainResult:
    """Train a classifier, or go on with a run that was interrupted.

    `best` of the result is the classifier of the epoch with the highest accuracy on the recordings kept for
    validation; `last` is that of the last epoch. Under `torchrun`, every process calls this with the same
    configuration.

    Args:
        config: the run; `config.output` is its folder, `config.model` what is fine-tuned.

    Returns:
        What the finished run left; its history tells `validation`, accuracy in percent.

    Raises:
        ConfigError: the folder holds another run, a value does not fit the data, or there are no labels.
        NotFiniteError: the loss is NaN or infinite; the last checkpoint is kept.
        SystemExit: SIGTERM came; a checkpoint was written. The code is 143.
    """
    data = open_labelled_data(config)
    return train(FinetuneStage(config, data), data)


class FinetuneStage(Stage[FinetuneConfig]):
    """Classification as the loop sees it.

    Both heads normalise over the batch, so a batch is never cut into parts: with `micro_batch_size` the
    encoder goes through it in chunks, and the head sees it whole.

    Args:
        config: of the run.
        data: the labelled recordings.

    Attributes:
        class_weights: (K,), or None where every recording counts as much.

    Raises:
        ConfigError: fewer than two classes, another size than that of the model's encoder, more trainable
            blocks than there are, or a batch of one.
    """

    objective: Classification
    monitor = AccuracyMonitor
    summary = "It was fine-tuned from labels."

    def __init__(self, config: FinetuneConfig, data: TrainData) -> None:
        super().__init__(config)
        torch.manual_seed(config.seed)
        labels = data.train.labels
        names = class_names(data.train, data.queries)
        if len(np.unique(labels)) < 2:
            asked = 0 if data.queries is None else len(data.queries)
            kept = f" once {asked} are kept out for validation (monitor_every=0 keeps none)" if asked else ""
            raise ConfigError(
                f"a classifier needs recordings of two classes, there are {len(labels)} of one{kept}"
            )
        check_last_batch(config, len(labels))
        self.objective = build_classifier(config, names, data.train.layout)
        encoder = self.objective.encoder
        self.config = with_encoder(config, encoder.config)
        encoder.set_drop_path_rate(config.drop_path_rate)
        if config.trainable_blocks == 0:
            freeze_encoder(encoder)
        elif config.trainable_blocks is not None:
            train_upper_blocks(encoder, config.trainable_blocks)
        if config.micro_batch_size is not None:
            encode_in_chunks(encoder, config.micro_batch_size)
        self.class_weights = (
            balanced_weights(labels, len(names)) if config.class_weights == "balanced" else None
        )

    def loss(self, model: nn.Module, batch: Batch, *, epoch: int) -> Tensor:
        """Cross-entropy with the true classes."""
        weights = None if self.class_weights is None else self.class_weights.to(batch.x)
        smoothing = self.config.label_smoothing
        return classification_loss(
            model(batch.x), batch.labels, label_smoothing=smoothing, class_weights=weights
        )

    def card(self, name: str) -> checkpoints.ModelCard:
        """The card of a classifier, which lists its classes."""
        return checkpoints.classifier_card(
            name,
            config=self.objective.encoder.config.to_dict(),
            class_name="STARSClassifier",
            what=self.summary,
            label_names=self.objective.label_names,
        )

    def describe(self, objective: Any, x: Tensor) -> Tensor:
        """The logits."""
        logits: Tensor = objective(x)
        return logits


def build_classifier(
    config: FinetuneConfig, label_names: Sequence[str], layout: SkeletonLayout
) -> Classification:
    """Make what is fine-tuned: a new encoder or a trained one, with a new head.

    A trained encoder of another layout is adapted to that of the recordings (`STARSEncoder.with_layout`). A
    model that is a classifier of the same classes with the same head keeps its head, so that a run which
    trained the head alone can be followed by one which trains everything.

    Raises:
        CheckpointError: the model cannot be found or read.
        LayoutError: a new encoder is for another layout, or the layouts share no joint.
    """
    made: dict[str, Any] = {"label_names": list(label_names), "head": config.head}
    if config.head == "joints":
        made["hidden_dim"] = config.hidden_dim
    settings = {**made, "head_drop_rate": config.head_drop_rate}
    if not config.model:
        return Classification(new_encoder(config.encoder, layout), **settings)
    saved = checkpoints.read_config(checkpoints.resolve_model(config.model))
    objective = saved.get("objective") or {}
    same_layout = (saved.get("layout"), saved.get("num_joints")) == (layout.name, layout.num_joints)
    if same_layout and all(objective.get(key) == value for key, value in made.items()):
        return Classification.from_pretrained(config.model, **settings)
    encoder = STARSEncoder.from_pretrained(config.model)
    return Classification(encoder if same_layout else encoder.with_layout(layout), **settings)


def balanced_weights(labels: np.ndarray, num_classes: int) -> Tensor:
    """How much a sample counts so that all classes count the same, 1 on average over the samples.

    Args:
        labels: (N,), from 0.
        num_classes: number of classes, K.

    Returns:
        (K,); 0 for a class without samples.
    """
    counts = torch.from_numpy(np.bincount(labels, minlength=num_classes)).double()
    return torch.where(counts > 0, len(labels) / (counts.clamp(min=1) * (counts > 0).sum()), 0.0)
