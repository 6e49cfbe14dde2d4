"""How fast `.skeleton` files are parsed: bulk conversion against reading line by line, on one core.

Baselines read line by line: the leanest converts the first three words of a joint's line, the others do what
published scripts do, make a small array of each joint, or a dictionary of all its twelve numbers. All run in
one process, taking turns, over files of the length and the precision of NTU RGB+D's, made of random walks.

    python benchmarks/skeleton_parsing.py
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import report, take_turns

from stars_hub.skeletons.readers.skeleton import read_skeleton_file

NUM_FILES, NUM_FRAMES = 20, 80


FIELDS = ("x", "y", "z", "depth x", "depth y", "color x", "color y", "w", "qx", "qy", "qz", "state")


def three_words(lines: list[str]) -> np.ndarray:
    return np.array([[float(word) for word in line.split()[:3]] for line in lines], dtype=np.float32)


def array_a_joint(lines: list[str]) -> np.ndarray:
    return np.stack([np.array(line.split()[:3], dtype=np.float32) for line in lines])


def dictionary_a_joint(lines: list[str]) -> np.ndarray:
    joints = [dict(zip(FIELDS, map(float, line.split()), strict=True)) for line in lines]
    return np.array([[joint["x"], joint["y"], joint["z"]] for joint in joints], dtype=np.float32)


def line_by_line(path: Path, parse: Callable[[list[str]], np.ndarray]) -> dict[str, np.ndarray]:
    lines = path.read_text().splitlines()
    bodies: dict[str, list] = {}
    line = 1
    for _ in range(int(lines[0])):
        num_bodies = int(lines[line])
        line += 1
        for _ in range(num_bodies):
            body, num_joints = lines[line].split()[0], int(lines[line + 1])
            line += 2 + num_joints
            bodies.setdefault(body, []).append(parse(lines[line - num_joints : line]))
    return {body: np.stack(frames) for body, frames in bodies.items()}


def write_file(path: Path, generator: np.random.Generator) -> None:
    walk = generator.normal(scale=0.01, size=(NUM_FRAMES, 25, 12)).cumsum(axis=0)
    rows = walk + generator.normal(scale=(1, 1, 3, 100, 100, 500, 500, 1, 1, 1, 1, 0), size=(25, 12))
    lines = [str(NUM_FRAMES)]
    for frame in rows.astype(np.float32):
        lines += ["1", "72057594037944738 0 1 1 0 0 0 0.02764709 0.05745083 2", "25"]
        lines += [" ".join([*(f"{value:.7g}" for value in row[:11]), "2"]) for row in frame]
    path.write_text("\n".join(lines) + "\n")


def main() -> None:
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{index}.skeleton" for index in range(NUM_FILES)]
        for path in paths:
            write_file(path, generator)
        plain = {
            "line by line, three words": three_words,
            "line by line, an array a joint": array_a_joint,
            "line by line, a dictionary a joint": dictionary_a_joint,
        }
        ways: dict[str, Callable[[Path], Any]] = {"stars_hub": lambda path: read_skeleton_file(path).bodies}
        ways |= {name: lambda path, parse=parse: line_by_line(path, parse) for name, parse in plain.items()}
        for path in paths:
            for body, joints in line_by_line(path, three_words).items():
                np.testing.assert_array_equal(joints, read_skeleton_file(path).bodies[body].joints)
        seconds = take_turns(
            {name: lambda way=way: [way(path) for path in paths] for name, way in ways.items()}
        )
    rows = [
        {
            "reader": name,
            "files a second": NUM_FILES / seconds[name],
            "stars_hub is faster by": seconds[name] / seconds["stars_hub"],
        }
        for name in ways
    ]
    report("skeleton_parsing", rows, note=f"{NUM_FRAMES} frames of one body a file, one core")


if __name__ == "__main__":
    main()
