"""AdamW as the papers use it: parameter groups with layer-wise decay, a schedule, clipping.

Reference: STARS (arXiv 2407.10935) section 4.2; MAMP (arXiv 2308.07092) section 4.2; layer-wise decay:
BEiT (arXiv 2106.08254).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from stars_hub.errors import ConfigError
from stars_hub.model.network import SkeletonTransformer

Exempt = Literal["vectors", "none"]


def layer_scale(name: str, *, depth: int, layer_decay: float) -> float:
    """The factor of one encoder parameter's learning rate.

    Args:
        name: within the encoder, such as "blocks.3.norm1.bias".
        depth: the encoder's number of blocks.
        layer_decay: factor from one layer down to the next.

    Returns:
        layer_decay^(depth - b) in block b, 1 for the last norm, layer_decay^(depth + 1) for embeddings.
    """
    if name.startswith("norm."):
        return 1.0
    layers_above = depth - int(name.split(".")[1]) if name.startswith("blocks.") else depth + 1
    return float(layer_decay**layers_above)


def parameter_groups(
    module: nn.Module,
    encoder: SkeletonTransformer,
    *,
    base_lr: float,
    layer_decay: float = 1.0,
    weight_decay: float = 0.0,
    exempt: Exempt = "vectors",
) -> list[dict[str, Any]]:
    """Sort what is trained into groups of one learning rate and one weight decay.

    Args:
        module: the objective or classifier; parameters that need no gradient are left out.
        encoder: its encoder, whose layers have learning rates of their own; all else has `base_lr`.
        base_lr: learning rate of the uppermost layers.
        layer_decay: factor from one layer down to the next; 1: the same everywhere.
        weight_decay: of the parameters that are not exempt.
        exempt: "vectors": 1-D parameters and biases are not decayed (MAMP's own way); "none": all are
            (the tuning of STARS).

    Returns:
        Groups for `build_optimizer`: `params`, their `names`, `lr`, `lr_scale` = lr / base_lr, `weight_decay`.

    Raises:
        ConfigError: nothing is trained, or a value cannot be.
    """
    if exempt not in ("vectors", "none"):
        raise ConfigError(f"exempt must be 'vectors' or 'none', got {exempt!r}")
    if not (base_lr > 0 and layer_decay > 0 and weight_decay >= 0):
        raise ConfigError(
            f"expected base_lr > 0, layer_decay > 0 and weight_decay >= 0, got {base_lr}, {layer_decay} and "
            f"{weight_decay}"
        )
    within = {id(parameter): name for name, parameter in encoder.named_parameters()}
    groups: dict[tuple[float, float], dict[str, Any]] = {}
    for name, parameter in module.named_parameters():
        if not parameter.requires_grad:
            continue
        scale = 1.0
        if id(parameter) in within:
            scale = layer_scale(within[id(parameter)], depth=encoder.config.depth, layer_decay=layer_decay)
        spared = exempt == "vectors" and (parameter.ndim <= 1 or name.endswith(".bias"))
        decay = 0.0 if spared else weight_decay
        empty = {"params": [], "names": [], "lr": base_lr * scale, "lr_scale": scale, "weight_decay": decay}
        group = groups.setdefault((scale, decay), empty)
        group["params"].append(parameter)
        group["names"].append(name)
    if not groups:
        raise ConfigError("nothing is trained: every parameter is frozen")
    return list(groups.values())


def build_optimizer(
    groups: list[dict[str, Any]], *, betas: tuple[float, float] = (0.9, 0.95), eps: float = 1e-8
) -> torch.optim.AdamW:
    """Make the papers' AdamW over the groups of `parameter_groups`, fused where the device has it.

    Args:
        groups: from `parameter_groups`.
        betas: of both pretraining stages; fine-tuning has (0.9, 0.999).
        eps: added to the denominator.
    """
    fused = all(p.device.type in ("cpu", "cuda") for group in groups for p in group["params"])
    plain = [{key: value for key, value in group.items() if key != "names"} for group in groups]
    return torch.optim.AdamW(plain, betas=betas, eps=eps, fused=fused)


@dataclass(frozen=True)
class CosineSchedule:
    """Learning rate over time: linear warm-up from 0, then half a cosine from `lr` to `min_lr`.

    Args:
        lr: the highest learning rate.
        min_lr: the last one; equal to `lr`: constant after the warm-up.
        epochs: when the cosine ends.
        warmup_epochs: when it begins.

    Raises:
        ConfigError: a value that cannot be.
    """

    lr: float
    epochs: float
    min_lr: float = 0.0
    warmup_epochs: float = 0.0

    def __post_init__(self) -> None:
        if not (self.lr > 0 and 0 <= self.min_lr <= self.lr):
            raise ConfigError(
                f"expected lr > 0 and min_lr in [0, lr], got lr {self.lr}, min_lr {self.min_lr}"
            )
        if not (self.epochs > 0 and 0 <= self.warmup_epochs <= self.epochs):
            raise ConfigError(
                f"expected epochs > 0 and warmup_epochs in [0, epochs], got epochs {self.epochs}, "
                f"warmup_epochs {self.warmup_epochs}"
            )

    def __call__(self, epoch: float) -> float:
        """The learning rate at a point in time; `epoch` counts iterations as fractions."""
        if epoch < self.warmup_epochs:
            return self.lr * epoch / self.warmup_epochs
        length = self.epochs - self.warmup_epochs
        progress = min((epoch - self.warmup_epochs) / length, 1.0) if length else 1.0
        return self.min_lr + (self.lr - self.min_lr) * 0.5 * (1.0 + math.cos(math.pi * progress))


def set_learning_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Give each group its share of `lr`: times the group's `lr_scale`."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get("lr_scale", 1.0)


@torch.no_grad()
def clip_each_gradient(parameters: Iterable[nn.Parameter], *, max_norm: float) -> Tensor:
    """Clip the gradient of each parameter on its own: times max_norm / (norm + 1e-6) where that is below 1.

    Args:
        parameters: those without a gradient are left out.
        max_norm: of each.

    Returns:
        (), the norm of all gradients together before clipping, on their device.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not gradients:
        return torch.zeros(())
    norms = torch.stack(torch._foreach_norm(gradients))
    factors = (max_norm / (norms + 1e-6)).clamp(max=1.0)
    torch._foreach_mul_(gradients, list(factors.unbind()))
    return norms.norm()


@torch.no_grad()
def clip_global_gradient(parameters: Iterable[nn.Parameter], *, max_norm: float) -> Tensor:
    """Clip all gradients together to one norm.

    Returns:
        (), the norm of all gradients together before clipping, on their device.
    """
    return nn.utils.clip_grad_norm_(parameters, max_norm, foreach=True)
