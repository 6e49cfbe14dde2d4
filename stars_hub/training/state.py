"""All that a run needs to go on exactly where it was, in one file that appears whole or not at all.

The file is safetensors: weights, moving average and AdamW's moments by name, and counters as JSON in its
header. One file and one rename: whenever a run is killed, the file is that of some finished step.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from stars_hub import checkpoints
from stars_hub.errors import CheckpointError
from stars_hub.files import whole_file


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        epoch: finished epochs.
        step: finished steps of the epoch after these.
        loss_sum: sum over these steps of loss times samples.
        samples: in these steps.
        seconds: that these steps took.
        best: the highest monitored accuracy so far.
        best_epoch: after which it was seen.
        scaler: what scales fp16 losses.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    samples: int = 0
    seconds: float = 0.0
    best: float | None = None
    best_epoch: int = 0
    scaler: dict[str, Any] = field(default_factory=dict)


def save_state(
    path: Path, modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer, p: Progress
) -> None:
    """Write the state of a run.

    Args:
        path: the file.
        modules: by name; the first is what the optimizer trains.
        optimizer: whose per-parameter state is kept; learning rates follow from the schedule.
        p: the counters.

    Raises:
        CheckpointError: a tensor is not finite, or the disk refuses; the file is then as it was.
    """
    tensors = {f"{name}.{key}": value for name, m in modules.items() for key, value in m.state_dict().items()}
    trained = next(iter(modules.values()))
    for name, parameter in trained.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer.{key}.{name}"] = value
    if bad := [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]:
        raise CheckpointError(f"{path}: tensor {bad[0]!r} holds NaN or infinity: it is not saved")
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    data = save(plain, metadata={"format": "pt", "progress": json.dumps(dataclasses.asdict(p))})
    try:
        with whole_file(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise CheckpointError(
            f"cannot write {path}: {error.strerror or error}; the checkpoint before it is kept"
        ) from error


def load_state(path: Path, modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer) -> Progress:
    """Put a saved state back into modules and optimizer.

    Raises:
        CheckpointError: the file is damaged or belongs to another model.
    """
    tensors = checkpoints.read_tensors(path)
    with safe_open(path, "pt") as file:
        progress = Progress(**json.loads(file.metadata()["progress"]))
    for name, module in modules.items():
        checkpoints.load_strict(module, _part(tensors, f"{name}."), source=path)
    trained = dict(next(iter(modules.values())).named_parameters())
    for key, value in _part(tensors, "optimizer.").items():
        kind, name = key.split(".", 1)
        parameter = trained[name]
        optimizer.state[parameter][kind] = value.to(parameter.device)
    return progress


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
