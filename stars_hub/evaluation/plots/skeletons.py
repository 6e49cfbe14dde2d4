"""Skeletons that hold still: one frame, or some of a recording in a row."""

from typing import Any

import numpy as np

from stars_hub.errors import ConfigError
from stars_hub.evaluation.motions import bone_sides, extent, to_view
from stars_hub.evaluation.palette import SIDES
from stars_hub.evaluation.plots.figure import Figure, new_figure
from stars_hub.skeletons.layouts import SkeletonLayout, get_layout


def draw_skeleton(
    axes: Any, points: np.ndarray, layout: SkeletonLayout, *, color: str | None = None, size: float = 3.0
) -> None:
    """Draw the persons of one frame as bones and joints; those of the right side are open.

    Args:
        axes: of a figure.
        points: (M, V, 2 or 3): to the right, up; NaN: not shown (`motions.to_view`).
        layout: of the joints.
        color: of everything; None: blue for the left side, vermillion for the right.
        size: of a joint in points.
    """
    colors = [color or SIDES[side] for side in bone_sides(layout)]
    for person in points:
        for child, parent in layout.bones:
            xs, ys = person[[child, parent], :2].T
            axes.plot(xs, ys, color=colors[child], linewidth=size * 0.45, solid_capstyle="round")
        for side in ("middle", "left", "right"):
            own = [joint for joint, name in enumerate(bone_sides(layout)) if name == side]
            edge = color or SIDES[side]
            face = "white" if side == "right" else edge
            style = {"color": edge, "markerfacecolor": face, "markeredgewidth": size * 0.25}
            axes.plot(*person[own, :2].T, "o", markersize=size, zorder=3, **style)


def frame_axes(axes: Any, points: np.ndarray, *, room: float = 1.12) -> None:
    """Show all of a recording (T, M, V, 3) at one scale, without axes."""
    middle, half = extent(points)
    width = max(half[0], 0.35 * half[1])  # a body that stands still is not to touch its frame
    axes.set_xlim(middle[0] - room * width, middle[0] + room * width)
    axes.set_ylim(middle[1] - room * half[1], middle[1] + room * half[1])
    axes.set_aspect("equal")
    axes.axis("off")


def plot_strip(
    joints: np.ndarray, layout: str | SkeletonLayout, *, count: int = 8, fps: float = 30.0, title: str = ""
) -> Figure:
    """Some frames of a recording, evenly spread, side by side.

    Args:
        joints: (T, M, V, 3) or (T, V, 3).
        layout: of the joints.
        count: frames shown.
        fps: frames a second, for the times below.
        title: above.

    Raises:
        ConfigError: no frames asked for.
        LayoutError: the number of joints is not that of the layout.
        MissingExtraError: matplotlib is not installed.
    """
    if count < 1:
        raise ConfigError(f"count must be at least 1, got {count}")
    layout = get_layout(layout)
    points = to_view(joints, layout)
    shown = np.unique(np.linspace(0, len(points) - 1, count).round().astype(int))
    _, half = extent(points)
    width = float(np.clip(2.1 * half[0] / half[1], 0.9, 3.2))
    figure = new_figure(width * len(shown), 2.4 + (0.3 if title else 0))
    for axes, frame in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        draw_skeleton(axes, points[frame], layout)
        frame_axes(axes, points)
        axes.set_title(f"{frame / fps:.1f} s", fontsize=8, y=-0.08)
    if title:
        figure.suptitle(title, fontsize=10)
    return figure
