import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stars_hub.errors import ConfigError, NotFiniteError, SequenceError
from stars_hub.model.encoder import STARSEncoder
from stars_hub.objectives import NNCLR
from stars_hub.training.freezing import freeze_below, freeze_encoder

Make = Callable[..., NNCLR]


@pytest.fixture
def make(small_encoder: STARSEncoder) -> Make:
    def build(**settings: float) -> NNCLR:
        torch.manual_seed(1)
        sizes = {"predictor_hidden_dim": 24, "queue_size": 10}
        return NNCLR(copy.deepcopy(small_encoder), **{**sizes, **settings}).double()

    return build


IDS = torch.arange(6)


def buffers(objective: NNCLR) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in objective.named_buffers()}


def gradients(objective: nn.Module, loss: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(objective.parameters())))


def two_passes(objective: NNCLR, x: Tensor) -> Tensor:
    """The authors' way: each view in a pass of its own, the second's prediction a constant."""
    for norm in (objective.projector, objective.predictor[1]):
        norm.momentum = 0.1
    views = []
    for _ in range(2):
        z = objective.project(x)
        views.append((F.normalize(z.detach()), F.normalize(objective.predictor(z))))
    (z1, p1), (z2, p2) = views
    targets = torch.arange(len(x))
    terms = [
        F.cross_entropy(objective.queue.nearest(z, IDS) @ p.T / objective.temperature, targets)
        for z, p in ((z2, p1), (z1, p2.detach()))
    ]
    objective.queue.enqueue(z1, IDS)
    return sum(terms) / 2


def test_one_pass_equals_two_of_which_the_second_is_detached(make: Make, persons: Tensor) -> None:
    ours, theirs = make(), make()
    x = persons.double()
    our_loss, their_loss = ours(x, IDS), two_passes(theirs, x)
    torch.testing.assert_close(our_loss, their_loss)
    for a, b in zip(gradients(ours, our_loss), gradients(theirs, their_loss), strict=True):
        torch.testing.assert_close(a, b)
    their_buffers = buffers(theirs)
    for name, value in buffers(ours).items():
        counts = 2 if name.endswith("num_batches_tracked") else 1
        torch.testing.assert_close(counts * value, their_buffers[name])


def test_gradient_is_half_that_of_the_loss(make: Make, persons: Tensor) -> None:
    objective = make()
    x = persons.double()
    parameter = objective.predictor[3].bias
    (ours,) = torch.autograd.grad(objective(x, IDS), parameter)
    shifted = []
    for step in (1e-6, -1e-6):
        other = make()
        with torch.no_grad():
            other.predictor[3].bias[0] += step
        shifted.append(other(x, IDS).item())
    assert ours[0].item() == pytest.approx((shifted[0] - shifted[1]) / 2e-6 / 2, rel=1e-5)


def test_two_views_are_symmetric_with_full_gradient(make: Make, persons: Tensor) -> None:
    x, second = persons.double(), persons.double() * 1.1
    forth, back = make(), make()
    loss = forth(x, IDS, second)
    torch.testing.assert_close(loss, back(second, IDS, x))
    (gradient,) = torch.autograd.grad(loss, forth.predictor[3].bias)
    shifted = []
    for step in (1e-6, -1e-6):
        other = make()
        with torch.no_grad():
            other.predictor[3].bias[0] += step
        shifted.append(other(x, IDS, second).item())
    assert gradient[0].item() == pytest.approx((shifted[0] - shifted[1]) / 2e-6, rel=1e-5)
    assert forth.projector.num_batches_tracked == 2
    # The first view is remembered, with the statistics of its own batch.
    reference = make()
    z = F.normalize(reference.projector(reference.encoder(x)))
    torch.testing.assert_close(forth.queue.features[:6], z.detach())


def test_two_equal_views_have_the_value_of_one_and_twice_its_gradient(make: Make, persons: Tensor) -> None:
    x = persons.double()
    one, two = make(), make()
    loss_one, loss_two = one(x, IDS), two(x, IDS, x)
    torch.testing.assert_close(loss_one, loss_two)
    for a, b in zip(gradients(one, loss_one), gradients(two, loss_two), strict=True):
        torch.testing.assert_close(2 * a, b)
    torch.testing.assert_close(one.projector.running_var, two.projector.running_var)


def test_evaluation_leaves_queue_and_statistics_alone(make: Make, persons: Tensor) -> None:
    objective = make().eval()
    before = buffers(objective)
    objective(persons.double(), IDS)
    for name, value in buffers(objective).items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("in_second", [False, True])
def test_features_that_are_not_finite_poison_nothing(
    value: float, in_second: bool, make: Make, persons: Tensor
) -> None:
    objective = make()
    before = buffers(objective)
    x = persons.double()
    broken = x.clone()
    broken[[1, 4], 0, 3, 2, 0] = value
    with pytest.raises(NotFiniteError, match="features of sample 11, 14 are NaN or infinite") as error:
        objective(x if in_second else broken, IDS + 10, broken if in_second else None)
    assert error.value.sample_ids == [11, 14]
    for name, tensor in buffers(objective).items():
        assert torch.equal(tensor, before[name]), name


def test_loss_stays_float32_under_autocast(small_encoder: STARSEncoder, persons: Tensor) -> None:
    objective = NNCLR(small_encoder, predictor_hidden_dim=24, queue_size=10)
    rough = copy.deepcopy(objective)
    exact = objective(persons, IDS)
    with torch.autocast("cpu", torch.bfloat16):
        loss = rough(persons, IDS)
    assert loss.dtype == rough.queue.features.dtype == torch.float32
    torch.testing.assert_close(loss, exact, rtol=0.2, atol=0)


def test_heads_start_as_the_authors(small_encoder: STARSEncoder) -> None:
    torch.manual_seed(0)
    objective = NNCLR(small_encoder)
    for layer in (objective.predictor[0], objective.predictor[3]):
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
        assert layer.weight.mean().abs() < 1e-3
    assert objective.predictor[1].weight.std().item() == pytest.approx(0.02, rel=0.1)
    assert objective.predictor[1].weight.mean().item() == pytest.approx(1.0, abs=0.002)
    assert objective.predictor[0].bias is None
    assert not objective.predictor[3].bias.any()
    assert objective.queue.features.shape == (32768, 16)


def saved_bytes(objective: NNCLR, x: Tensor) -> int:
    """How much autograd keeps for the backward pass, parameters aside."""
    own = {parameter.data_ptr() for parameter in objective.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in own:
            kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        objective(x, IDS)
    return sum(kept.values())


def test_nothing_is_kept_below_the_first_trained_block(make: Make, persons: Tensor) -> None:
    objective = make()
    x = persons.double()
    asks: dict[int, bool] = {}
    for index, block in enumerate(objective.encoder.blocks):
        block.register_forward_hook(
            lambda _module, _inputs, output, index=index: asks.update({index: output.requires_grad})
        )
    kept = []
    for first_block in range(5):
        freeze_below(objective.encoder, first_block)
        kept.append(saved_bytes(objective, x))
        assert asks == {index: index >= first_block for index in range(4)}
    freeze_encoder(objective.encoder)
    kept.append(saved_bytes(objective, x))
    a_block = kept[1] - kept[2]
    assert kept[2] - kept[3] == pytest.approx(a_block, rel=0.02)
    assert kept[3] - kept[4] == pytest.approx(a_block, rel=0.15)
    assert kept[5] < kept[4] < 0.3 * kept[0]


def test_frozen_blocks_change_no_gradient_above(make: Make, persons: Tensor) -> None:
    x = persons.double()
    full, frozen = make(), make()
    freeze_below(frozen.encoder, 2)
    full(x, IDS).backward()
    frozen(x, IDS).backward()
    for (name, a), b in zip(full.named_parameters(), frozen.parameters(), strict=True):
        if b.requires_grad:
            torch.testing.assert_close(a.grad, b.grad)
        else:
            assert b.grad is None
            assert name.startswith(("encoder.patch", "encoder.temp", "encoder.pos", "encoder.blocks."))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0.0}, "temperature must be above 0"),
        ({"temperature": float("inf")}, "temperature must be above 0 and finite, got inf"),
        ({"topk": 11}, r"topk must lie in \[0, queue_size = 10\], got 11"),
        ({"topk": -1}, "topk must lie in"),
        ({"predictor_hidden_dim": 0}, "predictor_hidden_dim must be at least 1"),
        ({"queue_size": 0}, "queue_size must be at least 1, got 0"),
    ],
)
def test_impossible_settings_are_refused(settings: dict, message: str, make: Make) -> None:
    with pytest.raises(ConfigError, match=message):
        make(**settings)


def test_wrong_batches_are_refused(make: Make, persons: Tensor) -> None:
    objective = make()
    before = buffers(objective)
    x = persons.double()
    for ids, second, message in (
        (IDS[:5], None, r"expected sample_ids of shape \(6,\) and type int64, got \(5,\)"),
        (IDS.float(), None, "got .* of torch.float32"),
        (IDS, x[:5], "expected x_second of x's shape"),
        (IDS.numpy(), None, "expected sample_ids as a tensor, got ndarray"),
        (IDS.tolist(), None, "expected sample_ids as a tensor, got list"),
        (IDS, x.numpy(), "expected x_second as a tensor, got ndarray"),
    ):
        with pytest.raises(SequenceError, match=message):
            objective(x, ids, second)
    with pytest.raises(SequenceError, match="expected x as a tensor, got ndarray"):
        objective(x.numpy(), IDS)
    with pytest.raises(SequenceError, match="expected groups as a tensor, got list"):
        objective(x, IDS, groups=IDS.tolist())
    with pytest.raises(SequenceError, match="at least 2 samples in a batch, got 1"):
        objective(x[:1], IDS[:1])
    for name, tensor in buffers(objective).items():
        assert torch.equal(tensor, before[name]), name


def test_topk_is_repeatable_with_a_generator(make: Make, persons: Tensor) -> None:
    x = persons.double()
    losses = [
        make(topk=5)(x, IDS, generator=torch.Generator().manual_seed(seed)).item() for seed in (0, 0, 1)
    ]
    assert losses[0] == losses[1] != losses[2]


def test_neighbours_are_of_another_group(make: Make, persons: Tensor) -> None:
    x = persons.double()
    objective = make(queue_size=6)
    groups = torch.tensor([0, 0, 0, 1, 1, 1])
    objective(x, IDS, groups=groups)
    assert objective.queue.ids.tolist() == groups.tolist()
    objective.eval()
    rows = objective.queue.features.clone()
    z = F.normalize(objective.project(x))
    p = F.normalize(objective.predictor(objective.project(x)))
    nearest = (z @ rows.T).masked_fill(groups[:, None] == groups, -2).argmax(dim=1)
    assert (groups[nearest] != groups).all()
    expected = F.cross_entropy(rows[nearest] @ p.T / objective.temperature, torch.arange(6))
    torch.testing.assert_close(objective(x, IDS, groups=groups), expected)


def test_a_group_for_each_sample_is_the_paper_s_rule(make: Make, persons: Tensor) -> None:
    first, second = make(), make()
    for _ in range(2):
        loss = first(persons.double(), IDS)
        torch.testing.assert_close(second(persons.double(), IDS, groups=IDS + 7), loss, rtol=0, atol=0)
