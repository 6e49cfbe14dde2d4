"""Features in the plane, as in the paper's figure 3."""

from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from stars_hub.errors import ConfigError
from stars_hub.evaluation.embedding import choose_samples, embed
from stars_hub.evaluation.palette import style_of
from stars_hub.evaluation.plots.figure import Figure, new_figure


def plot_tsne(
    features: npt.ArrayLike | Mapping[str, npt.ArrayLike],
    labels: npt.ArrayLike,
    label_names: SequenceOf[str],
    *,
    classes: SequenceOf[int] | None = None,
    per_class: int = 100,
    method: Literal["tsne", "pca"] = "tsne",
    seed: int = 42,
) -> Figure:
    """Features in the plane, each class with a colour and a marker of its own.

    Args:
        features: (N, D) of pooled features; or several of the same recordings by name, such as
            {"MAMP": before, "STARS": after}, which are shown side by side.
        labels: (N,).
        label_names: of all classes.
        classes: which are shown; None: see `embedding.choose_samples` (of NTU-60 the paper's 15).
        per_class: the first so many samples of each.
        method: "tsne", initialised by PCA, or "pca".
        seed: of t-SNE; the paper's is 42.

    Raises:
        ConfigError: not a label for each feature, no sample of the classes, or fewer than 5 samples.
        MissingExtraError: matplotlib or scikit-learn is not installed.

    Reference: STARS (arXiv 2407.10935), figure 3.
    """
    by_name = features if isinstance(features, Mapping) else {"": features}
    labels = np.asarray(labels)
    for name, values in by_name.items():
        if len(np.asarray(values)) != len(labels):
            raise ConfigError(
                f"expected {len(labels)} features {name}, one a label, got {len(np.asarray(values))}"
            )
    chosen = choose_samples(labels, classes=classes, per_class=per_class)
    figure = new_figure(4.6 * len(by_name) + 2.2, 4.6)
    panels = figure.subplots(1, len(by_name), squeeze=False)[0]
    for axes, (name, values) in zip(panels, by_name.items(), strict=True):
        points = embed(np.asarray(values)[chosen], method=method, seed=seed)
        _scatter(axes, points, labels[chosen], label_names)
        axes.set_title(name, fontsize=11)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right center", fontsize=8, frameon=False, markerscale=1.4)
    return figure


def _scatter(axes: Any, points: np.ndarray, labels: np.ndarray, label_names: SequenceOf[str]) -> None:
    present = list(dict.fromkeys(labels.tolist()))
    for index, label in enumerate(present):
        color, marker = style_of(index)
        own = points[labels == label]
        style = {"color": color, "marker": marker, "s": 16, "linewidths": 0, "alpha": 0.85}
        axes.scatter(own[:, 0], own[:, 1], label=label_names[label], **style)
    axes.set(xticks=[], yticks=[])
    axes.set_aspect("equal", adjustable="datalim")
