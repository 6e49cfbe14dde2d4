"""What several tests of training do."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stars_hub import checkpoints
from stars_hub.training import (
    FinetuneConfig,
    PretrainConfig,
    TrainResult,
    TuneConfig,
    finetune,
    pretrain,
    tune,
)

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
