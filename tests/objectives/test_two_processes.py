"""Two processes give what one gives with both their batches: losses, weights, statistics, queue."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from stars_hub.errors import NotFiniteError
from stars_hub.model.config import EncoderConfig
from stars_hub.model.network import SkeletonTransformer
from stars_hub.objectives import MAMP, NNCLR
from stars_hub.training.freezing import freeze_below
from stars_hub.training.optimizer import build_optimizer, clip_each_gradient, parameter_groups
from tests.gloo import GlooPool

CONFIG = EncoderConfig(num_frames=8, num_joints=5, embed_dim=16, depth=2, num_heads=2)
# Shares of the global batches: even, uneven, and last ones that leave a process with nothing.
SHARES = [[3, 3], [3, 3], [4, 2], [2, 1], [2, 0], [1, 0]]

pytestmark = pytest.mark.ddp


def batches(least: int) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor, list[int]]]:
    """Samples, ids, second views, noise, and shares of each step."""
    generator = torch.Generator().manual_seed(5)
    double: dict[str, Any] = {"generator": generator, "dtype": torch.float64}
    for step, sizes in enumerate(SHARES):
        n = sum(sizes)
        if n < least:
            return
        x = torch.randn(n, 3, 8, 5, 2, **double)
        x[::2, ..., 1] = 0
        noise = torch.rand(n, 2, CONFIG.num_tokens, **double)
        yield x, torch.arange(n) + step, x + 0.1 * torch.randn(x.shape, **double), noise, sizes


def make_mamp(skip: bool) -> MAMP:
    torch.manual_seed(0)
    return MAMP(SkeletonTransformer(CONFIG), mask_ratio=0.6, skip_absent_persons=skip).double()


def make_nnclr() -> NNCLR:
    torch.manual_seed(0)
    objective = NNCLR(SkeletonTransformer(CONFIG), predictor_hidden_dim=12, queue_size=7).double()
    freeze_below(objective.encoder, 1)
    return objective


def run_mamp(rank: int, skip: bool, shared: bool) -> Any:
    objective = make_mamp(skip)

    def loss_of(module: nn.Module, mine: Callable[[Tensor], Tensor], batch: Any) -> Tensor:
        x, _, _, noise, _ = batch
        return module(mine(x), mine(noise).flatten(0, 1)).loss

    return train(objective, loss_of, rank if shared else None, least=1)


def run_nnclr(rank: int, two_views: bool, shared: bool) -> Any:
    objective = make_nnclr()

    def loss_of(module: nn.Module, mine: Callable[[Tensor], Tensor], batch: Any) -> Tensor:
        x, ids, second, _, _ = batch
        return module(mine(x), mine(ids), mine(second) if two_views else None)

    return train(objective, loss_of, rank if shared else None, least=2)


def train(objective: MAMP | NNCLR, loss_of: Callable[..., Tensor], rank: int | None, *, least: int) -> Any:
    """Some steps with the library's optimizer; with a rank, as one of two processes."""
    module: nn.Module = objective
    if rank is not None:
        module = DistributedDataParallel(objective, broadcast_buffers=False)
    groups = parameter_groups(objective, objective.encoder, base_lr=1e-2, layer_decay=0.5, weight_decay=0.01)
    optimizer = build_optimizer(groups, eps=1e-3)  # a small eps would turn rounding into steps
    losses, gradients = [], []
    for batch in batches(least):
        sizes = batch[-1]
        optimizer.zero_grad()
        loss = loss_of(module, lambda part, s=sizes: part if rank is None else part.split(s)[rank], batch)
        loss.backward()
        gradients.append(
            {name: p.grad.clone() for name, p in objective.named_parameters() if p.grad is not None}
        )
        clip_each_gradient(objective.parameters(), max_norm=0.05)
        optimizer.step()
        losses.append(loss.item())
    return losses, gradients, copy.deepcopy(objective.state_dict())


def assert_same(alone: Any, together: list[Any]) -> None:
    for losses, gradients, state in together:
        assert losses == pytest.approx(alone[0], rel=1e-11)
        torch.testing.assert_close(gradients, alone[1], rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(state, alone[2], rtol=1e-9, atol=1e-11)
    for name, value in together[0][2].items():
        assert torch.equal(value, together[1][2][name]), f"{name} differs between processes"


@pytest.mark.parametrize("skip", [False, True])
def test_mamp(gloo: GlooPool, skip: bool) -> None:
    assert_same(run_mamp(0, skip, False), gloo.run(run_mamp, skip, True))


@pytest.mark.parametrize("two_views", [False, True])
def test_nnclr(gloo: GlooPool, two_views: bool) -> None:
    assert_same(run_nnclr(0, two_views, False), gloo.run(run_nnclr, two_views, True))


def raise_together(rank: int) -> Any:
    objective = make_nnclr()
    x = torch.ones(2, 3, 8, 5, 2, dtype=torch.float64)
    if rank == 1:
        x[0, 0, 0, 0, 0] = float("nan")
    try:
        objective(x, torch.tensor([10, 11]) + 10 * rank)
    except NotFiniteError as error:
        return error.sample_ids, int(objective.projector.num_batches_tracked), int(objective.queue.pointer)
    return None


def test_every_process_stops_where_one_has_features_that_are_not_finite(gloo: GlooPool) -> None:
    assert gloo.run(raise_together) == [([20], 0, 0), ([20], 0, 0)]
