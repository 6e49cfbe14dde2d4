"""Confusion matrices."""

from collections.abc import Sequence as SequenceOf

import numpy as np
import numpy.typing as npt

from stars_hub.errors import ConfigError
from stars_hub.evaluation.plots.figure import Figure, new_figure

_NUMBERED = 20  # classes up to which each cell tells its number


def plot_confusion(
    matrix: npt.ArrayLike, label_names: SequenceOf[str], *, title: str | None = None
) -> Figure:
    """How often each class was taken for each, in percent of the true class.

    Grows with the number of classes, so that names stay legible: 120 of them fill a page of 16 inches.

    Args:
        matrix: (K, K) counts, rows are the truth.
        label_names: K.
        title: above it.

    Raises:
        ConfigError: not as many names as rows and columns.
        MissingExtraError: matplotlib is not installed.
    """
    counts = np.asarray(matrix, dtype=np.float64)
    size = len(label_names)
    if counts.shape != (size, size) or not size:
        raise ConfigError(f"expected a confusion matrix ({size}, {size}), a row a name, got {counts.shape}")
    totals = counts.sum(axis=1, keepdims=True)
    percent = np.divide(100 * counts, totals, out=np.full_like(counts, np.nan), where=totals > 0)
    inches = np.interp(size, [2, 20, 60, 120], [2.4, 5.2, 8.6, 13.5])
    font = float(np.interp(size, [2, 20, 60, 120], [9, 8, 7, 6]))
    names = max(map(len, label_names)) * font * 0.0085  # inches
    figure = new_figure(inches + names + 0.9, inches + names + 0.4)
    axes = figure.add_subplot()
    image = axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    axes.set_xticks(range(size), label_names, rotation=90, fontsize=font)
    axes.set_yticks(range(size), label_names, fontsize=font)
    axes.tick_params(length=0)
    axes.set_xlabel("predicted", fontsize=9)
    axes.set_ylabel("true", fontsize=9)
    if title:
        axes.set_title(title, fontsize=11)
    axes.set_xticks(np.arange(-0.5, size), minor=True)
    axes.set_yticks(np.arange(-0.5, size), minor=True)
    axes.grid(which="minor", color="0.9", linewidth=0.6 if size <= 60 else 0.3)
    axes.tick_params(which="minor", length=0)
    bar = figure.colorbar(image, ax=axes, shrink=0.6, pad=0.015, aspect=30)
    bar.set_label("% of the true class", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    if size <= _NUMBERED:
        for row, column in np.argwhere(counts > 0):
            value = percent[row, column]
            color = "white" if value > 55 else "black"
            axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=font - 1, color=color)
    return figure
