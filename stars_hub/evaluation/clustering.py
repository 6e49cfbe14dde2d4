"""How features of one class lie to each other and to those of others, without training anything on top.

Reference: silhouette: Rousseeuw 1987; normalised mutual information: Strehl and Ghosh 2002.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from stars_hub.errors import ConfigError, MissingExtraError
from stars_hub.evaluation.linear import fit_linear

NOT_PERCENT = ("silhouette", "k-means NMI", "within/between")
"""The metrics that are no accuracies."""

_EPS = 1e-12


def cluster_metrics(features: Any, labels: Any, *, seed: int = 0, epochs: int = 100) -> dict[str, float]:
    """Measure how well classes hang together; features are scaled to length 1 first.

    Args:
        features: (N, D) of recordings of known class.
        labels: (N,) whole numbers.
        seed: of k-means and of the linear head.
        epochs: of the linear head.

    Returns:
        - "silhouette": mean silhouette of the true classes in cosine distance, in [-1, 1];
        - "k-means NMI": normalised mutual information of k-means, with as many clusters as classes, and the
          true classes, in [0, 1];
        - "linear separability": percent of the features that a linear layer trained on them tells right;
        - "within/between": mean cosine distance to the mean of the own class, over that to the means of the
          other classes; lower is better.

    Raises:
        ConfigError: not two classes, or a feature for each class only: nothing to compare.
        MissingExtraError: scikit-learn is not there.
    """
    try:
        from sklearn.cluster import KMeans
        from sklearn.metrics import normalized_mutual_info_score, silhouette_score
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "plots") from error
    features, labels = np.asarray(features, dtype=np.float64), np.asarray(labels)
    classes, numbers = np.unique(labels, return_inverse=True)
    if features.ndim != 2 or labels.shape != features.shape[:1] or not 2 <= len(classes) < len(labels):
        raise ConfigError(
            "expected features (N, D) and labels (N,) of at least two classes, fewer than N, got "
            f"{features.shape}, {labels.shape} and {len(classes)} classes"
        )
    if not np.isfinite(features).all():
        raise ConfigError("features are NaN or infinite")
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), _EPS)
    clusters = KMeans(len(classes), n_init=10, random_state=seed).fit_predict(unit)
    return {
        "silhouette": float(silhouette_score(unit, numbers, metric="cosine")),
        "k-means NMI": float(normalized_mutual_info_score(numbers, clusters)),
        "linear separability": _separability(unit, numbers, seed, epochs),
        "within/between": _within_between(unit, numbers),
    }


def _separability(features: npt.NDArray[Any], labels: npt.NDArray[Any], seed: int, epochs: int) -> float:
    inputs, truth = torch.from_numpy(features).float(), torch.from_numpy(labels)
    head = fit_linear(inputs, truth, int(labels.max()) + 1, epochs=epochs, seed=seed)
    with torch.inference_mode():
        return 100 * (head(inputs).argmax(dim=1) == truth).double().mean().item()


def _within_between(features: npt.NDArray[Any], labels: npt.NDArray[Any]) -> float:
    """Features of length 1 and labels from 0 without gaps."""
    means = np.stack([features[labels == label].mean(axis=0) for label in range(labels.max() + 1)])
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), _EPS)
    distances = 1 - features @ means.T
    own = np.eye(len(means), dtype=bool)[labels]
    return float(distances[own].mean() / max(distances[~own].mean(), _EPS))
