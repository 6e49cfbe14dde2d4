"""What all figures share: how they are made, how they look, how they are saved."""

from pathlib import Path
from typing import Any, TypeAlias

from stars_hub.errors import ConfigError, MissingExtraError
from stars_hub.files import output_file

Figure: TypeAlias = Any
"""A `matplotlib.figure.Figure`, which is imported only where one is made."""

_DPI = 200
_SUFFIXES = (".png", ".pdf", ".svg", ".jpg", ".jpeg", ".webp")


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches, apart from pyplot: nothing has to be closed, no window opens.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure as NewFigure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plots") from error
    return NewFigure(figsize=(width, height), layout="constrained")


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure; the suffix says in which format, and the file appears whole or not at all.

    Raises:
        ConfigError: an unknown suffix, or a place that cannot be written to.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        raise ConfigError(f"{path}: figures are written as {', '.join(_SUFFIXES)}, got {path.suffix!r}")
    with output_file(path) as temporary:
        figure.savefig(temporary, format=suffix[1:], dpi=_DPI, facecolor="white")
    return path


def tidy(axes: Any) -> None:
    """Leave out what carries no data: the frame's upper and right side; faint lines to read values by."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8)
