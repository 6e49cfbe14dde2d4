"""What a run would do, before it does it: configuration, what is trained how, and how long it takes."""

import json
import math
import time
from contextlib import closing
from itertools import islice
from typing import Any

import torch

from stars_hub.training.config import FinetuneConfig, PretrainConfig, TrainConfig
from stars_hub.training.data import TrainData, open_data, open_labelled_data
from stars_hub.training.finetuning import FinetuneStage
from stars_hub.training.pretraining import PretrainStage
from stars_hub.training.processes import processes
from stars_hub.training.session import Session
from stars_hub.training.stage import Stage
from stars_hub.training.tuning import TuneStage


def plan(config: TrainConfig, *, steps: int = 3) -> str:
    """Describe a run, after a few steps of it that leave nothing behind.

    Args:
        config: the run; nothing is written to `config.output`.
        steps: that are timed, after one to warm up.

    Returns:
        The resolved configuration, the data, a line for each parameter group, and the time the run will take.

    Raises:
        ConfigError: whatever the run itself would refuse.
    """
    stage, data = stage_of(config)
    with processes(config.device) as device, closing(Session(stage, data, device)) as session:
        shown = [json.dumps(stage.config.to_dict(), indent=2), _data(data, session), _groups(session)]
        return "\n\n".join([*shown, _time(session, steps)])


def stage_of(config: TrainConfig) -> tuple[Stage[Any], TrainData]:
    """The stage that a configuration is of, and its data."""
    if isinstance(config, FinetuneConfig):
        data = open_labelled_data(config)
        return FinetuneStage(config, data), data
    data = open_data(config)
    build: Any = PretrainStage if isinstance(config, PretrainConfig) else TuneStage
    return build(config, data), data


def _data(data: TrainData, session: Session) -> str:
    lines = [data.summary, f"{session.steps_per_epoch} steps an epoch"]
    nothing = "nothing to monitor: no labelled recordings of several subjects, or monitor_every is 0"
    return "\n".join([*lines, session.monitor.summary or nothing])


def _groups(session: Session) -> str:
    lines = ["parameters  lr         weight decay  names"]
    for group in session.groups:
        count = sum(parameter.numel() for parameter in group["params"])
        names = group["names"]
        shown = ", ".join(names[:3]) + (f", … ({len(names)})" if len(names) > 3 else "")
        lines.append(f"{count:>10,}  {group['lr']:<9.3g}  {group['weight_decay']:<12g}  {shown}")
    trained = sum(parameter.numel() for group in session.groups for parameter in group["params"])
    everything = sum(parameter.numel() for parameter in session.objective.parameters())
    return "\n".join([*lines, f"{trained:,} of {everything:,} parameters are trained"])


def _time(session: Session, steps: int) -> str:
    # A loss is read at the end of each step, so the device has then done what it was given.
    taken = []
    for step, batch in enumerate(islice(session.batches(0, 0), steps + 1)):
        started = time.monotonic()
        session.train_step(batch, epoch=0, step=step)
        taken.append(time.monotonic() - started)
    each = sum(taken[1:]) / len(taken[1:]) if len(taken) > 1 else taken[0]
    started = time.monotonic()
    session.evaluate()
    look = time.monotonic() - started
    config = session.config
    looks = 1 + math.ceil(config.epochs / config.monitor_every) if config.monitor_every else 0
    seconds = config.epochs * session.steps_per_epoch * each + looks * look
    memory = ""
    if session.device.type == "cuda":
        memory = f", {torch.cuda.max_memory_allocated(session.device) / 2**30:.1f} GiB of GPU memory"
    return (
        f"{each:.3g} s a step, {look:.3g} s a look at the accuracy{memory}: about {_duration(seconds)} for "
        f"{config.epochs} epochs"
    )


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{seconds:.0f} s" if minutes < 2 else f"{minutes // 60} h {minutes % 60:02d} min"
