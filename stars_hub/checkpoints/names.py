"""The names in a model folder, and the words that its errors share."""

from collections.abc import Iterable
from pathlib import Path

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"
OBJECTIVE_NAME = "objective.safetensors"
LAYOUT_NAME = "layout.json"
CARD_NAME = "README.md"

MODEL_TYPE = "stars"
FORMAT_VERSION = 1  # of config.json together with the tensors' names; readers refuse a higher one


def listing(names: Iterable[str], *, limit: int = 6) -> str:
    """Join names for an error message; a long list is cut and counted.

    >>> listing(["a", "b"])
    'a, b'
    >>> listing("abcdefgh", limit=3)
    'a, b, c and 5 more'
    """
    names = list(names)
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


def reload_advice(path: Path) -> str:
    """What to do about a broken file: one that lies in the Hub's cache can be fetched again."""
    in_cache = any(parent.name.startswith("models--") for parent in path.parents)
    return (
        "; the cached download is damaged: load with force_download=True to fetch it again"
        if in_cache
        else ""
    )
