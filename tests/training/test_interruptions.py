"""Runs that are cut off, stopped or cannot write: what is left, and how they go on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from stars_hub import STARSEncoder
from stars_hub.errors import CheckpointError, ConfigError, NotFiniteError
from stars_hub.training.session import Session
from tests.training.helpers import (
    assert_same,
    kill_in_evaluation,
    kill_in_step,
    run,
    tensors_of,
    without_time,
)

Make = Callable[..., Any]


def test_dropout_is_the_same_in_a_resumed_run(tmp_path: Path, prepared: Path) -> None:
    from dataclasses import replace

    from tests.training.conftest import ENCODER, pretrain_config

    encoder = replace(ENCODER, drop_rate=0.3, drop_path_rate=0.2)
    whole = run(pretrain_config(prepared, encoder=encoder, output=str(tmp_path / "whole")))
    cut = pretrain_config(prepared, encoder=encoder, output=str(tmp_path / "cut"))
    kill_in_step(cut, 3)
    assert_same(tensors_of(run(cut)), tensors_of(whole))


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_run_cut_off_in_a_step_ends_as_if_it_had_not_been(config: Make, tmp_path: Path, number: int) -> None:
    whole = run(config(output=str(tmp_path / "whole"), ema_decay=0.9, monitor_every=2))
    cut = config(output=str(tmp_path / "cut"), ema_decay=0.9, monitor_every=2, checkpoint_steps=1)
    kill_in_step(cut, number)
    resumed = run(cut)
    assert_same(tensors_of(resumed), tensors_of(whole))
    assert without_time(resumed.history) == without_time(whole.history)


def test_torn_line_and_lines_from_after_the_state_are_dropped(config: Make) -> None:
    result = run(config())
    metrics = result.folder / "metrics.jsonl"
    whole = metrics.read_bytes()
    metrics.write_bytes(whole + b'{"epoch": 3, "loss": 1.0}\n{"epoch": 4, "lo')
    run(config())
    assert metrics.read_bytes() == whole


def test_refused_start_can_be_corrected_in_the_same_folder(config: Make, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="fewer than one batch"):
        run(config(batch_size=100))
    assert not (tmp_path / "run").exists()
    kill_in_evaluation(config(seed=5))
    assert (tmp_path / "run" / "config.json").exists()
    run(config(seed=6, epochs=1))
    assert json.loads((tmp_path / "run" / "config.json").read_text())["seed"] == 6


def test_loss_that_is_not_finite_stops_and_names_the_samples(
    config: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    original = Session.train_step

    def poisoned(self: Session, batch: Any, *, epoch: int, step: int) -> float:
        if (epoch, step) == (1, 1):
            batch.x.fill_(torch.nan)
        return original(self, batch, epoch=epoch, step=step)

    monkeypatch.setattr(Session, "train_step", poisoned)
    with pytest.raises(NotFiniteError, match=r"epoch 1, step 1.*clip\d\d, clip\d\d"):
        run(config())
    before = tensors_of(tmp_path / "run")
    assert all(torch.isfinite(tensor).all() for tensor in before.values())
    monkeypatch.undo()
    assert_same(tensors_of(run(config())), tensors_of(run(config(output=str(tmp_path / "whole")))))


@pytest.mark.parametrize("name", ["resume.safetensors", "last", "metrics.jsonl"])
def test_disk_full_keeps_the_last_good_checkpoint(
    config: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    import os

    made = config()
    target = tmp_path / "run" / name
    original, after_first = os.fsync, False

    def fsync(descriptor: int) -> None:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        if after_first and path.startswith(str(tmp_path / "run")) and name in path:
            raise OSError(28, "No space left on device")
        original(descriptor)

    step = Session.train_step

    def train_step(self: Session, *args: Any, **kwargs: Any) -> float:
        nonlocal after_first
        after_first = kwargs["epoch"] == 1
        return step(self, *args, **kwargs)

    monkeypatch.setattr(Session, "train_step", train_step)
    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(CheckpointError, match=rf"{name}.*No space left"):
        run(made)
    monkeypatch.undo()
    assert target.exists()
    STARSEncoder.from_pretrained(tmp_path / "run" / "last")
    assert_same(tensors_of(run(made)), tensors_of(run(config(output=str(tmp_path / "whole")))))


def test_checkpoint_larger_than_the_limit_of_files_keeps_the_last_good_one(
    config: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    step = Session.train_step

    def train_step(self: Session, *args: Any, **kwargs: Any) -> float:
        if kwargs["epoch"] == 1:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
        return step(self, *args, **kwargs)

    monkeypatch.setattr(Session, "train_step", train_step)
    try:
        with pytest.raises(CheckpointError, match=r"cannot write .*File too large"):
            run(config())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    monkeypatch.undo()
    STARSEncoder.from_pretrained(tmp_path / "run" / "last")
    assert_same(tensors_of(run(config())), tensors_of(run(config(output=str(tmp_path / "whole")))))


def test_sigterm_leaves_a_checkpoint_and_143(
    config: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import os
    import signal

    step = Session.train_step

    def train_step(self: Session, *args: Any, **kwargs: Any) -> float:
        if (kwargs["epoch"], kwargs["step"]) == (1, 0):
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, *args, **kwargs)

    monkeypatch.setattr(Session, "train_step", train_step)
    with pytest.raises(SystemExit) as stopped:
        run(config())
    assert stopped.value.code == 143
    assert "SIGTERM: stopped at epoch 1, step 1" in capsys.readouterr().out
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    monkeypatch.undo()
    assert_same(tensors_of(run(config())), tensors_of(run(config(output=str(tmp_path / "whole")))))


def test_checkpoints_by_the_clock(config: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = []
    from stars_hub.training import loop

    original = loop.save_state

    def save_state(*args: Any) -> None:
        saved.append((args[3].epoch, args[3].step))
        original(*args)

    monkeypatch.setattr(loop, "save_state", save_state)
    run(config(checkpoint_minutes=0.0))
    assert saved == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]
