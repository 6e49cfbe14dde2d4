"""Draw a contact sheet: every built-in layout after conversion to ntu25, seen from the front and the side.

    python examples/plot_layouts.py layouts.png [--recordings FOLDER]

One waving person, given all joints of the vocabulary, is brought to each layout and from there to ntu25: what
the layout lacks shows in the picture. Blue is the person's left, red the right. With --recordings, frames of
uiprmd.npz, utd_mhad.npz and irds_sample.npz follow. Needs the extra: pip install 'stars-hub[plots]'.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from stars_hub.skeletons.conversion import convert_layout
from stars_hub.skeletons.layouts import SkeletonLayout, get_layout, layout_names

# Metres: (up from the hips, forward) on the middle line, (outwards, up, forward) beside it.
MIDDLE = {
    "pelvis": (0.0, 0.03), "spine_lower": (0.13, 0.01), "spine_middle": (0.3, 0.01), "spine_upper": (0.36, 0.0),
    "shoulder_center": (0.52, 0.02), "neck_base": (0.525, 0.02), "neck": (0.59, 0.03), "head": (0.72, 0.05),
    "head_top": (0.85, 0.04), "nose": (0.71, 0.16),
}  # fmt: skip
LEFT = {
    "eye_inner": (0.02, 0.75, 0.13), "eye": (0.03, 0.75, 0.13), "eye_outer": (0.04, 0.75, 0.12),
    "ear": (0.07, 0.72, 0.05), "mouth": (0.02, 0.67, 0.13), "collar": (0.02, 0.515, 0.02),
    "shoulder": (0.17, 0.48, 0.03), "elbow": (0.22, 0.24, 0.02), "wrist": (0.24, 0.03, 0.10),
    "hand": (0.24, -0.02, 0.13), "index": (0.22, -0.04, 0.16), "pinky": (0.25, -0.05, 0.14),
    "thumb": (0.20, -0.02, 0.16), "hand_tip": (0.24, -0.08, 0.17),
    "hip": (0.08, 0.0, 0.05), "knee": (0.11, -0.38, 0.08), "ankle": (0.13, -0.76, 0.0),
    "heel": (0.13, -0.83, -0.06), "foot": (0.14, -0.80, 0.10), "big_toe": (0.14, -0.84, 0.19),
    "small_toe": (0.19, -0.84, 0.16),
}  # fmt: skip
WAVING = {
    "elbow": (0.42, 0.53, 0.06), "wrist": (0.50, 0.75, 0.12), "hand": (0.51, 0.81, 0.13),
    "index": (0.49, 0.85, 0.14), "pinky": (0.54, 0.85, 0.13), "thumb": (0.46, 0.82, 0.15),
    "hand_tip": (0.52, 0.89, 0.14),
}  # fmt: skip


def waving_person() -> tuple[np.ndarray, SkeletonLayout]:
    """All joints of the vocabulary (1, V, 3) in NTU's axes, with the left hand raised, and their layout."""
    points = {name: (0.0, up, -front) for name, (up, front) in MIDDLE.items()}
    for name, (out, up, front) in LEFT.items():
        points[f"right_{name}"] = (out, up, -front)
        out, up, front = WAVING.get(name, (out, up, front))
        points[f"left_{name}"] = (-out, up, -front)  # a person who faces Kinect has the left hand at -x
    names = tuple(points)
    layout = SkeletonLayout("everything", names, (-1,) + (0,) * (len(names) - 1), (), root=0, spine_middle=2)
    return np.array([list(points.values())], dtype=np.float32), layout


def draw(axes: Any, joints: np.ndarray, title: str) -> None:
    """One frame (25, 3): as the camera sees it, and beside that from the side, front to the left."""
    layout = get_layout("ntu25")
    joints = joints - joints[layout.spine_middle]
    front_view = joints[:, [0, 1]] * [-1, 1]  # the camera's right is -x
    side_view = joints[:, [2, 1]] + [1.5, 0]
    for view in (front_view, side_view):
        for child, parent in layout.bones:
            side = layout.joint_names[child].split("_")[0]
            color = {"left": "tab:blue", "right": "tab:red"}.get(side, "black")
            axes.plot(*view[[child, parent]].T, color=color, marker="o", markersize=2, linewidth=1.2)
    axes.set(title=title, xlim=(-0.8, 2.1), ylim=(-1.3, 0.9), aspect="equal")


def recorded_frames(folder: Path, *, columns: int = 6) -> list[tuple[str, np.ndarray]]:
    """A frame (25, 3) from the middle of some sequences of each data set, converted, with a title."""
    frames = []
    for file, layout in (("uiprmd", "uiprmd22"), ("utd_mhad", "utd20"), ("irds_sample", "ntu25")):
        with np.load(folder / f"{file}.npz", allow_pickle=False) as data:
            starts, lengths = np.cumsum(data["lengths"]) - data["lengths"], data["lengths"]
            for sample in np.linspace(0, len(lengths) - 1, columns).astype(int):
                frame = data["joints"][starts[sample] + lengths[sample] // 2]
                converted = convert_layout(frame, layout, "ntu25")
                frames.append((f"{file}: label {data['labels'][sample]}", converted))
    return frames


def main(output: str | Path, recordings: str | Path | None = None) -> None:
    """Write the contact sheet to `output` (any format that matplotlib knows)."""
    import matplotlib.pyplot as plt

    person, everything = waving_person()
    panels = []
    for name in layout_names():
        native = convert_layout(person, everything, name)
        panels.append((name, convert_layout(native, name, "ntu25")[0]))
    panels += recorded_frames(Path(recordings)) if recordings else []
    rows = -(-len(panels) // 6)
    figure, grid = plt.subplots(rows, 6, figsize=(20, 2.9 * rows), squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, (title, joints) in zip(grid.flat, panels, strict=False):
        draw(axes, joints, title)
    figure.tight_layout()
    figure.savefig(output, dpi=80)
    plt.close(figure)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--recordings", type=Path, help="the folder of the recordings")
    main(**vars(parser.parse_args()))
