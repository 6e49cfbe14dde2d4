from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stars_hub import distributed
from tests.gloo import GlooPool


def split(x: Tensor, sizes: list[int], rank: int) -> Tensor:
    return x.split(sizes)[rank]


def who(rank: int) -> tuple[int, int, bool]:
    return distributed.rank(), distributed.world_size(), distributed.is_main()


def gather(rank: int, x: Tensor, sizes: list[int]) -> Tensor:
    return distributed.all_gather(split(x, sizes, rank))


def gradient_through_gather(rank: int, x: Tensor, sizes: list[int], weights: Tensor) -> Any:
    own = split(x, sizes, rank).clone().requires_grad_()
    everybody = distributed.all_gather_with_grad(own)
    (everybody * weights[rank]).sum().backward()
    return everybody.detach(), own.grad


def mean(rank: int, totals: Tensor, counts: list[int]) -> Any:
    total = totals[rank].clone().requires_grad_()
    result = distributed.global_mean(total, counts[rank])
    result.backward()
    return result.item(), total.grad.item()


def normalise(rank: int, x: Tensor, sizes: list[int], weights: Tensor, steps: int) -> Any:
    norm = batch_norm(x.shape[1])
    own = split(x, sizes, rank).clone().requires_grad_()
    for _ in range(steps):
        y = norm(own)
    (y * split(weights, sizes, rank)).sum().backward()
    return y.detach(), own.grad, norm.weight.grad, norm.bias.grad, dict(norm.named_buffers())


def batch_norm(dim: int) -> distributed.BatchNorm1d:
    norm = distributed.BatchNorm1d(dim, momentum=0.19).double()
    nn.init.normal_(norm.weight, generator=torch.Generator().manual_seed(3))
    nn.init.normal_(norm.bias, generator=torch.Generator().manual_seed(4))
    return norm


def test_one_process_is_alone_and_gathers_itself() -> None:
    assert (distributed.rank(), distributed.world_size(), distributed.is_main()) == (0, 1, True)
    x = torch.randn(3, 2, requires_grad=True)
    assert distributed.all_gather_with_grad(x) is x
    assert distributed.all_sum(x) is x
    assert not distributed.all_gather(x).requires_grad
    assert distributed.gather_sizes(3) == [3]
    assert distributed.global_mean(torch.tensor(6.0), 4) == 1.5
    assert distributed.global_mean(torch.tensor(0.0), 0) == 0
    norm, plain = distributed.BatchNorm1d(2), nn.BatchNorm1d(2)
    torch.testing.assert_close(norm(x), plain(x), rtol=0, atol=0)


def test_batch_norm_refuses_more_dimensions() -> None:
    with pytest.raises(ValueError, match=r"expected a tensor \(B, D\), got shape \(2, 3, 4\)"):
        distributed.BatchNorm1d(3)(torch.zeros(2, 3, 4))


@pytest.mark.ddp
def test_two_processes_know_each_other(gloo: GlooPool) -> None:
    assert gloo.run(who) == [(0, 2, True), (1, 2, False)]


@pytest.mark.ddp
@pytest.mark.parametrize("sizes", [[3, 3], [4, 2], [1, 5], [6, 0], [0, 6]])
def test_gather_takes_any_share(gloo: GlooPool, sizes: list[int]) -> None:
    x = torch.randn(6, 2, 3)
    for gathered in gloo.run(gather, x, sizes):
        assert torch.equal(gathered, x)
    ids = torch.arange(6)
    assert all(torch.equal(gathered, ids) for gathered in gloo.run(gather, ids, sizes))


@pytest.mark.ddp
@pytest.mark.parametrize("sizes", [[3, 3], [4, 2], [6, 0]])
def test_gradient_of_a_gathered_row_is_summed_at_its_owner(gloo: GlooPool, sizes: list[int]) -> None:
    x, weights = torch.randn(6, 3).double(), torch.randn(2, 6, 3).double()
    results = gloo.run(gradient_through_gather, x, sizes, weights)
    for rank, (everybody, gradient) in enumerate(results):
        assert torch.equal(everybody, x)
        torch.testing.assert_close(gradient, split(weights.sum(0), sizes, rank))


@pytest.mark.ddp
def test_global_mean_has_one_value_and_gradients_that_average_to_the_whole(gloo: GlooPool) -> None:
    results = gloo.run(mean, torch.tensor([3.0, 5.0]), [1, 3])
    assert results == [(2.0, 0.5), (2.0, 0.5)]  # (3 + 5) / (1 + 3), and 2 processes / 4 things
    assert gloo.run(mean, torch.tensor([3.0, 0.0]), [2, 0])[0] == (1.5, 1.0)
    assert gloo.run(mean, torch.tensor([0.0, 0.0]), [0, 0])[1][0] == 0


@pytest.mark.ddp
@pytest.mark.parametrize("sizes", [[4, 4], [5, 3], [7, 1], [8, 0]])
def test_batch_norm_over_two_processes_is_that_of_one(gloo: GlooPool, sizes: list[int]) -> None:
    x, weights = 5 + torch.randn(8, 3).double(), torch.randn(8, 3).double()
    norm = batch_norm(3)
    alone = x.clone().requires_grad_()
    for _ in range(2):
        y = nn.BatchNorm1d.forward(norm, alone)
    (y * weights).sum().backward()
    results = gloo.run(normalise, x, sizes, weights, 2)
    exact = {"rtol": 1e-12, "atol": 1e-12}
    torch.testing.assert_close(torch.cat([result[0] for result in results]), y.detach(), **exact)
    torch.testing.assert_close(torch.cat([result[1] for result in results]), alone.grad, **exact)
    torch.testing.assert_close(results[0][2] + results[1][2], norm.weight.grad, **exact)
    torch.testing.assert_close(results[0][3] + results[1][3], norm.bias.grad, **exact)
    for result in results:
        for name, buffer in norm.named_buffers():
            torch.testing.assert_close(result[4][name], buffer, **exact)
