"""Two gloo processes equal one with the same global batch; so do parts of a batch one after another."""

import gc
import multiprocessing
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from stars_hub.training import session as session_module
from tests.training.helpers import assert_close, run, tensors_of

_ROUNDING = 1e-7  # of sums in another order, in float64, after Adam has divided by small gradients
Make = Callable[..., Any]


def one_of_two(rank: int, port: int, config: Any) -> None:
    """What each process does, as `torchrun` starts it."""
    torch.set_num_threads(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    leave = dist.destroy_process_group

    def leave_alone() -> None:
        """Threads of a group that a model still speaks through abort the process when it ends."""
        assert not [thing for thing in gc.get_objects() if type(thing) is DistributedDataParallel]
        leave()

    dist.destroy_process_group = leave_alone
    run(config)


def run_on_two(config: Any) -> Path:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.training.helpers"])
    both = [context.Process(target=one_of_two, args=(rank, port, config)) for rank in (0, 1)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    return Path(config.output)


def compare(first: Path, second: Path, *, atol: float) -> None:
    from tests.training.helpers import without_time

    assert_close(tensors_of(first), tensors_of(second), atol=atol)
    histories = [without_time(history_of(folder)) for folder in (first, second)]
    for one, other in zip(*histories, strict=True):
        assert one == pytest.approx(other, abs=1e-8)


def history_of(folder: Path) -> list[dict[str, Any]]:
    import json

    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


# Of 22 samples in batches of 8 the last has 6; in batches of 14, 8; in batches of 20, 2, one for each.
@pytest.mark.ddp
@pytest.mark.parametrize(
    "changes",
    [
        {"batch_size": 20, "micro_batch_size": 3},
        pytest.param({}, marks=pytest.mark.slow),
        pytest.param({"batch_size": 14, "clip": "global"}, marks=pytest.mark.slow),
    ],
)
def test_two_processes_equal_one(config: Make, tmp_path: Path, changes: dict[str, Any]) -> None:
    settings = {"precision": "float64", "drop_last": False, "ema_decay": 0.5, **changes}
    one = run(config(output=str(tmp_path / "one"), **(settings | {"micro_batch_size": None})))
    two = run_on_two(config(output=str(tmp_path / "two"), **settings))
    compare(one.folder, two, atol=_ROUNDING)


@pytest.mark.ddp
def test_a_process_without_a_share_of_the_last_batch_takes_part(prepared: Path, tmp_path: Path) -> None:
    from tests.training.conftest import pretrain_config, store_of

    store_of(tmp_path / "store", 21)
    settings = {
        "data": str(tmp_path / "store"),
        "precision": "float64",
        "drop_last": False,
        "batch_size": 10,
        "skip_absent_persons": True,
    }
    one = run(pretrain_config(prepared, output=str(tmp_path / "one"), **settings))
    two = run_on_two(pretrain_config(prepared, output=str(tmp_path / "two"), **settings))
    compare(one.folder, two, atol=_ROUNDING)


@pytest.mark.ddp
def test_two_views_on_two_processes_equal_one(prepared: Path, tmp_path: Path) -> None:
    from tests.training.conftest import store_of, tune_config

    store_of(tmp_path / "store", 22)
    settings = {
        "data": str(tmp_path / "store"),
        "precision": "float64",
        "drop_last": False,
        "batch_size": 10,
        "two_views": True,
        "rotation": 0.3,
        "mirror": 0.5,
    }
    one = run(tune_config(prepared, output=str(tmp_path / "one"), **settings))
    two = run_on_two(tune_config(prepared, output=str(tmp_path / "two"), **settings))
    # The gradient of a bias before batch normalisation is rounding alone, which Adam makes larger.
    compare(one.folder, two, atol=10 * _ROUNDING)
    plain = run(tune_config(prepared, output=str(tmp_path / "p"), **(settings | {"two_views": False})))
    assert plain.history[-1]["loss"] != one.history[-1]["loss"]


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("size", [1, 3, 8])
def test_parts_of_a_batch_equal_the_batch_in_pretraining(
    prepared: Path, tmp_path: Path, skip: bool, size: int
) -> None:
    from tests.training.conftest import pretrain_config

    settings = {"precision": "float64", "drop_last": False, "skip_absent_persons": skip}
    whole = run(pretrain_config(prepared, output=str(tmp_path / "whole"), **settings))
    parts = run(pretrain_config(prepared, output=str(tmp_path / "parts"), micro_batch_size=size, **settings))
    compare(whole.folder, parts.folder, atol=_ROUNDING)


@pytest.mark.parametrize("size", [1, 3, 8])
def test_encoding_in_chunks_equals_encoding_at_once_in_tuning(
    prepared: Path, tmp_path: Path, size: int
) -> None:
    from tests.training.conftest import tune_config

    settings = {"precision": "float64", "drop_last": False, "ema_decay": 0.5}
    whole = run(tune_config(prepared, output=str(tmp_path / "whole"), **settings))
    parts = run(tune_config(prepared, output=str(tmp_path / "parts"), micro_batch_size=size, **settings))
    compare(whole.folder, parts.folder, atol=_ROUNDING)


def test_batch_must_divide_among_processes(config: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from stars_hub.errors import ConfigError

    monkeypatch.setattr(session_module, "world_size", lambda: 3)
    with pytest.raises(ConfigError, match="multiple of 3 processes"):
        run(config())


def test_chunks_hold_fewer_samples(prepared: Path) -> None:
    from stars_hub.skeletons.store import SkeletonStore
    from stars_hub.training.data import TrainData
    from stars_hub.training.tuning import TuneStage
    from tests.training.conftest import tune_config

    stage = TuneStage(
        tune_config(prepared, micro_batch_size=3), TrainData(SkeletonStore.open(prepared / "store"))
    )
    sizes: list[int] = []

    def note(module: Any, args: tuple[Tensor, ...]) -> None:
        sizes.append(len(args[0]))

    stage.objective.encoder.blocks[0].register_forward_pre_hook(note)
    stage.objective.encoder(torch.randn(8, 3, 8, 25, 2))
    assert max(sizes) <= 6  # rows: two persons of each of three samples


@pytest.mark.ddp
def test_heads_alone_on_two_processes_equal_one(prepared: Path, tmp_path: Path) -> None:
    from tests.training.conftest import tune_config

    settings = {"precision": "float64", "drop_last": False, "freeze_encoder": True, "epochs": 3}
    one = run(tune_config(prepared, output=str(tmp_path / "one"), **settings))
    two = run_on_two(tune_config(prepared, output=str(tmp_path / "two"), **settings))
    kept = [
        {name: tensor for name, tensor in tensors_of(folder).items() if ":cache." not in name}
        for folder in (one.folder, two)
    ]
    assert_close(*kept, atol=_ROUNDING)
