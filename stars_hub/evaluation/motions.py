"""Recordings as they are shown: seen from the front, and small enough to move in a web page."""

import base64
import math
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass
from typing import Any

import numpy as np

from stars_hub.errors import LayoutError
from stars_hub.evaluation.html import Html, element
from stars_hub.skeletons.layouts import SkeletonLayout, get_layout
from stars_hub.skeletons.presence import present
from stars_hub.skeletons.units import turn_axes

MAX_FRAMES = 90  # of a recording in a page
_SHOWN_FPS = 15.0  # the player fills in what lies between
_MISSING = -(2**15)


def to_view(joints: np.ndarray, layout: str | SkeletonLayout) -> np.ndarray:
    """Turn joints so that a person who faces the camera faces the viewer.

    Args:
        joints: (T, M, V, 3) or (T, V, 3) in the layout's axes; NaN: unknown, a person of zeros: absent.
        layout: of the joints.

    Returns:
        float32 (T, M, V, 3): to the right, up, towards the viewer; NaN where there is nothing to show.

    Raises:
        LayoutError: the number of joints is not that of the layout.
    """
    layout = get_layout(layout)
    joints = np.asarray(joints, dtype=np.float32)
    joints = joints[:, None] if joints.ndim == 3 else joints
    if joints.ndim != 4 or joints.shape[2:] != (layout.num_joints, 3):
        raise LayoutError(
            f"expected joints (T, M, {layout.num_joints}, 3) of layout {layout.name!r}, got {joints.shape}"
        )
    points = turn_axes(joints, layout, get_layout("ntu25")) * np.array(
        [-1, 1, -1], dtype=np.float32
    )  # x to the right
    return np.where(present(joints)[..., None, None], points, np.nan).astype(np.float32)


def bone_sides(layout: SkeletonLayout) -> list[str]:
    """For each joint the side of the body that it is on: "left", "right" or "middle"."""
    sides = ["middle"] * layout.num_joints
    for left, right in layout.mirror_pairs:
        sides[left], sides[right] = "left", "right"
    return sides


def extent(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middle and half size (3,) of what is seen, without the most extreme hundredth; (0, 1) if nothing is."""
    known = points.reshape(-1, 3)
    known = known[np.isfinite(known).all(axis=1)]
    if not len(known):
        return np.zeros(3), np.ones(3)
    low, high = np.percentile(known, [0.5, 99.5], axis=0)
    return (low + high) / 2, np.maximum((high - low) / 2, 1e-3)


@dataclass(frozen=True)
class Caption:
    """What stands below a moving skeleton.

    Args:
        title: in bold, such as the class.
        lines: further lines.
        verdict: True and False frame the figure as right and wrong; the lines say which in words.
    """

    title: str
    lines: tuple[str, ...] = ()
    verdict: bool | None = None


class Stage:
    """The moving skeletons of one page: each `show` gives a figure; `content` is what the player needs."""

    def __init__(self) -> None:
        self._layouts: dict[str, Any] = {}
        self._motions: list[dict[str, Any]] = []

    @property
    def content(self) -> dict[str, Any]:
        """The data island."""
        return {"layouts": self._layouts, "motions": self._motions}

    def show(
        self, joints: np.ndarray, layout: SkeletonLayout, *, fps: float = 30.0, caption: Caption
    ) -> Html:
        """Take a recording in and return the figure that plays it.

        Args:
            joints: (T, M, V, 3) or (T, V, 3).
            layout: of the joints.
            fps: frames a second.
            caption: what stands below.
        """
        self._layouts.setdefault(layout.name, _drawn_layout(layout))
        self._motions.append({"layout": layout.name, **pack(to_view(joints, layout), fps=fps)})
        classes = {None: "motion", True: "motion right", False: "motion wrong"}[caption.verdict]
        canvas = element(
            "canvas",
            data_motion=len(self._motions) - 1,
            tabindex="0",
            role="img",
            aria_label=f"Moving skeleton: {'. '.join((caption.title, *caption.lines))}. Arrow keys turn it.",
        )
        text = [element("strong", caption.title), *(element("span", line) for line in caption.lines)]
        return element("figure", canvas, element("figcaption", *text), class_=classes)


def pack(points: np.ndarray, *, fps: float) -> dict[str, Any]:
    """Make a recording small: at most 90 frames, coordinates as whole 16-bit numbers around its middle.

    Args:
        points: (T, M, V, 3) as `to_view` gives them.
        fps: frames a second.

    Returns:
        `shape` (T, M, V), `fps`, `unit` (metres of one step), half sizes `width` (whichever way it is turned)
        and `height` in metres, and `data`: base64 of little-endian int16 with -32768 for what is unknown.
    """
    step = max(1, round(fps / _SHOWN_FPS), math.ceil(len(points) / MAX_FRAMES))
    middle, half = extent(points)
    centred = points[::step] - middle
    largest = np.nanmax(np.abs(centred), initial=1e-3, where=np.isfinite(centred))
    unit = float(largest) / (2**15 - 2)
    steps = np.where(np.isfinite(centred), np.rint(centred / unit), _MISSING).astype("<i2")
    return {
        "shape": list(steps.shape[:3]),
        "fps": fps / step,
        "unit": unit,
        "width": float(np.hypot(half[0], half[2])),
        "height": float(half[1]),
        "data": base64.b64encode(steps.tobytes()).decode(),
    }


def legend() -> Html:
    """What the colours and joints of the skeletons mean."""
    return element(
        "p",
        element("span", "Left side of the body: filled joints", class_="side-left"),
        ", ",
        element("span", "right side: open joints", class_="side-right"),
        element("span", ". Drag a figure, or use the arrow keys on it, to turn it.", class_="how"),
        class_="legend",
    )


def controls() -> Html:
    """Play or pause, speed, and back to the front, for all figures of the page."""
    speed = element(
        "label",
        "Speed ",
        element("input", id="speed", type="range", min="0.1", max="2", step="0.1", value="1"),
        element("output", "1.0×", id="speed-shown", for_="speed"),
    )
    return element(
        "div",
        element("button", "Pause", id="play", type="button"),
        speed,
        element("button", "View from the front", id="front", type="button"),
        class_="controls",
        role="group",
        aria_label="Player of the moving skeletons",
    )


def gallery(figures: SequenceOf[Html]) -> Html:
    """Figures in rows."""
    return element("div", *figures, class_="gallery")


def _drawn_layout(layout: SkeletonLayout) -> dict[str, Any]:
    heads = [joint for joint, name in enumerate(layout.joint_names) if name in ("head", "nose")]
    return {
        "bones": [list(bone) for bone in layout.bones],
        "sides": [side[0] for side in bone_sides(layout)],
        "head": heads[0] if heads else None,
    }
