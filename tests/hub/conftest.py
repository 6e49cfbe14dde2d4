"""Checkpoints as the authors write them, with the golden models' weights."""

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.checkpoints.conftest import client_session, hub

__all__ = ["client_session", "hub"]

State = dict[str, Tensor]


@pytest.fixture(scope="session")
def mamp_state(golden_dir: Path) -> State:
    """The golden MAMP model, 4 encoder and 2 decoder blocks of width 32, under the authors' names."""
    golden = load_file(golden_dir / "mamp_motion_aware.safetensors")
    return {name.removeprefix("state."): t for name, t in golden.items() if name.startswith("state.")}


@pytest.fixture(scope="session")
def stars_state(golden_dir: Path) -> State:
    """The golden STARS model after three steps: heads, and a queue of 20 rows. All float64."""
    golden = load_file(golden_dir / "nnclr_partial.safetensors")
    state = {name.removeprefix("after."): t for name, t in golden.items() if name.startswith("after.")}
    state["queue"] = golden["queue_after"].T
    state["queue_id"] = golden["queue_ids_after"]
    state["queue_ptr"] = golden["queue_ptr_after"]
    return state


@pytest.fixture
def save_mamp(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file like MAMP's `checkpoint-last.pth`."""

    def save(state: State, *, legacy: bool = False, **changes: object) -> Path:
        settings = argparse.Namespace(
            batch_size=32,
            lr=1e-3,
            betas=[0.9, 0.95],
            output_dir="./out",
            model_args={"dim_feat": 256},
            resume=None,
        )
        optimizer = {
            "state": {0: {"step": torch.tensor(7.0), "exp_avg": torch.full((3, 3), float("nan"))}},
            "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.95), "params": [0]}],
        }
        content = {"model": state, "optimizer": optimizer, "epoch": 399, "scaler": {"scale": 65536.0}}
        path = tmp_path / "checkpoint-last.pth"
        torch.save({**content, "args": settings, **changes}, path, _use_new_zipfile_serialization=not legacy)
        return path

    return save


@pytest.fixture
def save_stars(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file like those of STARS: a flat dictionary."""

    def save(state: State, *, legacy: bool = False) -> Path:
        path = tmp_path / "stars.pt"
        torch.save(state, path, _use_new_zipfile_serialization=not legacy)
        return path

    return save


@pytest.fixture(scope="session")
def make_encoder() -> Callable[..., State]:
    """An encoder under the authors' names, of any size, with random weights."""

    def make(
        *, d: int, h: int, depth: int = 1, c: int = 3, u: int = 4, p: int = 1, t: int = 3, v: int = 5
    ) -> State:
        generator = torch.Generator().manual_seed(0)

        def numbers(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator)

        state = {
            "joints_embed.proj.weight": numbers(d, c, u, p),
            "joints_embed.proj.bias": numbers(d),
            "temp_embed": numbers(1, t, 1, d),
            "pos_embed": numbers(1, 1, v, d),
            "norm.weight": numbers(d),
            "norm.bias": numbers(d),
        }
        layers = {"attn.qkv": (3 * d, d), "attn.proj": (d, d), "mlp.fc1": (h, d), "mlp.fc2": (d, h)}
        for block in range(depth):
            for layer, (rows, columns) in layers.items():
                state[f"blocks.{block}.{layer}.weight"] = numbers(rows, columns)
                state[f"blocks.{block}.{layer}.bias"] = numbers(rows)
            for norm in ("norm1", "norm2"):
                state[f"blocks.{block}.{norm}.weight"] = numbers(d)
                state[f"blocks.{block}.{norm}.bias"] = numbers(d)
        return state

    return make
