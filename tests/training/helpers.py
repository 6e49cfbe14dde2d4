"""What several tests of training do."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from stars_hub import checkpoints
from stars_hub.skeletons.store import SkeletonStore
from stars_hub.training import (
    FinetuneConfig,
    PretrainConfig,
    TrainResult,
    TuneConfig,
    finetune,
    pretrain,
    tune,
)
from stars_hub.training.data import open_labelled_data
from stars_hub.training.finetuning import FinetuneStage
from stars_hub.training.plan import stage_of
from stars_hub.training.session import Session
from tests.motions import drifting

_TRAIN: dict[type, Any] = {PretrainConfig: pretrain, TuneConfig: tune, FinetuneConfig: finetune}


def run(config: Any) -> TrainResult:
    result: TrainResult = _TRAIN[type(config)](config)
    return result


def tensors_of(result_or_folder: TrainResult | Path) -> dict[str, Tensor]:
    """All tensors of a run: its models', and those of the state with the optimizer's moments."""
    folder = result_or_folder if isinstance(result_or_folder, Path) else result_or_folder.folder
    files = [*folder.glob("*/*.safetensors"), folder / "resume.safetensors"]
    return {
        f"{file.relative_to(folder)}:{name}": tensor
        for file in files
        for name, tensor in checkpoints.read_tensors(file).items()
    }


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    """Bit for bit."""
    assert first.keys() == second.keys()
    different = [name for name in first if not torch.equal(first[name], second[name])]
    assert not different


def assert_close(first: dict[str, Tensor], second: dict[str, Tensor], *, atol: float) -> None:
    assert first.keys() == second.keys()
    for name in first:
        torch.testing.assert_close(
            first[name], second[name], rtol=0, atol=atol, msg=lambda m, n=name: f"{n}: {m}"
        )


def finetune_stage(config: Any) -> FinetuneStage:
    return FinetuneStage(config, open_labelled_data(config))


def labelled_store(folder: Path, labels: list[int], **settings: Any) -> Path:
    """Recordings with these labels, of subjects 0, 1, 2, 0, …"""
    numbers = range(len(labels))
    columns = {"labels": labels, "subjects": [n % 3 for n in numbers], "names": [str(n) for n in numbers]}
    sequences = [drifting(12, 1, n) for n in numbers]
    SkeletonStore.create(folder, sequences, layout="ntu25", **{**columns, **settings})
    return folder


class Killed(BaseException):
    """Stands for kill -9 at a point of the program: nothing catches it."""


def kill_in_step(config: Any, number: int) -> None:
    """Run, and die in the middle of a step, counted from 0 over all epochs."""
    count = 0

    def step(self: Session, batch: Any, **kwargs: Any) -> float:
        nonlocal count
        if count == number:
            raise Killed
        count += 1
        return original(self, batch, **kwargs)

    original = Session.train_step
    Session.train_step = step  # type: ignore[method-assign]
    try:
        with pytest.raises(Killed):
            run(config)
    finally:
        Session.train_step = original  # type: ignore[method-assign]


def kill_in_evaluation(config: Any) -> None:
    def evaluate(self: Session) -> dict[str, float]:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Session, "evaluate", evaluate)
        with pytest.raises(Killed):
            run(config)


def without_time(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in record.items() if key != "seconds"} for record in history]


def session_of(config: Any) -> Session:
    stage, data = stage_of(config)
    return Session(stage, data, torch.device("cpu"))
