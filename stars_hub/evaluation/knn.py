"""k-NN: the protocol that trains nothing, and so says most of the features themselves.

Reference: STARS (arXiv 2407.10935) section 4.3.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from stars_hub.errors import ConfigError
from stars_hub.neighbours import fitting_ks, knn_predict

PAPER_KS = (1, 2, 5, 10)


def knn_classify(queries: Any, bank: Any, labels: Any, *, ks: Iterable[int] | None = None) -> dict[int, Any]:
    """Predict each query's class by the plain vote of its nearest neighbours in cosine similarity.

    What scikit-learn's `KNeighborsClassifier(k)` predicts for features of length 1, ties of votes included:
    the smallest label wins. Which of several equally near neighbours counts as the k-th is arbitrary in both.
    A chunk of queries is compared at a time, so memory does not grow with their number.

    Args:
        queries: (Q, D), array or tensor, of any length but 0.
        bank: (B, D), features of known class; may be of another precision or on another device.
        labels: (B,) whole numbers from 0.
        ks: numbers of neighbours, each of which gives predictions; None: those of the paper, 1, 2, 5 and 10,
            that the bank has.

    Returns:
        For each k the predictions (Q,) int64, arrays or tensors as the queries are.

    Raises:
        ConfigError: an empty bank, shapes that do not fit, features that are not finite numbers, labels that
            are not whole numbers from 0, or a k below 1 or above B.

    >>> knn_classify(np.eye(2), np.array([[2.0, 1.0], [0.0, 5.0]]), [7, 3], ks=[1])
    {1: array([7, 3])}
    """
    asked, known = _features("queries", queries), _features("bank", bank)
    dtype = torch.promote_types(asked.dtype, known.dtype)
    device = known.device if asked.device.type == "cpu" else asked.device
    asked, known = asked.to(device, dtype), known.to(device, dtype)
    if not len(known):
        raise ConfigError("the bank is empty: there is nothing to compare queries with")
    classes = _labels(labels).to(device)
    if asked.shape[1] != known.shape[1] or classes.shape != known.shape[:1]:
        raise ConfigError(
            "expected queries (Q, D), bank (B, D) and labels (B,), got "
            f"{tuple(asked.shape)}, {tuple(known.shape)} and {tuple(classes.shape)}"
        )
    found = knn_predict(asked, known, classes, ks=fitting_ks(PAPER_KS, len(known)) if ks is None else ks)
    if isinstance(queries, torch.Tensor):
        return {k: predictions.to(queries.device) for k, predictions in found.items()}
    return {k: predictions.cpu().numpy() for k, predictions in found.items()}


def _features(what: str, given: Any) -> torch.Tensor:
    features = _numbers(given)
    if features is None:
        raise ConfigError(f"{what} must be features (N, D), numbers in a regular array")
    if features.ndim != 2:
        raise ConfigError(f"{what} must be features (N, D), got shape {tuple(features.shape)}")
    features = features if features.dtype == torch.float64 else features.float()
    if not torch.isfinite(features.sum()):
        raise ConfigError(f"{what}: features are NaN or infinite")
    return features


def _labels(given: Any) -> torch.Tensor:
    labels = _numbers(given)
    if labels is None:
        raise ConfigError(
            "labels must be whole numbers from 0; of names, "
            "names, labels = numpy.unique(names, return_inverse=True) makes such numbers"
        )
    if labels.is_floating_point() or (labels.long() < 0).any():
        raise ConfigError("labels must be whole numbers from 0; leave recordings without a label out")
    return labels.long()


def _numbers(given: Any) -> torch.Tensor | None:
    """A tensor as it is, whatever else as one; None if it is text, ragged or anything but numbers."""
    if isinstance(given, torch.Tensor):
        return given
    try:
        array = np.asarray(given)
    except ValueError:
        return None
    return torch.as_tensor(array) if array.dtype.kind in "biuf" else None
