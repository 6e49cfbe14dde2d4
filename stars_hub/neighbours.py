"""k-nearest-neighbour classification of features, by plain or by weighted vote.

Reference: Wu et al. 2018 (arXiv 1805.01978), section 3.4, for the weights.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from stars_hub.errors import ConfigError

_SIMILARITIES = 2**26  # held at a time, 256 MB: those of all queries at once would not fit into memory


def fitting_ks(ks: Iterable[int], size: int) -> list[int]:
    """Those numbers of neighbours that a bank of some size has; the nearest alone if there is none.

    >>> fitting_ks([1, 2, 5, 10], 4)
    [1, 2]
    """
    return [k for k in ks if k <= size] or [1]


@torch.no_grad()
def knn_predict(
    queries: Tensor,
    bank: Tensor,
    labels: Tensor,
    *,
    ks: Iterable[int],
    temperature: float | None = None,
    num_classes: int | None = None,
) -> dict[int, Tensor]:
    """Predict each query's class from its nearest features of known class, by cosine similarity.

    Args:
        queries: (Q, D).
        bank: (B, D), features of known class.
        labels: (B,), their classes, from 0.
        ks: numbers of neighbours that vote.
        temperature: a neighbour votes with weight exp(similarity / temperature); None: with weight 1.
        num_classes: how many there are; None: as many as `labels` name.

    Returns:
        For each k, the predictions (Q,); among classes with equal votes the smallest.

    Raises:
        ConfigError: a k below 1 or above B.
    """
    ks = sorted(set(ks))
    if not ks or ks[0] < 1 or ks[-1] > len(bank):
        raise ConfigError(f"k must lie in [1, {len(bank)}], the size of the bank, got {ks}")
    classes = int(labels.max()) + 1 if num_classes is None else num_classes
    bank = F.normalize(bank, eps=1e-12)
    predictions: dict[int, list[Tensor]] = {k: [] for k in ks}
    for chunk in queries.split(max(1, _SIMILARITIES // len(bank))):
        similarity, nearest = (F.normalize(chunk, eps=1e-12) @ bank.T).topk(ks[-1], dim=1)
        weights = torch.ones_like(similarity) if temperature is None else (similarity / temperature).exp()
        for k in ks:
            votes = weights.new_zeros(len(chunk), classes)
            votes.scatter_add_(1, labels[nearest[:, :k]], weights[:, :k])
            predictions[k].append(votes.argmax(dim=1))
    return {k: torch.cat(found) if found else labels.new_empty(0) for k, found in predictions.items()}
