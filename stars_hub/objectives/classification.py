"""Classification: an encoder with a head that scores the classes of labelled recordings.

Reference: MAMP (arXiv 2308.07092) section 4.3; STARS (arXiv 2407.10935) section 4.3.
"""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stars_hub.distributed import global_mean
from stars_hub.errors import ConfigError
from stars_hub.model.heads import JointHead, LinearHead
from stars_hub.model.network import SkeletonTransformer
from stars_hub.objectives.base import Objective

Head = Literal["joints", "linear"]


class Classification(Objective):
    """An encoder and the head of a protocol; saved, it is a classifier's model folder.

    Args:
        encoder: what the head builds on.
        label_names: one name a class, in the order of the logits.
        head: "joints" keeps the joints apart (the paper's fine-tuning), "linear" takes the pooled feature.
        hidden_dim: width within the head of joints.
        head_drop_rate: dropout of the tokens that the head of joints sees.

    Attributes:
        head: the module.
        label_names: as given.

    Raises:
        ConfigError: fewer than two classes, a name given twice, or a head that is not known.

    Shape:
        (N, C, T, V, M) -> logits (N, K)
    """

    name = "classification"
    summary = "A classifier of 3D skeleton recordings."

    def __init__(
        self,
        encoder: SkeletonTransformer,
        *,
        label_names: Sequence[str],
        head: Head = "joints",
        hidden_dim: int = 2048,
        head_drop_rate: float = 0.3,
    ) -> None:
        super().__init__(encoder)
        names = [str(name) for name in label_names]
        if len(names) < 2 or len(set(names)) < len(names):
            raise ConfigError(f"label_names must be two or more different names, got {names}")
        if head not in ("joints", "linear"):
            raise ConfigError(f"head must be 'joints' or 'linear', got {head!r}")
        if not 0 <= head_drop_rate < 1:
            raise ConfigError(f"head_drop_rate must lie in [0, 1), got {head_drop_rate}")
        self.label_names = names
        self.settings = {
            "label_names": names,
            "head": head,
            "hidden_dim": hidden_dim,
            "head_drop_rate": head_drop_rate,
        }
        config = encoder.config
        self.head: nn.Module = (
            LinearHead(config.embed_dim, len(names))
            if head == "linear"
            else JointHead(config, len(names), hidden_dim=hidden_dim, drop_rate=head_drop_rate)
        )

    def train(self, mode: bool = True) -> "Classification":
        """Switch the mode; an encoder of which nothing is trained stays in evaluation, without dropout."""
        super().train(mode)
        if not any(parameter.requires_grad for parameter in self.encoder.parameters()):
            self.encoder.eval()
        return self

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Trade time for memory: recompute the encoder's activations when going backward."""
        self.encoder.set_grad_checkpointing(enable)

    def forward(self, x: Tensor) -> Tensor:
        """Score every class.

        Args:
            x: (N, C, T, V, M), metres.

        Returns:
            Logits (N, K).
        """
        pooled = isinstance(self.head, LinearHead)
        logits: Tensor = self.head(self.encoder(x) if pooled else self.encoder.forward_features(x))
        return logits


def classification_loss(
    logits: Tensor,
    labels: Tensor,
    *,
    label_smoothing: float = 0.0,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Cross-entropy in float32, its mean over the samples of all processes.

    Args:
        logits: (N, K).
        labels: (N,), from 0.
        label_smoothing: share of the target that is spread over all classes.
        class_weights: (K,), how much a sample of each class counts; the mean is a weighted one.

    Returns:
        ().
    """
    logits = logits if logits.dtype == torch.float64 else logits.float()
    total = F.cross_entropy(
        logits, labels, weight=class_weights, label_smoothing=label_smoothing, reduction="sum"
    )
    count = len(labels) if class_weights is None else class_weights[labels].sum()
    return global_mean(total, count)
