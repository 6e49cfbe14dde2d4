"""A model folder on disk: its config read with suspicion, the whole written at once or not at all."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor

from stars_hub._version import __version__
from stars_hub.checkpoints.names import (
    CARD_NAME,
    CONFIG_NAME,
    FORMAT_VERSION,
    LAYOUT_NAME,
    MODEL_TYPE,
    OBJECTIVE_NAME,
    WEIGHTS_NAME,
    reload_advice,
)
from stars_hub.checkpoints.tensors import dump_tensors
from stars_hub.errors import CheckpointError
from stars_hub.files import sync_folder, temporary_name, write_durably

# config.json last: a folder that was new and is incomplete is then no model folder.
ALL_NAMES = (WEIGHTS_NAME, OBJECTIVE_NAME, LAYOUT_NAME, CARD_NAME, CONFIG_NAME)


def read_config(folder: str | Path) -> dict[str, Any]:
    """Read the `config.json` of a model folder.

    Args:
        folder: the model folder.

    Returns:
        The JSON object; its format version, model type and label names are checked, the rest is the caller's.

    Raises:
        CheckpointError: the file is missing, is no JSON object, belongs to another kind of model
            or to a newer version of this package.
    """
    path = Path(folder) / CONFIG_NAME
    try:
        config = json.loads(path.read_bytes().decode("utf-8"), parse_constant=_refuse_constant)
    except FileNotFoundError as error:
        raise CheckpointError(f"{folder} is no model folder: it holds no {CONFIG_NAME}") from error
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # bad UTF-8 and bad JSON are both ValueErrors
        raise CheckpointError(f"{path} is not JSON: {error}{reload_advice(path)}") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{path} holds a {type(config).__name__} where a JSON object was expected")
    _check_config(config, source=path)
    return config


def write_model(
    folder: str | Path,
    *,
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    card: str,
    objective: Mapping[str, Tensor] | None = None,
    layout: Mapping[str, Any] | None = None,
    dtype: torch.dtype | None = None,
) -> Path:
    """Write a model folder, whole or not at all.

    Everything is staged and flushed to disk before anything appears. A new folder then appears by one rename.
    In an existing model folder the files are exchanged one by one, those that no longer belong are removed,
    others are left alone; an error or an interrupt on the way puts the old files back.

    Args:
        folder: where; parents are created.
        config: what goes into `config.json`; format version, model type and library version are added.
        tensors: the encoder's tensors by name.
        card: the text of `README.md`.
        objective: the objective's tensors; `config["objective"]` then holds its settings.
        layout: the content of `layout.json`, for a skeleton layout that is not built in.
        dtype: torch.float32, torch.float16 or torch.bfloat16: the stored form of all floating tensors.

    Returns:
        The folder's absolute path.

    Raises:
        CheckpointError: the config or a tensor cannot be stored, the folder belongs to something else,
            or the disk refuses.
    """
    if not str(folder).strip():
        raise CheckpointError("the folder to write the model to has an empty name")
    target = Path(folder).expanduser().resolve()
    if objective is not None and not isinstance(config.get("objective"), Mapping):
        raise CheckpointError("the objective's tensors come without its settings: config has no 'objective'")
    header = {"format_version": FORMAT_VERSION, "model_type": MODEL_TYPE, "library_version": __version__}
    _check_config({**header, **config}, source="config")
    files = {
        WEIGHTS_NAME: dump_tensors(tensors, dtype=dtype),
        CARD_NAME: card.encode("utf-8"),
        CONFIG_NAME: _dump_json({**header, **config, **header}, what="config"),
    }
    if objective is not None:
        files[OBJECTIVE_NAME] = dump_tensors(objective, dtype=dtype)
    if layout is not None:
        files[LAYOUT_NAME] = _dump_json(layout, what="layout")
    _check_target(target)
    try:
        if target.exists():
            _exchange(target, files)
        else:
            _create(target, files)
    except OSError as error:
        raise CheckpointError(f"cannot write {target}: {error.strerror or error}") from error
    return target


def _check_config(config: Mapping[str, Any], *, source: str | Path) -> None:
    version = config.get("format_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise CheckpointError(
            f"{source}: format_version should be a number from 1 to {FORMAT_VERSION}, not {version!r}: "
            "not written by stars-hub? The authors' checkpoints are read by stars-hub convert"
        )
    if version > FORMAT_VERSION:
        raise CheckpointError(
            f"{source} was made by a newer stars-hub (format {version}; this version, {__version__}, knows "
            f"{FORMAT_VERSION}): pip install --upgrade stars-hub"
        )
    if config.get("model_type") != MODEL_TYPE:
        raise CheckpointError(
            f"{source}: model_type is {config.get('model_type')!r}, expected {MODEL_TYPE!r}"
        )
    labels = config.get("label_names")
    if labels is None:
        return
    if not isinstance(labels, list | tuple) or not all(isinstance(name, str) and name for name in labels):
        raise CheckpointError(f"{source}: label_names should be a list of names")
    if len(set(labels)) != len(labels):
        twice = next(name for name in labels if list(labels).count(name) > 1)
        raise CheckpointError(f"{source}: label_names holds {twice!r} twice")


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")


def _dump_json(content: Mapping[str, Any], *, what: str) -> bytes:
    try:
        return (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"the {what} cannot be written as JSON: {error}") from error


def _check_target(target: Path) -> None:
    """Refuse to write over what is not ours: a file, or another program's README.md."""
    if not target.exists():
        return
    if not target.is_dir():
        raise CheckpointError(f"{target} is a file: give a folder to write the model to")
    taken = [name for name in ALL_NAMES if (target / name).exists()]
    if not taken:
        return
    try:
        ours = json.loads((target / CONFIG_NAME).read_bytes()).get("model_type") == MODEL_TYPE
    except (OSError, ValueError, AttributeError):
        ours = False
    if not ours:
        raise CheckpointError(
            f"{target} is no model folder, yet holds {', '.join(taken)}: give another folder"
        )


def _create(target: Path, files: Mapping[str, bytes]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with _staged(target.parent, files) as staging:
        os.rename(staging, target)
        sync_folder(target.parent)


def _exchange(target: Path, files: Mapping[str, bytes]) -> None:
    # Staged inside: the folder itself may be a mount point, or its parent read-only.
    with _staged(target, files) as staging:
        old = staging / "old"
        old.mkdir()
        kept = [name for name in ALL_NAMES if (target / name).exists()]
        for name in kept:
            _link(target / name, old / name)
        try:
            for name in ALL_NAMES:
                if name in files:
                    os.replace(staging / name, target / name)
                else:
                    (target / name).unlink(missing_ok=True)
            sync_folder(target)
        except BaseException:
            for name in ALL_NAMES:
                if name in kept:
                    os.replace(old / name, target / name)
                else:
                    (target / name).unlink(missing_ok=True)
            raise


@contextmanager
def _staged(place: Path, files: Mapping[str, bytes]) -> Iterator[Path]:
    """A folder in `place` that holds `files`, safe on disk; what is left of it goes away at the end."""
    staging = place / temporary_name("stars-hub")
    staging.mkdir()
    try:
        for name, data in files.items():
            write_durably(staging / name, data)
        sync_folder(staging)
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _link(source: Path, copy: Path) -> None:
    try:
        os.link(source, copy)
    except OSError:  # no hard links on this file system
        shutil.copy2(source, copy)
