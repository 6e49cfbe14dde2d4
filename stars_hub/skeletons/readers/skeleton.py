"""NTU RGB+D `.skeleton` text: which body was where, frame by frame.

::

    number of frames
    per frame: number of bodies
    per body:  body id and 9 further numbers; number of joints, 25;
               per joint 12 numbers, of which the first three are x y z in metres

Reference: NTU RGB+D (Shahroudy et al. 2016, arXiv 1604.02808).
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from einops import rearrange

from stars_hub.errors import SkeletonFileError
from stars_hub.skeletons.readers.decimals import WIDTH, parse_decimals
from stars_hub.skeletons.readers.text import read_bytes
from stars_hub.skeletons.sequence import LARGEST_COORDINATE

NUM_JOINTS = 25
_MARGIN = b" " * WIDTH  # what `parse_decimals` wants before the first number
_SPACE, _NEWLINE = b" \n"


@dataclass(frozen=True)
class Body:
    """What was recorded under one body id.

    Attributes:
        frames: (n,) int64, the frames in which the id occurs, ascending.
        joints: (n, 25, 3) float32, metres.
    """

    frames: np.ndarray
    joints: np.ndarray


@dataclass(frozen=True)
class SkeletonFile:
    """The content of a `.skeleton` file.

    Attributes:
        num_frames: frames in the file, those without anybody included.
        bodies: by body id, in order of first appearance.
    """

    num_frames: int
    bodies: dict[str, Body]


def read_skeleton_file(path: str | Path) -> SkeletonFile:
    """Read a `.skeleton` file as it is, without judging who is a person.

    Raises:
        SkeletonFileError: the file cannot be read, ends too early, or a line does not hold what it should;
            the message names file and line.
    """
    text = _Lines(_MARGIN + read_bytes(path) + b"\n", Path(path))
    num_frames, ids, frames, first_lines = _walk(text)
    lines = (np.array(first_lines, dtype=np.int64)[:, None] + np.arange(NUM_JOINTS)).ravel()
    joints = rearrange(_coordinates(text, lines), "(n v) c -> n v c", v=NUM_JOINTS)
    bodies: dict[str, list[int]] = {}
    for row, body in enumerate(ids):
        bodies.setdefault(body, []).append(row)
    return SkeletonFile(
        num_frames, {body: Body(np.array(frames)[rows], joints[rows]) for body, rows in bodies.items()}
    )


class _Lines:
    """The lines of a file, found once and cut out only when asked for."""

    def __init__(self, text: bytes, path: Path) -> None:
        self.path = path
        self.text = text
        self.array = np.frombuffer(text, np.uint8)
        self.gaps = np.flatnonzero(self.array <= _SPACE)[len(_MARGIN) - 1 :]
        self.line_gaps = np.concatenate([[0], np.flatnonzero(self.array[self.gaps] == _NEWLINE)])
        self.ends: list[int] = self.gaps[self.line_gaps].tolist()

    def __len__(self) -> int:
        return len(self.ends) - 1

    def __getitem__(self, line: int) -> bytes:
        return self.text[self.ends[line] + 1 : self.ends[line + 1]]

    def error(self, message: str, line: int) -> SkeletonFileError:
        return SkeletonFileError(message, self.path, min(line, len(self) - 1) + 1)

    def count(self, line: int, what: str) -> int:
        """The number that stands alone in a line."""
        if line >= len(self):
            raise self.error(f"the file ends where the number of {what} should stand", line)
        word = self[line].strip()
        if not word.isdigit() or len(word) > 12:
            raise self.error(f"expected the number of {what}, got {_shown(word)}", line)
        return int(word)


def _walk(text: _Lines) -> tuple[int, list[str], list[int], list[int]]:
    """Number of frames, and of every body in every frame: its id, the frame, the line of its first joint."""
    num_frames = text.count(0, "frames")
    ids: list[str] = []
    frames: list[int] = []
    first_lines: list[int] = []
    line = 1
    for frame in range(num_frames):
        num_bodies = text.count(line, "bodies")
        line += 1
        here = len(ids)
        for _ in range(num_bodies):
            num_joints = text.count(line + 1, "joints")
            if num_joints != NUM_JOINTS:
                raise text.error(f"expected {NUM_JOINTS} joints, got {num_joints}", line + 1)
            if line + 2 + num_joints > len(text):
                raise text.error(f"the file ends in frame {frame + 1} of {num_frames}", len(text))
            body = _body_id(text, line)
            if body in ids[here:]:
                raise text.error(f"body {body} is in frame {frame + 1} a second time", line)
            ids.append(body)
            frames.append(frame)
            first_lines.append(line + 2)
            line += 2 + num_joints
    for rest in range(line, len(text)):
        if text[rest].strip():
            raise text.error(f"expected the end of the file, got {_shown(text[rest])}", rest)
    return num_frames, ids, frames, first_lines


def _body_id(text: _Lines, line: int) -> str:
    words = text[line].split(None, 1)
    if not words or not words[0].isdigit():
        raise text.error(f"expected a body id, got {_shown(text[line])}", line)
    return words[0].decode("ascii")


def _coordinates(text: _Lines, lines: np.ndarray) -> np.ndarray:
    """The first three numbers of the lines, (n, 3) float32: all at once, or line by line if one is odd."""
    gaps = text.line_gaps[lines][:, None] + np.arange(4)
    if len(lines) and gaps.max() < len(text.gaps) and (gaps[:, 3] <= text.line_gaps[lines + 1]).all():
        places = text.gaps[gaps]
        with suppress(ValueError):
            values = parse_decimals(text.array, (places[:, :3] + 1).ravel(), places[:, 1:].ravel())
            if (np.abs(values) < LARGEST_COORDINATE).all():  # false for nan as well
                return rearrange(values, "(n c) -> n c", c=3).astype(np.float32)
    rows = [_point(text, line) for line in lines.tolist()]
    return np.array(rows, dtype=np.float32).reshape(-1, 3)


def _point(text: _Lines, line: int) -> list[float]:
    try:
        point = [float(word) for word in text[line].split(None, 3)[:3]]
    except ValueError:
        point = []
    if len(point) != 3 or not all(abs(value) < LARGEST_COORDINATE for value in point):
        raise text.error(f"expected x y z of a joint, got {_shown(text[line])}", line)
    return point


def _shown(line: bytes) -> str:
    shown = line.strip()[:40].decode("ascii", "backslashreplace")
    return repr(shown) if shown else "nothing"
