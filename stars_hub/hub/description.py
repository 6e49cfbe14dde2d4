"""A model folder in words, for `stars-hub info`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from stars_hub import checkpoints


def describe_model(name: str | Path, **where: Any) -> str:
    """Say what a model is: its configuration, its size, its tensors and its card.

    Args:
        name: a folder, a Hub id or a bundled name.
        where: passed on to `checkpoints.resolve_model`, such as `revision` or `local_files_only`.

    Raises:
        CheckpointError: the model cannot be found or read.
    """
    folder = checkpoints.resolve_model(name, **where)
    config = checkpoints.read_config(folder)
    tensors = checkpoints.read_tensors(folder / checkpoints.WEIGHTS_NAME)
    card = folder / checkpoints.CARD_NAME
    parts = [
        f"{name}\n{folder}",
        _titled("Configuration", "\n".join(f"{key}: {value}" for key, value in config.items())),
        _titled(f"Parameters: {sum(tensor.numel() for tensor in tensors.values()):,}", _table(tensors)),
        _titled("Card", card.read_text(encoding="utf-8").strip() if card.is_file() else "none"),
    ]
    return "\n\n".join(parts)


def _titled(title: str, text: str) -> str:
    return f"{title}\n{'-' * len(title)}\n{text}"


def _table(tensors: Mapping[str, Tensor]) -> str:
    rows = [
        (name, str(tuple(tensor.shape)), str(tensor.dtype))
        for name, tensor in sorted(tensors.items(), key=lambda item: _as_counted(item[0]))
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "\n".join(f"{name:<{widths[0]}}  {shape:<{widths[1]}}  {dtype}" for name, shape, dtype in rows)


def _as_counted(name: str) -> list[tuple[int, str]]:
    """So that block 10 comes after block 9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in name.split(".")]
