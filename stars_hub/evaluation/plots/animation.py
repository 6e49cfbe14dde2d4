"""Skeletons that move: GIF, MP4, or a page that plays."""

from pathlib import Path

import numpy as np

from stars_hub.errors import ConfigError
from stars_hub.evaluation.html import element, join, page
from stars_hub.evaluation.motions import Caption, Stage, controls, gallery, legend, to_view
from stars_hub.evaluation.plots.figure import new_figure
from stars_hub.evaluation.plots.skeletons import draw_skeleton, frame_axes
from stars_hub.files import output_file
from stars_hub.skeletons.layouts import SkeletonLayout, get_layout

_FPS = 15.0  # of GIF and MP4; drawing takes long
_SUFFIXES = (".gif", ".mp4", ".html")


def write_animation(
    path: str | Path, joints: np.ndarray, layout: str | SkeletonLayout, *, fps: float = 30.0, title: str = ""
) -> Path:
    """Write a recording as `.gif`, `.mp4` (where the program ffmpeg is found) or `.html` (needs no extra).

    Args:
        path: the file; appears whole or not at all.
        joints: (T, M, V, 3) or (T, V, 3).
        layout: of the joints.
        fps: frames a second; GIF and MP4 show at most 15 of them.
        title: above the skeleton.

    Raises:
        ConfigError: another suffix, MP4 without ffmpeg, or a place that cannot be written to.
        LayoutError: the number of joints is not that of the layout.
        MissingExtraError: matplotlib is not installed.
    """
    path, layout = Path(path), get_layout(layout)
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        raise ConfigError(f"{path}: animations are written as {', '.join(_SUFFIXES)}, got {path.suffix!r}")
    with output_file(path) as temporary:
        if suffix == ".html":
            text = _html(joints, layout, fps, title or "Recording")
            temporary.write_text(text, encoding="utf-8")
        else:
            _film(temporary, to_view(joints, layout), layout, fps, title, suffix)
    return path


def _html(joints: np.ndarray, layout: SkeletonLayout, fps: float, title: str) -> str:
    stage = Stage()
    figure = stage.show(joints, layout, fps=fps, caption=Caption(title))
    body = element("main", join(element("h1", title), controls(), legend(), gallery([figure])))
    return page(title, body, motions=stage.content)


def _film(
    path: Path, points: np.ndarray, layout: SkeletonLayout, fps: float, title: str, suffix: str
) -> None:
    step = max(1, round(fps / _FPS))
    figure = new_figure(3.2, 3.6)
    axes = figure.add_subplot()
    from matplotlib.animation import FFMpegWriter, PillowWriter

    kind = PillowWriter if suffix == ".gif" else FFMpegWriter
    if not kind.isAvailable():
        raise ConfigError("MP4 is written by the program ffmpeg, which is not found: write .gif or .html")
    writer = kind(fps=max(1, round(fps / step)))
    target = path.with_name(f"{path.name}{suffix}")  # the writers go by the suffix
    try:
        with writer.saving(figure, str(target), 100):
            for frame in points[::step]:
                axes.clear()
                draw_skeleton(axes, frame, layout, size=4)
                frame_axes(axes, points)
                axes.set_title(title, fontsize=10)
                writer.grab_frame()
        target.replace(path)
    finally:
        target.unlink(missing_ok=True)
