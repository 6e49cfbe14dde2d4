"""Small stores and small configurations of every stage."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from stars_hub.model.config import EncoderConfig
from stars_hub.model.encoder import STARSEncoder
from stars_hub.skeletons.store import SkeletonStore
from stars_hub.training import FinetuneConfig, PretrainConfig, TuneConfig
from tests.motions import drifting

ENCODER = EncoderConfig(num_frames=8, embed_dim=16, depth=2, num_heads=2)
COUNT = 22


def store_of(folder: Path, count: int = COUNT) -> SkeletonStore:
    """Recordings of 12 frames, of one person or two, by 4 subjects, of 2 classes."""
    sequences = [drifting(12, 1 + (n % 3 == 0), n) for n in range(count)]
    labels, subjects = [n % 2 for n in range(count)], [n % 4 for n in range(count)]
    names = [f"clip{n:02d}" for n in range(count)]
    return SkeletonStore.create(
        folder, sequences, layout="ntu25", labels=labels, subjects=subjects, names=names
    )


def pretrain_config(folder: Path, **changes: Any) -> PretrainConfig:
    """Two epochs of two steps on the store in `folder`."""
    settings: dict[str, Any] = {
        "data": str(folder / "store"),
        "output": str(folder / "run"),
        "encoder": ENCODER,
        "decoder_depth": 1,
        "epochs": 2,
        "warmup_epochs": 0.5,
        "monitor_every": 1,
        "batch_size": 8,
        "progress": False,
        "device": "cpu",
    }
    return PretrainConfig(**(settings | changes))


def tune_config(folder: Path, **changes: Any) -> TuneConfig:
    """Two epochs of two steps on the store in `folder`, from the model in it."""
    settings: dict[str, Any] = {
        "data": str(folder / "store"),
        "output": str(folder / "run"),
        "model": str(folder / "model"),
        "queue_size": 20,
        "predictor_hidden_dim": 12,
        "epochs": 2,
        "batch_size": 8,
        "progress": False,
        "device": "cpu",
    }
    return TuneConfig(**(settings | changes))


def finetune_config(folder: Path, **changes: Any) -> FinetuneConfig:
    """Two epochs of two steps on the store in `folder`, from the model in it."""
    settings: dict[str, Any] = {
        "data": str(folder / "store"),
        "output": str(folder / "run"),
        "model": str(folder / "model"),
        "hidden_dim": 12,
        "head_drop_rate": 0.0,
        "drop_path_rate": 0.0,
        "class_weights": "balanced",
        "epochs": 2,
        "warmup_epochs": 0.5,
        "batch_size": 8,
        "progress": False,
        "device": "cpu",
    }
    return FinetuneConfig(**(settings | changes))


CONFIGS: dict[str, Callable[..., Any]] = {
    "pretrain": pretrain_config,
    "tune": tune_config,
    "finetune": finetune_config,
}


def prepare(folder: Path) -> None:
    """A store and a model to start from."""
    store_of(folder / "store")
    torch.manual_seed(0)
    STARSEncoder(ENCODER).save_pretrained(folder / "model")


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `store` and `model`; runs go elsewhere."""
    folder = tmp_path_factory.mktemp("training")
    prepare(folder)
    return folder


@pytest.fixture(params=list(CONFIGS))
def config(request: pytest.FixtureRequest, prepared: Path, tmp_path: Path) -> Callable[..., Any]:
    """The configuration of each stage, with a run folder of the test's own."""

    def make(**changes: Any) -> Any:
        return CONFIGS[request.param](prepared, **({"output": str(tmp_path / "run")} | changes))

    return make
