"""JSON: nested lists of numbers, null where a joint is unknown.

A file holds one sequence: the bare lists, (T, V, 3) or (T, M, V, 3), or an object {"joints": …, "name": …,
"label": …, "subject": …} whose further plain values become columns. Or it holds a list of sequences, at
least one of them an object, for four lists in each other could be read either way.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from stars_hub.errors import SkeletonFileError
from stars_hub.skeletons.readers.check import as_joints
from stars_hub.skeletons.readers.text import read_text
from stars_hub.skeletons.sequence import Sequence

_MAX_NUMBERS = 3_000_000  # an hour of one person


def iter_json(path: Path) -> Iterator[Sequence]:
    """Read a `.json` file."""
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise SkeletonFileError(f"this is no JSON: {error.msg}", path, error.lineno) from error
    except (RecursionError, ValueError) as error:  # nested too deep; a whole number of thousands of digits
        raise SkeletonFileError(f"this is no JSON that can be read: {error}", path) from error
    if isinstance(content, list) and any(isinstance(item, dict) for item in content):
        for index, item in enumerate(content):
            yield _sequence(item, path, f"{path.stem}/{index:06d}")
    elif isinstance(content, list | dict):
        yield _sequence(content, path, path.stem)
    else:
        raise SkeletonFileError("expected nested lists of numbers, or objects with joints", path)


def _known(values: Any, path: Path, name: str) -> Any:
    """Write out a null that stands for a whole joint, person or frame, as so many unknown numbers."""
    shape = _shape(values)
    if math.prod(shape) > _MAX_NUMBERS:
        raise SkeletonFileError(f"{name}: {shape} are too many numbers for a JSON file", path)
    return _written_out(values, shape)


def _shape(values: Any) -> tuple[int, ...]:
    """How many entries the lists have, judged by the first known one on each level."""
    if not isinstance(values, list):
        return ()
    known = next((value for value in values if value is not None), None)
    return (len(values), *_shape(known))


def _written_out(values: Any, shape: tuple[int, ...]) -> Any:
    if values is None and shape:
        return np.full(shape, np.nan).tolist()
    if not isinstance(values, list) or not shape:
        return values
    return [_written_out(value, shape[1:]) for value in values]


def _sequence(item: Any, path: Path, name: str) -> Sequence:
    if not isinstance(item, dict):
        return Sequence(as_joints(_known(item, path, name), path, what=name), name)
    if "joints" not in item:
        raise SkeletonFileError(
            f"{name}: an object needs joints, got {', '.join(item)[:80] or 'nothing'}", path
        )
    values = {key: value for key, value in item.items() if key != "joints"}
    if not all(value is None or isinstance(value, str | int | float) for value in values.values()):
        raise SkeletonFileError(f"{name}: what stands beside joints must be numbers or text", path)
    name = str(values.pop("name", name))
    known = {field: values.pop(field, None) for field in ("label", "subject")}
    return Sequence(
        as_joints(_known(item["joints"], path, name), path, what=name), name, columns=values, **known
    )
