"""What a configuration takes for a value: the natural ways to say it, and a word on all others."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stars_hub.errors import ConfigError
from stars_hub.skeletons.store import SkeletonStore
from tests.training.conftest import finetune_config, pretrain_config, store_of, tune_config

Make = Callable[..., Any]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("walks", ("walks",)),
        (Path("walks"), ("walks",)),
        ([Path("a"), "b"], ("a", "b")),
    ],
)
def test_folders(prepared: Path, value: Any, expected: tuple[str, ...]) -> None:
    config = finetune_config(prepared, data=value, monitor_data=value)
    assert config.data == config.monitor_data == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, ("1",)),
        (np.int64(7), ("7",)),
        ("P01", ("P01",)),
        ([1, "b"], ("1", "b")),
        (range(2), ("0", "1")),
        (np.array([3, 5]), ("3", "5")),
    ],
)
def test_subjects(prepared: Path, value: Any, expected: tuple[str, ...]) -> None:
    config = pretrain_config(prepared, subjects=value, monitor_subjects=value)
    assert config.subjects == config.monitor_subjects == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": None}, "data takes a list of text, paths or numbers, got None"),
        ({"data": {"a"}}, "data takes a list of text, paths or numbers, got {'a'}"),
        ({"data": [np.zeros(2)]}, "data takes text, paths or numbers, got array"),
        ({"data": b"walks"}, "data takes a list of text, paths or numbers, got b'walks'"),
        ({"subjects": True}, "subjects takes a list of text, paths or numbers, got True"),
        ({"subjects": [["1", "2"]]}, "subjects takes text, paths or numbers, got ['1', '2']"),
        ({"subjects": (str(n) for n in range(2))}, "subjects takes a list"),
        ({"crop": 0.9}, "crop takes a list of 2 numbers, got 0.9"),
        ({"crop": "0.5,1"}, "crop takes a list of 2 numbers, got '0.5,1'"),
        ({"crop": (0.5, "1")}, "crop must be of type float, got '1'"),
    ],
)
def test_other_types_are_refused(prepared: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        finetune_config(prepared, **changes)


def test_a_store_stands_for_its_folder(prepared: Path, tmp_path: Path) -> None:
    store = SkeletonStore.open(prepared / "store")
    folder = str(prepared / "store")
    assert finetune_config(prepared, data=store, monitor_data=[store]).data == (folder,)
    assert finetune_config(prepared, data=[store, tmp_path]).data == (folder, str(tmp_path))
    other = store_of(tmp_path / "other", 3)
    for part in (
        store[:5],
        store.select(label=0).renumber_labels(),
        store.select(np.arange(len(store))[::-1]),
        SkeletonStore.concatenate([store, other]),
        SkeletonStore.concatenate([store, store]),
    ):
        with pytest.raises(
            ConfigError, match=r"data takes the folders of whole stores, got .*SkeletonStore\("
        ):
            finetune_config(prepared, data=part)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clip_norm": float("inf")}, "clip_norm must be a finite number, got inf"),
        ({"lr": float("nan")}, "lr must be a finite number, got nan"),
        ({"rotation": float("inf")}, "rotation must be a finite number"),
        ({"crop": (0.5, float("nan"))}, "crop must be a finite number"),
        ({"weight_decay": 10**400}, "weight_decay must be a finite number"),
        ({"layer_decay": 0.0}, "layer_decay must be above 0, got 0.0"),
        ({"beta1": 1.5}, "beta1 must lie in [0, 1), got 1.5"),
        ({"beta2": 1.0}, "beta2 must lie in [0, 1), got 1.0"),
        ({"beta2": -0.1}, "beta2 must lie in [0, 1), got -0.1"),
        ({"monitor_fraction": 0.0}, "monitor_fraction must lie in (0, 1), got 0.0"),
        ({"ema_decay": 1.0}, "ema_decay must lie in [0, 1), got 1.0"),
        ({"clip": "each", "clip_norm": 0.0}, "clip_norm must be above 0, got 0.0"),
    ],
)
def test_numbers_that_cannot_be(config: Make, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        config(**changes)


def test_numbers_at_their_bounds(config: Make, prepared: Path) -> None:
    made = config(beta1=0, layer_decay=1e-3, weight_decay=0, ema_decay=0)
    assert (made.beta1, made.layer_decay) == (0.0, 1e-3)
    for temperature in (0.0, -1.0):
        with pytest.raises(ConfigError, match="temperature must be above 0"):
            tune_config(prepared, temperature=temperature)
