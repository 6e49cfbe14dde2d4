"""Masked motion and what a model makes of it, side by side."""

import numpy as np

from stars_hub.evaluation.motions import to_view
from stars_hub.evaluation.palette import SIDES
from stars_hub.evaluation.plots.figure import Figure, new_figure
from stars_hub.evaluation.plots.skeletons import draw_skeleton, frame_axes
from stars_hub.evaluation.reconstruction import Reconstruction

_PALE = "0.8"


def plot_reconstruction(result: Reconstruction, *, count: int = 8, title: str = "") -> Figure:
    """Three rows of frames: the recording; what the model saw of it; what it made of that.

    In the middle row joints that the model saw are crosses, the pale skeleton is what it did not see; in the
    last row the recording is pale below the prediction. `reconstruction.reconstruct` says how that is made.

    Args:
        result: of `reconstruct`.
        count: frames shown, evenly spread.
        title: above.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    layout = result.layout
    original, predicted = to_view(result.original, layout), to_view(result.predicted, layout)
    shown = np.unique(np.linspace(0, len(original) - 1, count).round().astype(int))
    figure = new_figure(1.1 * len(shown) + 0.6, 6.4)
    grid = figure.subplots(3, len(shown), squeeze=False)
    for column, frame in enumerate(shown):
        first, second, third = grid[:, column]
        draw_skeleton(first, original[frame], layout)
        draw_skeleton(second, original[frame], layout, color=_PALE, size=2)
        seen = original[frame, 0][~result.masked[frame]]
        second.plot(seen[:, 0], seen[:, 1], "x", color=SIDES["middle"], markersize=5, zorder=4)
        draw_skeleton(third, original[frame], layout, color=_PALE, size=2)
        draw_skeleton(third, predicted[frame], layout)
        for axes in (first, second, third):
            frame_axes(axes, original)
        third.set_title(f"frame {frame}", fontsize=8, y=-0.1)
    for axes, name in zip(grid[:, 0], ("recording", "seen", "predicted"), strict=True):
        axes.text(
            -0.15, 0.5, name, rotation=90, va="center", ha="right", transform=axes.transAxes, fontsize=9
        )
    if title:
        figure.suptitle(title, fontsize=10)
    return figure
