"""kill -9 at random moments of both stages: what is resumed ends bit for bit as what was not killed."""

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.helpers import assert_same, run, tensors_of, without_time


def quiet_run(config: Any) -> None:
    """What a child process does."""
    torch.set_num_threads(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    run(config)


def run_and_kill(config: Any, after: float) -> bool:
    """Whether the run was killed before its end."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.training.helpers"])
    process = context.Process(target=quiet_run, args=(config,))
    process.start()
    while process.is_alive() and not Path(config.output, "config.json").exists():
        time.sleep(0.001)
    time.sleep(after)
    if process.is_alive() and process.pid is not None:
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    return process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize("kills", [2, pytest.param(30, marks=pytest.mark.slow)])
def test_killed_run_ends_as_if_it_had_not_been(
    config: Callable[..., Any], tmp_path: Path, kills: int
) -> None:
    settings = {"epochs": 3, "checkpoint_steps": 1}
    torch.set_num_threads(1)
    started = time.monotonic()
    whole = run(config(output=str(tmp_path / "whole"), **settings))
    length = time.monotonic() - started
    expected = tensors_of(whole)
    moments, killed = random.Random(0), 0
    for number in range(4 * kills):
        if killed == kills:
            break
        cut = config(output=str(tmp_path / f"cut{number}"), **settings)
        if not run_and_kill(cut, moments.uniform(0, length)):
            length *= 0.7  # the machine was less busy than when the whole run was timed
            continue
        killed += 1
        resumed = run(cut)
        assert_same(tensors_of(resumed), expected)
        assert without_time(resumed.history) == without_time(whole.history)
        assert not [left for left in resumed.folder.rglob("*.tmp") if left.name.startswith(".")]
    assert killed == kills
