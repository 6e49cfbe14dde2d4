import json
import math
from pathlib import Path

import pytest
import torch
from torch import nn

from stars_hub.errors import ConfigError
from stars_hub.hub.authors import ENCODER, split_block_number
from stars_hub.model.config import EncoderConfig
from stars_hub.model.network import SkeletonTransformer
from stars_hub.training.freezing import freeze_below, freeze_encoder
from stars_hub.training.optimizer import (
    CosineSchedule,
    build_optimizer,
    clip_each_gradient,
    clip_global_gradient,
    layer_scale,
    parameter_groups,
    set_learning_rate,
)

CONFIG = EncoderConfig(num_frames=8, num_joints=5, embed_dim=16, depth=4, num_heads=2)


class Classifier(nn.Module):
    """An encoder and the golden classification head's parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = SkeletonTransformer(CONFIG)
        self.head = nn.ModuleDict({"fc1": nn.Linear(16, 8), "bn": nn.BatchNorm1d(8), "fc2": nn.Linear(8, 3)})


def test_golden_schedule(golden_dir: Path) -> None:
    golden = json.loads((golden_dir / "lr_schedule.json").read_text())
    names = ("lr", "min_lr", "warmup_epochs", "epochs")
    schedule = CosineSchedule(**{name: golden[name] for name in names})
    for epoch, value in zip(golden["epoch"], golden["value"], strict=True):
        assert schedule(epoch) == pytest.approx(value, rel=1e-12)


def test_schedule_holds_its_ends_and_may_be_constant() -> None:
    schedule = CosineSchedule(lr=1.0, epochs=10, min_lr=0.2)
    assert schedule(0) == 1.0
    assert schedule(5) == pytest.approx(0.6)
    assert schedule(10) == schedule(11) == pytest.approx(0.2)
    constant = CosineSchedule(lr=1.0, epochs=10, min_lr=1.0, warmup_epochs=2)
    assert [constant(epoch) for epoch in (0, 1, 2, 7, 10)] == [0.0, 0.5, 1.0, 1.0, 1.0]
    assert CosineSchedule(lr=1.0, epochs=2, warmup_epochs=2)(1) == 0.5


@pytest.mark.parametrize(
    "wrong",
    [{"lr": 0.0}, {"min_lr": 2.0}, {"epochs": 0}, {"warmup_epochs": 11}, {"warmup_epochs": -1}],
)
def test_impossible_schedules_are_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError, match="expected"):
        CosineSchedule(**{"lr": 1.0, "epochs": 10, **wrong})


def test_golden_layer_decay_of_fine_tuning(golden_dir: Path) -> None:
    golden = json.loads((golden_dir / "layer_decay_finetune.json").read_text())
    table = {theirs: ours for theirs, ours, _ in ENCODER}
    expected = {}
    for theirs, values in golden["lr_scale_and_weight_decay"].items():
        template, number = split_block_number(theirs)
        ours = table[template].replace("#", str(number)) if template in table else None
        expected[f"encoder.{ours}" if ours else theirs] = values
    module = Classifier()
    groups = parameter_groups(
        module,
        module.encoder,
        base_lr=3e-4,
        layer_decay=golden["layer_decay"],
        weight_decay=golden["weight_decay"],
    )
    ours = {name: [group["lr_scale"], group["weight_decay"]] for group in groups for name in group["names"]}
    assert ours.keys() == expected.keys()
    for name, values in expected.items():
        assert ours[name] == pytest.approx(values), name
    assert all(group["lr"] == pytest.approx(3e-4 * group["lr_scale"]) for group in groups)


def test_each_trained_parameter_is_in_one_group_beside_its_name() -> None:
    module = Classifier()
    freeze_below(module.encoder, 2)
    groups = parameter_groups(module, module.encoder, base_lr=1.0, layer_decay=0.5, weight_decay=0.1)
    names = [name for group in groups for name in group["names"]]
    trained = {name for name, p in module.named_parameters() if p.requires_grad}
    assert len(names) == len(set(names))
    assert set(names) == trained
    assert len({(group["lr_scale"], group["weight_decay"]) for group in groups}) == len(groups)
    parameters = dict(module.named_parameters())
    for group in groups:
        assert all(parameters[n] is p for n, p in zip(group["names"], group["params"], strict=True))
    everything = parameter_groups(module, module.encoder, base_lr=1.0, weight_decay=0.1, exempt="none")
    assert [(group["lr"], group["weight_decay"]) for group in everything] == [(1.0, 0.1)]


def test_layer_scale_by_hand() -> None:
    names = ("norm.bias", "blocks.3.mlp.fc1.weight", "blocks.0.norm1.bias", "pos_embed", "patch_embed.bias")
    scales = [layer_scale(name, depth=4, layer_decay=0.5) for name in names]
    assert scales == [1.0, 0.5, 1 / 16, 1 / 32, 1 / 32]


def test_nothing_to_train_is_refused() -> None:
    encoder = SkeletonTransformer(CONFIG)
    with pytest.raises(ConfigError, match="exempt must be 'vectors' or 'none', got 'biases'"):
        parameter_groups(encoder, encoder, base_lr=1.0, exempt="biases")
    with pytest.raises(ConfigError, match="expected base_lr > 0"):
        parameter_groups(encoder, encoder, base_lr=0.0)
    freeze_encoder(encoder)
    with pytest.raises(ConfigError, match="every parameter is frozen"):
        parameter_groups(encoder, encoder, base_lr=1.0)
    with pytest.raises(ConfigError, match=r"must lie in \[0, 4\], got 5"):
        freeze_below(encoder, 5)


def test_optimizer_is_adamw_with_decay_apart_from_the_gradient() -> None:
    weight = nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
    groups = [{"params": [weight], "names": ["w"], "lr": 0.1, "lr_scale": 1.0, "weight_decay": 0.01}]
    optimizer = build_optimizer(groups)
    assert optimizer.param_groups[0]["betas"] == (0.9, 0.95)
    weight.grad = torch.tensor([0.5], dtype=torch.float64)
    optimizer.step()
    # The first step of Adam goes by lr · g / (|g| + eps), after weights shrink by lr · decay.
    assert weight.item() == pytest.approx(2.0 * (1 - 0.1 * 0.01) - 0.1 * 0.5 / (0.5 + 1e-8), rel=1e-12)


def test_learning_rates_are_set_by_scale() -> None:
    module = Classifier()
    groups = parameter_groups(module, module.encoder, base_lr=1.0, layer_decay=0.5)
    optimizer = build_optimizer(groups)
    set_learning_rate(optimizer, 0.2)
    rates = [group["lr"] for group in optimizer.param_groups]
    assert rates == pytest.approx([0.2 * group["lr_scale"] for group in groups])
    assert min(rates) == pytest.approx(0.2 / 32)


def parameters_with_gradients() -> list[nn.Parameter]:
    parameters = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1, 1)), nn.Parameter(torch.zeros(3))]
    parameters[0].grad = torch.tensor([6.0, 8.0])
    parameters[1].grad = torch.tensor([[0.5]])
    return parameters


def test_clipping_each_gradient_by_hand() -> None:
    parameters = parameters_with_gradients()
    norm = clip_each_gradient(parameters, max_norm=3.0)
    assert norm.item() == pytest.approx(math.sqrt(100.25))
    assert parameters[0].grad.tolist() == pytest.approx([6 * 3 / (10 + 1e-6), 8 * 3 / (10 + 1e-6)])
    assert parameters[1].grad.tolist() == [[0.5]]
    assert parameters[2].grad is None
    assert clip_each_gradient([parameters[2]], max_norm=3.0) == 0


def test_clipping_all_gradients_by_hand() -> None:
    parameters = parameters_with_gradients()
    norm = clip_global_gradient(parameters, max_norm=3.0)
    assert norm.item() == pytest.approx(math.sqrt(100.25))
    assert parameters[0].grad.tolist() == pytest.approx([18 / math.sqrt(100.25), 24 / math.sqrt(100.25)])
    assert parameters[1].grad.item() == pytest.approx(1.5 / math.sqrt(100.25))
