"""Draw a contact sheet: every built-in layout after conversion to ntu25, seen from the front and the side.

    python examples/plot_layouts.py layouts.png [--recordings FOLDER]

One waving person, given all joints of the vocabulary, is brought to each layout and from there to ntu25: what
the layout lacks shows in the picture. Blue is the person's left, vermillion with open joints the right. With
--recordings, frames of uiprmd.npz, utd_mhad.npz and irds_sample.npz follow. Needs the extra:
pip install 'stars-hub[plots]'.
"""

import argparse
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from stars_hub.evaluation.motions import to_view
from stars_hub.evaluation.plots import draw_skeleton
from stars_hub.skeletons import SkeletonLayout, convert_layout, get_layout, layout_names

# Metres: (up from the hips, forward) on the middle line, (outwards, up, forward) beside it.
MIDDLE = {
    "pelvis": (0.0, 0.03), "spine_lower": (0.13, 0.01), "spine_middle": (0.3, 0.01),
    "shoulder_center": (0.52, 0.02), "neck_base": (0.525, 0.02), "neck": (0.59, 0.03), "head": (0.72, 0.05),
    "head_top": (0.85, 0.04), "nose": (0.71, 0.16), "spine_upper": (0.36, 0.0),
}  # fmt: skip
LEFT = {
    "eye_inner": (0.02, 0.75, 0.13), "eye": (0.03, 0.75, 0.13), "eye_outer": (0.04, 0.75, 0.12),
    "ear": (0.07, 0.72, 0.05), "mouth": (0.02, 0.67, 0.13), "collar": (0.02, 0.51, 0.02),
    "shoulder": (0.17, 0.48, 0.03), "elbow": (0.22, 0.24, 0.02), "wrist": (0.24, 0.03, 0.1),
    "hand": (0.24, -0.02, 0.13), "index": (0.22, -0.04, 0.16), "pinky": (0.25, -0.05, 0.14),
    "thumb": (0.2, -0.02, 0.16), "hand_tip": (0.24, -0.08, 0.17), "hip": (0.08, 0.0, 0.05),
    "knee": (0.11, -0.38, 0.08), "ankle": (0.13, -0.76, 0.0), "heel": (0.13, -0.83, -0.06),
    "foot": (0.14, -0.8, 0.1), "big_toe": (0.14, -0.84, 0.19), "small_toe": (0.19, -0.84, 0.16),
}  # fmt: skip
WAVING = {
    "elbow": (0.42, 0.53, 0.06), "wrist": (0.5, 0.75, 0.12), "hand": (0.51, 0.81, 0.13),
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
    parents = (-1,) + (0,) * (len(points) - 1)
    layout = SkeletonLayout("everything", tuple(points), parents, (), root=0, spine_middle=2)
    return np.array([list(points.values())], dtype=np.float32), layout


def draw(axes: Any, joints: np.ndarray, title: str) -> None:
    """One frame (25, 3): as the camera sees it, and beside that from the side, front to the left."""
    layout = get_layout("ntu25")
    (person,) = to_view(joints[None] - joints[layout.spine_middle], layout)[0]
    right, up, towards = person.T
    for view in (np.stack([right, up], axis=1), np.stack([1.5 - towards, up], axis=1)):
        draw_skeleton(axes, view[None], layout, size=2.5)
    axes.set(title=title, xlim=(-0.8, 2.1), ylim=(-1.3, 0.9), aspect="equal")


def recorded_frames(folder: Path, *, columns: int = 6) -> list[tuple[str, np.ndarray]]:
    """A frame (25, 3) from the middle of some sequences of each data set, converted, with name and label."""
    frames = []
    for file, layout in (("uiprmd", "uiprmd22"), ("utd_mhad", "utd20"), ("irds_sample", "ntu25")):
        with np.load(folder / f"{file}.npz", allow_pickle=False) as data:
            starts, lengths = np.cumsum(data["lengths"]) - data["lengths"], data["lengths"]
            for sample in np.linspace(0, len(lengths) - 1, columns).astype(int):
                frame = data["joints"][starts[sample] + lengths[sample] // 2]
                frames.append((f"{file}: {data['labels'][sample]}", convert_layout(frame, layout, "ntu25")))
    return frames


def main(output: str | Path, recordings: str | Path | None = None) -> None:
    """Write the contact sheet to `output` (any format that matplotlib knows)."""
    import matplotlib.pyplot as plt

    person, everything = waving_person()
    native = {name: convert_layout(person, everything, name) for name in layout_names()}
    panels = [(name, convert_layout(joints, name, "ntu25")[0]) for name, joints in native.items()]
    panels += recorded_frames(Path(recordings)) if recordings else []
    rows = -(-len(panels) // 6)
    figure, grid = plt.subplots(rows, 6, figsize=(20, 2.9 * rows), squeeze=False, layout="tight")
    for axes, panel in zip_longest(grid.flat, panels):
        axes.axis("off")
        if panel:
            draw(axes, panel[1], panel[0])
    figure.savefig(output, dpi=80)
    plt.close(figure)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--recordings", type=Path, help="the folder of the recordings")
    main(**vars(parser.parse_args()))
