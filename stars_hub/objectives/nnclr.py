"""Stage 2, nearest-neighbour contrast: what STARS tunes the upper half of an encoder with.

Reference: STARS (arXiv 2407.10935) section 3.2; NNCLR (arXiv 2104.14548).
"""

import math
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stars_hub.distributed import all_gather, all_gather_with_grad, gather_sizes, global_mean, rank
from stars_hub.errors import ConfigError, NotFiniteError, SequenceError
from stars_hub.model.network import SkeletonTransformer
from stars_hub.objectives.base import Objective
from stars_hub.objectives.heads import build_predictor, build_projector
from stars_hub.objectives.queue import NeighbourQueue

_EPS = 1e-12
_MOMENTUM = 0.1
# One update of the running statistics that equals two with the same batch.
_MOMENTUM_OF_TWO = 1 - (1 - _MOMENTUM) ** 2


def nnclr_loss(neighbours: Tensor, p: Tensor, *, temperature: float) -> Tensor:
    """Cross-entropy of telling which prediction belongs to a neighbour, over the batch of all processes.

    Args:
        neighbours: (N, D), unit vectors: the neighbour of each of this process's samples.
        p: (N, D), unit vectors: their predictions, gathered from all processes with gradient.
        temperature: divides the similarities.

    Returns:
        (), the mean over the samples of all processes.
    """
    sizes = gather_sizes(len(p), p.device)
    everybody = all_gather_with_grad(p, sizes)
    first = sum(sizes[: rank()])
    targets = torch.arange(first, first + len(p), device=p.device)
    logits = neighbours @ everybody.T / temperature
    return global_mean(F.cross_entropy(logits, targets, reduction="sum"), len(p))


class NNCLR(Objective):
    """Contrast of each sample with its nearest neighbour among samples seen before.

    Both views of a sample are the sequence itself, so one pass gives both; the loss is that of the authors'
    two passes, and so is its gradient, half that of the loss, since their second view has none. BatchNorm's
    running statistics move as by two updates. Heads, queue and loss are computed in the dtype of the weights,
    also under autocast.

    Args:
        encoder: what is tuned; frozen parts are the caller's affair (`stars_hub.training.freeze_below`).
        predictor_hidden_dim: hidden width of the predictor.
        queue_size: features that are remembered, K; batches of any size fit.
        temperature: divides the similarities.
        topk: 0: the nearest neighbour; else one of so many nearest, at random.

    Raises:
        ConfigError: a value that cannot be.

    Shape:
        (N, C, T, V, M) and ids (N,) -> ()

    Reference: STARS (arXiv 2407.10935) section 3.2.
    """

    name = "nnclr"
    summary = "An encoder of 3D skeleton recordings, tuned with nearest neighbours (STARS, arXiv 2407.10935)."

    def __init__(
        self,
        encoder: SkeletonTransformer,
        *,
        predictor_hidden_dim: int = 4096,
        queue_size: int = 32768,
        temperature: float = 0.07,
        topk: int = 0,
    ) -> None:
        super().__init__(encoder)
        self.settings = {
            "predictor_hidden_dim": predictor_hidden_dim,
            "queue_size": queue_size,
            "temperature": temperature,
            "topk": topk,
        }
        if predictor_hidden_dim < 1:
            raise ConfigError(f"predictor_hidden_dim must be at least 1, got {predictor_hidden_dim}")
        if not 0 < temperature < math.inf:
            raise ConfigError(f"temperature must be above 0 and finite, got {temperature}")
        if not 0 <= topk <= queue_size:
            raise ConfigError(f"topk must lie in [0, queue_size = {queue_size}], got {topk}")
        self.temperature = temperature
        self.topk = topk
        dim = encoder.config.embed_dim
        self.projector = build_projector(dim)
        self.predictor = build_predictor(dim, predictor_hidden_dim)
        self.queue = NeighbourQueue(queue_size, dim)

    def forward(
        self,
        x: Tensor,
        sample_ids: Tensor,
        x_second: Tensor | None = None,
        *,
        groups: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Compute the loss; in training mode, remember the batch afterwards.

        Args:
            x: (N, C, T, V, M), metres.
            sample_ids: (N,) integers, a sample's own in all epochs: it is never its own neighbour.
            x_second: a second, augmented view of the same samples: then both views have their gradient, the
                statistics take both in turn, and the first view's features are remembered.
            groups: (N,) integers: neighbours are of another group; None: each sample is one of its own, as in
                the paper.
            generator: of the choice among `topk`; None: torch's own.

        Returns:
            (), the same on all processes.

        Raises:
            SequenceError: shapes do not fit, or all processes together train on one sample, which has
                nothing to be told from.
            NotFiniteError: features are NaN or infinite. Statistics and queue are as they were, and every
                process raises, with the ids of all samples concerned.
        """
        groups = sample_ids if groups is None else groups
        self._check_batch(x, sample_ids, groups, x_second)
        features = self.encoder(x if x_second is None else torch.cat([x, x_second]))
        with torch.autocast(x.device.type, enabled=False):
            features = features.to(self.queue.features.dtype)
            all_groups = self._check_features(features, sample_ids, groups)
            first = self._heads(features[: len(x)], _MOMENTUM_OF_TWO if x_second is None else _MOMENTUM)
            if x_second is None:
                loss = self._contrast(first, first, groups, generator)
                loss = 0.5 * loss + 0.5 * loss.detach()
            else:
                second = self._heads(features[len(x) :], _MOMENTUM)
                forth = self._contrast(first, second, groups, generator)
                back = self._contrast(second, first, groups, generator)
                loss = 0.5 * (forth + back)
            if self.training:
                self.queue.enqueue(all_gather(first[0]), all_groups)
        return loss

    def project(self, x: Tensor) -> Tensor:
        """Compute z, before normalisation, (N, C, T, V, M) -> (N, D): what k-NN monitors in tuning."""
        z: Tensor = self.projector(self.encoder(x))
        return z

    def predict(self, x: Tensor) -> Tensor:
        """Compute p, before normalisation, (N, C, T, V, M) -> (N, D): what k-NN monitors with heads only."""
        p: Tensor = self.predictor(self.project(x))
        return p

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Trade time for memory in training: recompute each block's activations when going backward."""
        self.encoder.set_grad_checkpointing(enable)

    def _load(self, tensors: Mapping[str, Tensor], *, source: Path) -> None:
        """Take heads and queue; a file of the authors may hold heads alone, then the queue is fresh."""
        if not any(name.startswith("queue.") for name in tensors):
            fresh = {f"queue.{name}": value for name, value in self.queue.state_dict().items()}
            tensors = {**fresh, **tensors}
        super()._load(tensors, source=source)

    def _heads(self, features: Tensor, momentum: float) -> tuple[Tensor, Tensor]:
        """The unit vectors z (without gradient) and p of one view."""
        for module in (self.projector, *self.predictor):
            if isinstance(module, nn.BatchNorm1d):
                module.momentum = momentum
        z = self.projector(features)
        p = self.predictor(z)
        return F.normalize(z.detach(), eps=_EPS), F.normalize(p, eps=_EPS)

    def _contrast(
        self,
        searching: tuple[Tensor, Tensor],
        predicting: tuple[Tensor, Tensor],
        groups: Tensor,
        generator: torch.Generator | None,
    ) -> Tensor:
        z, p = searching[0], predicting[1]
        neighbours = self.queue.nearest(z, groups, topk=self.topk, generator=generator)
        return nnclr_loss(neighbours, p, temperature=self.temperature)

    def _check_batch(self, x: Tensor, sample_ids: Tensor, groups: Tensor, x_second: Tensor | None) -> None:
        second = x if x_second is None else x_second
        tensors = {"x": x, "sample_ids": sample_ids, "groups": groups, "x_second": second}
        for name, given in tensors.items():
            if not isinstance(given, Tensor):
                raise SequenceError(f"expected {name} as a tensor, got {type(given).__name__}")
        self.encoder.check_input(x)
        for name, given in (("sample_ids", sample_ids), ("groups", groups)):
            if given.shape != x.shape[:1] or given.dtype != torch.int64:
                raise SequenceError(
                    f"expected {name} of shape ({len(x)},) and type int64, got {tuple(given.shape)} of "
                    f"{given.dtype}"
                )
        if second.shape != x.shape:
            raise SequenceError(f"expected x_second of x's shape {tuple(x.shape)}, got {tuple(second.shape)}")

    def _check_features(self, features: Tensor, sample_ids: Tensor, groups: Tensor) -> Tensor:
        """The groups of all processes' samples, once their features are known to be finite and several."""
        finite = features.isfinite().all(dim=1)
        finite = finite[: len(sample_ids)] & finite[-len(sample_ids) :]  # of all views, be they one or two
        gathered = all_gather(torch.stack([sample_ids, groups, finite.long()], dim=1))
        ids, all_groups, finite = gathered.unbind(1)
        if not finite.all():
            raise NotFiniteError("the features of", ids[finite == 0].tolist())
        if self.training and len(ids) < 2:
            raise SequenceError(f"training needs at least 2 samples in a batch, got {len(ids)}")
        return all_groups
