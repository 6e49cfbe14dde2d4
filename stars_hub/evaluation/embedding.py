"""Features brought to the plane, to be looked at.

Reference: STARS (arXiv 2407.10935), figure 3: t-SNE of 15 classes of NTU-60, 100 test samples of each.
"""

from collections.abc import Iterable
from typing import Literal

import numpy as np
import numpy.typing as npt

from stars_hub.errors import ConfigError, MissingExtraError

PAPER_CLASSES = (1, 2, 5, 10, 15, 18, 20, 22, 25, 28, 30, 40, 50, 55, 57)
"""The classes of the paper's figure 3, labels of NTU-60 from 0."""


def choose_samples(
    labels: npt.ArrayLike, *, classes: Iterable[int] | None = None, per_class: int = 100
) -> np.ndarray:
    """The first samples of each class, as figure 3 takes them.

    Args:
        labels: (N,); below 0: unknown.
        classes: which; None: all that occur if they are 15 or fewer, those of the paper if there are 60
            or 120 with these among them, else 15 evenly spread ones.
        per_class: so many of each at most.

    Returns:
        Indices into `labels`, class by class.

    Raises:
        ConfigError: no sample is of any of the classes.
    """
    labels = np.asarray(labels)
    present = np.unique(labels[labels >= 0])
    if classes is None:
        classes = present if len(present) <= 15 else present[np.linspace(0, len(present) - 1, 15).astype(int)]
        if len(present) in (60, 120) and np.isin(PAPER_CLASSES, present).all():
            classes = np.array(PAPER_CLASSES)
    chosen = [np.flatnonzero(labels == label)[:per_class] for label in classes]
    if not sum(map(len, chosen)):
        raise ConfigError(f"no sample is of the classes {list(classes)}; there are {present.tolist()}")
    return np.concatenate(chosen)


def embed(
    features: npt.ArrayLike,
    *,
    method: Literal["tsne", "pca"] = "tsne",
    perplexity: float = 30.0,
    seed: int = 42,
) -> np.ndarray:
    """Bring features (N, D) to the plane (N, 2).

    Args:
        features: (N, D).
        method: "tsne" (scikit-learn's, initialised by PCA) or "pca" (needs nothing else).
        perplexity: of t-SNE; fewer than 3 samples per neighbour lower it.
        seed: of t-SNE.

    Raises:
        ConfigError: fewer than 5 features, or numbers that are NaN or infinite.
        MissingExtraError: t-SNE without scikit-learn.
    """
    features = np.asarray(features, dtype=np.float32)
    if features.ndim != 2 or len(features) < 5 or not np.isfinite(features).all():
        raise ConfigError(f"expected 5 or more finite features (N, D), got {features.shape}")
    if method == "pca":
        centred = features - features.mean(axis=0)
        _, _, axes = np.linalg.svd(centred, full_matrices=False)
        largest = np.abs(axes).argmax(axis=1)
        axes *= np.sign(axes[np.arange(len(axes)), largest])[:, None]  # else the sign is the library's whim
        plane = centred @ axes[:2].T
        return np.pad(plane, ((0, 0), (0, 2 - plane.shape[1])))
    try:
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "plots") from error
    perplexity = min(perplexity, (len(features) - 1) / 3)
    init = "pca" if features.shape[1] >= 2 else "random"
    plane = TSNE(n_components=2, init=init, perplexity=perplexity, random_state=seed).fit_transform(features)
    return np.asarray(plane, dtype=np.float32)
