"""A stage made ready to train: on its device, wrapped, with optimizer, schedule and loader."""

import copy
import math
import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from stars_hub.distributed import rank, world_size
from stars_hub.errors import ConfigError
from stars_hub.skeletons.store import SkeletonStore
from stars_hub.training.data import TrainData
from stars_hub.training.monitor import clip_settings
from stars_hub.training.optimizer import (
    CosineSchedule,
    build_optimizer,
    clip_each_gradient,
    clip_global_gradient,
    set_learning_rate,
)
from stars_hub.training.stage import Stage, empty_batch, on_device
from stars_hub.transforms.loader import Batch, BatchLoader


class Session:
    """What a run computes with.

    Args:
        stage: what is trained.
        data: on what.
        device: where.

    Attributes:
        objective: the stage's.
        optimizer: its AdamW.
        average: moving average of the objective, or None.
        scaler: of fp16 losses; does nothing at other precisions.
        steps_per_epoch: optimizer steps.
    """

    def __init__(self, stage: Stage[Any], data: TrainData, device: torch.device) -> None:
        config = self.config = stage.config
        self.stage, self.data, self.device = stage, data, device
        self.dtype = torch.float64 if config.precision == "float64" else torch.float32
        self.objective: nn.Module = stage.objective.to(device, self.dtype).train()
        if stage.cache is not None:
            stage.cache.to(device, self.dtype)
        if config.grad_checkpointing:
            stage.objective.set_grad_checkpointing()
        self.groups = stage.parameter_groups()
        self.optimizer = build_optimizer(self.groups, betas=(config.beta1, config.beta2))
        self.average = copy.deepcopy(self.objective).requires_grad_(False) if config.ema_decay else None
        self.scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "float16")
        self.schedule = CosineSchedule(
            lr=config.lr,
            min_lr=config.lr if config.min_lr is None else config.min_lr,
            epochs=config.epochs,
            warmup_epochs=config.warmup_epochs,
        )
        self.loader = self._loader(data.train)
        count = len(data.train)
        self.batch_sizes = [config.batch_size] * (count // config.batch_size)
        if not config.drop_last and count % config.batch_size:
            self.batch_sizes.append(count % config.batch_size)
        self.steps_per_epoch = len(self.batch_sizes)
        encoder = stage.objective.encoder.config
        self.monitor = stage.monitor(data, encoder, batch_size=self.loader.batch_size)
        self.model = self._wrapped()

    def _loader(self, store: SkeletonStore) -> BatchLoader:
        config, processes = self.config, world_size()
        if config.batch_size % processes:
            raise ConfigError(
                f"batch_size must be a multiple of {processes} processes, got {config.batch_size}"
            )
        low, high = config.crop
        return BatchLoader(
            store,
            batch_size=config.batch_size // processes,
            crop=low if low == high else (low, high),
            rotation=config.rotation,
            mirror=config.mirror,
            stretch=config.stretch,
            two_views=self.stage.two_views,
            seed=config.seed,
            drop_last=config.drop_last,
            rank=rank(),
            world_size=processes,
            **clip_settings(self.stage.objective.encoder.config),
        )

    def _wrapped(self) -> nn.Module:
        if self.config.compile:
            for name, module in self.objective.named_modules():
                if name.split(".")[-2:-1] == ["blocks"]:
                    module.compile(dynamic=True)  # numbers of persons change
        if world_size() == 1:
            return self.objective
        # Statistics and queue are the same on all processes, because each computes them from everybody's.
        with warnings.catch_warnings():  # torch 2.13 has another name for it, which 2.10 does not know
            warnings.simplefilter("ignore", FutureWarning)
            return DistributedDataParallel(self.objective, broadcast_buffers=False)

    def batches(self, epoch: int, first_step: int) -> Iterator[Batch]:
        """This process's batches of an epoch, from a step on; empty ones where the others have the rest."""
        self.loader.set_epoch(epoch, first_batch=first_step)
        count = 0
        for batch in self.loader:
            yield batch
            count += 1
        config = self.stage.objective.encoder.config
        shape = (config.in_chans, config.num_frames, config.num_joints, config.num_persons)
        for _ in range(first_step + count, self.steps_per_epoch):
            yield empty_batch(shape, two_views=self.stage.two_views)

    def train_step(self, batch: Batch, *, epoch: int, step: int) -> float:
        """One step of the optimizer.

        Returns:
            The loss of the batch, over all processes; if it is not finite, nothing was changed by it but
            the objective's own statistics.
        """
        # Dropout and the like are drawn anew from seed, step and process: no generator needs to be saved.
        torch.manual_seed(keyed_seed(self.config.seed, epoch, step, rank()))
        set_learning_rate(self.optimizer, self.schedule(epoch + step / self.steps_per_epoch))
        total = 0.0
        parts = self.stage.parts(on_device(batch, self.device, self.dtype), self._num_parts(step))
        for number, (part, share) in enumerate(parts, 1):
            with self._unsynchronised(number < len(parts)):
                with self._autocast():
                    loss = self.stage.loss(self.model, part, epoch=epoch) * share
                self.scaler.scale(loss).backward()
            total += loss.item()
        if math.isfinite(total):
            self._update()
        self.optimizer.zero_grad()
        return total

    def _num_parts(self, step: int) -> int:
        """Parts of a batch, counted on the largest share, so that all processes have as many."""
        largest = math.ceil(self.batch_sizes[step] / world_size())
        return math.ceil(largest / (self.config.micro_batch_size or largest))

    def _unsynchronised(self, holds: bool) -> Any:
        if holds and isinstance(self.model, DistributedDataParallel):
            return self.model.no_sync()
        return nullcontext()

    def _autocast(self) -> Any:
        mixed = self.config.precision in ("bfloat16", "float16")
        dtype = getattr(torch, self.config.precision)
        return torch.autocast(self.device.type, dtype=dtype) if mixed else nullcontext()

    def _update(self) -> None:
        config = self.config
        if config.clip != "none":
            self.scaler.unscale_(self.optimizer)
            clip = clip_each_gradient if config.clip == "each" else clip_global_gradient
            clip(self.objective.parameters(), max_norm=config.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average is not None:
            update_average(self.average, self.objective, decay=config.ema_decay)

    def evaluate(self) -> dict[str, float]:
        """What the stage's monitor finds of the weights that would be saved now: accuracies in percent."""
        objective = self.saved
        objective.eval()
        try:
            with self._autocast():
                return self.monitor(
                    lambda x: self.stage.describe(objective, x).to(self.dtype),
                    device=self.device,
                    dtype=self.dtype,
                )
        finally:
            objective.train()

    def close(self) -> None:
        """Let go of what speaks to the other processes; nothing more can be trained."""
        self.model = self.objective

    @property
    def saved(self) -> Any:
        """What goes into model folders: the moving average, if there is one."""
        return self.objective if self.average is None else self.average

    @property
    def modules(self) -> dict[str, nn.Module]:
        """What holds the run's tensors, by the names of the saved state."""
        modules = {"model": self.objective, "average": self.average, "cache": self.stage.cache}
        return {name: module for name, module in modules.items() if module is not None}


def keyed_seed(*key: int) -> int:
    """A seed for torch's generator that whole numbers decide."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))


@torch.no_grad()
def update_average(average: nn.Module, module: nn.Module, *, decay: float) -> None:
    """Move an average's parameters towards a module's by 1 - decay; buffers are copied."""
    for mean, value in zip(average.parameters(), module.parameters(), strict=True):
        mean.lerp_(value, 1 - decay)
    for kept, buffer in zip(average.buffers(), module.buffers(), strict=True):
        kept.copy_(buffer)
