"""One process or many: who I am, what the others hold, and a BatchNorm over everybody's samples.

Every function is the identity on one process. On several, started by `torchrun` and initialised with gloo
or nccl, results equal those of one process that holds all samples, in the order of ranks, also where
processes hold different numbers of samples. Losses follow one rule: what a process differentiates is its
own share, scaled such that the mean over processes, which `DistributedDataParallel` takes, is the gradient
of the whole.
"""

from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from einops import reduce
from torch import Tensor, nn


def world_size() -> int:
    """How many processes work together; 1 where none were started."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Which of them this one is, from 0."""
    return dist.get_rank() if world_size() > 1 else 0


def is_main() -> bool:
    """Whether this process is the one that writes files and shows progress."""
    return rank() == 0


def gather_sizes(size: int, device: torch.device | str = "cpu") -> list[int]:
    """The number of samples of each process, by rank.

    Args:
        size: this process's.
        device: where the processes exchange tensors: the GPU for nccl.
    """
    if world_size() == 1:
        return [size]
    own = torch.tensor([size], device=device)
    sizes = [torch.empty_like(own) for _ in range(world_size())]
    dist.all_gather(sizes, own)
    return [int(other) for other in sizes]


def all_gather(x: Tensor) -> Tensor:
    """Everybody's rows, without gradient.

    Args:
        x: (B, ...), with a B of each process's own, even 0.

    Returns:
        (sum of B, ...), in the order of ranks.
    """
    x = x.detach()
    return x if world_size() == 1 else _gather(x, gather_sizes(len(x), x.device))


def all_gather_with_grad(x: Tensor, sizes: list[int] | None = None) -> Tensor:
    """Everybody's rows, with gradient: what all processes' losses say of a row reaches its owner, summed.

    Args:
        x: (B, ...), with a B of each process's own, even 0.
        sizes: each process's B from `gather_sizes`, where the caller has them.

    Returns:
        (sum of B, ...), in the order of ranks.
    """
    if world_size() == 1:
        return x
    gathered: Tensor = _AllGather.apply(x, sizes or gather_sizes(len(x), x.device))
    return gathered


def all_sum(x: Tensor) -> Tensor:
    """The sum over processes, with gradient: what all processes' losses say of it, summed."""
    total: Tensor = x if world_size() == 1 else _AllSum.apply(x)
    return total


def global_mean(total: Tensor, count: Tensor | int) -> Tensor:
    """The mean over all processes of what each has summed up.

    Args:
        total: (), this process's sum.
        count: over how many things, here, or what they weigh.

    Returns:
        (), the same value on every process, 0 where nobody has anything to count. Its gradient is that of
        this process's share times the number of processes, so that the mean over processes is the gradient
        of the whole.
    """
    counted = torch.as_tensor(count, device=total.device).to(total.dtype)
    if world_size() == 1:
        return total / _at_least_something(counted)
    totals = torch.stack([total.detach(), counted])
    dist.all_reduce(totals)
    everything, everybody = totals[0], _at_least_something(totals[1])
    share = total * world_size() / everybody
    return share + (everything / everybody - share).detach()


def _at_least_something(count: Tensor) -> Tensor:
    return count.masked_fill(count == 0, 1)


class BatchNorm1d(nn.BatchNorm1d):
    """Batch normalisation over the samples of all processes, on whatever device and backend.

    torch's own SyncBatchNorm takes CUDA tensors only. On one process, and in evaluation mode, this is
    `torch.nn.BatchNorm1d`. Processes may hold different numbers of samples, some of them none.

    Shape:
        (B, D) -> (B, D)

    Reference: Ioffe & Szegedy 2015 (arXiv 1502.03167).
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each of D numbers over the batch."""
        if world_size() == 1 or not self.training:
            return super().forward(x)
        self._check_input_dim(x)
        sums = all_sum(torch.cat([reduce(x, "b d -> d", "sum"), x.new_full((1,), len(x))]))
        mean, count = sums[:-1] / sums[-1], sums[-1].detach()
        squares = all_sum(reduce((x - mean).square(), "b d -> d", "sum"))
        if self.track_running_stats:
            self._track(mean.detach(), squares.detach() / (count - 1))
        x = (x - mean) * torch.rsqrt(squares / count + self.eps)
        return x if self.weight is None else x * self.weight + self.bias

    @torch.no_grad()
    def _track(self, mean: Tensor, unbiased_variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        momentum = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)
        self.running_var.lerp_(unbiased_variance.to(self.running_var.dtype), momentum)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim != 2:
            raise ValueError(f"expected a tensor (B, D), got shape {tuple(input.shape)}")


class _AllGather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, sizes: list[int]) -> Tensor:
        ctx.sizes = sizes
        return _gather(x, sizes)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        gradient = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(gradient)
        return gradient.split(ctx.sizes)[rank()], None


class _AllSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        gradient = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(gradient)
        return gradient


def _gather(x: Tensor, sizes: list[int]) -> Tensor:
    """Exchange rows padded to the largest share, which is all that the backends can do."""
    largest = max(sizes)
    padded = F.pad(x, (0, 0) * (x.ndim - 1) + (0, largest - len(x))).contiguous()
    everybody = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(everybody, padded)
    return torch.cat([rows[:size] for rows, size in zip(everybody, sizes, strict=True)])
