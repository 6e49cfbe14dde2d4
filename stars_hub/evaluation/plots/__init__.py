"""Figures for papers and pages; they need the extra `plots`. Functions return a matplotlib Figure.

`save_figure` writes one; for web pages that need no extra, see `stars_hub.evaluation.report`.
"""

from stars_hub.evaluation.plots.confusion import plot_confusion
from stars_hub.evaluation.plots.figure import save_figure
from stars_hub.evaluation.plots.tsne import plot_tsne

__all__ = ["plot_confusion", "plot_tsne", "save_figure"]
