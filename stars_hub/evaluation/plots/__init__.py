"""Figures for papers and slides; they need the extra `plots`. Functions return a matplotlib Figure.

`save_figure` writes one; for a page that needs no extra, see `stars_hub.evaluation.report`.
"""

from stars_hub.evaluation.plots.animation import write_animation
from stars_hub.evaluation.plots.confusion import plot_confusion
from stars_hub.evaluation.plots.figure import save_figure
from stars_hub.evaluation.plots.reconstruction import plot_reconstruction
from stars_hub.evaluation.plots.skeletons import draw_skeleton, plot_strip
from stars_hub.evaluation.plots.training import plot_curves, plot_sweep, plot_time
from stars_hub.evaluation.plots.tsne import plot_tsne

__all__ = [
    "draw_skeleton",
    "plot_confusion",
    "plot_curves",
    "plot_reconstruction",
    "plot_strip",
    "plot_sweep",
    "plot_time",
    "plot_tsne",
    "save_figure",
    "write_animation",
]
