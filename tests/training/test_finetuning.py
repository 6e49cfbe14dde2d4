"""Fine-tuning: what is trained at which rate, how a run is judged and when it ends."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from stars_hub import STARSEncoder
from stars_hub.errors import ConfigError, LayoutError
from stars_hub.objectives import Classification
from stars_hub.skeletons.store import SkeletonStore
from stars_hub.training.data import TrainData, open_labelled_data
from stars_hub.training.monitor import AccuracyMonitor
from stars_hub.training.session import Session
from stars_hub.transforms.loader import Batch
from tests.training.conftest import ENCODER, finetune_config
from tests.training.helpers import (
    assert_close,
    assert_same,
    finetune_stage,
    kill_in_step,
    labelled_store,
    run,
    tensors_of,
)


def test_rates_and_decay_are_the_golden_ones(golden_dir: Path, prepared: Path) -> None:
    golden = json.loads((golden_dir / "layer_decay_finetune.json").read_text())
    config = finetune_config(prepared, model="", encoder=replace(ENCODER, depth=golden["depth"]))
    groups = finetune_stage(config).parameter_groups()
    ours = {name: [group["lr_scale"], group["weight_decay"]] for group in groups for name in group["names"]}
    for theirs, values in golden["lr_scale_and_weight_decay"].items():
        name = theirs.replace("joints_embed.proj", "patch_embed").replace("head.bn", "head.norm")
        assert ours.pop(name if name.startswith("head") else f"encoder.{name}") == pytest.approx(values), name
    assert not ours


def test_paths_are_dropped_in_training_only_and_no_model_carries_that_on(
    prepared: Path, tmp_path: Path
) -> None:
    config = finetune_config(prepared, output=str(tmp_path / "run"), epochs=1, drop_path_rate=0.4)
    encoder = finetune_stage(config).objective.encoder
    assert [block.drop_path.drop_rate for block in encoder.blocks] == pytest.approx([0.0, 0.4])
    x = torch.randn(64, 3, 8, 25, 1)
    assert not torch.equal(encoder.train()(x), encoder(x))
    assert torch.equal(encoder.eval()(x), encoder(x))
    saved = STARSEncoder.from_pretrained(run(config).last)
    assert saved.config.drop_path_rate == 0
    assert torch.equal(saved.train()(x), saved(x))


def test_dropped_paths_are_drawn_for_every_row_of_identical_persons() -> None:
    encoder = STARSEncoder(ENCODER).train()
    encoder.set_drop_path_rate(0.5)
    features = encoder(torch.randn(1, 3, 8, 25, 1).expand(32, -1, -1, -1, -1))
    assert len(features.unique(dim=0)) > 1


def test_head_alone_leaves_the_encoder_as_in_evaluation(prepared: Path, tmp_path: Path) -> None:
    config = finetune_config(prepared, output=str(tmp_path / "run"), trainable_blocks=0, drop_path_rate=0.4)
    stage = finetune_stage(config)
    assert {name.split(".")[0] for group in stage.parameter_groups() for name in group["names"]} == {"head"}
    x = torch.randn(64, 3, 8, 25, 1)
    assert stage.objective.train().head.training
    assert torch.equal(stage.objective.encoder(x), stage.objective.encoder(x))
    result = run(config)
    before, after = (STARSEncoder.from_pretrained(f).state_dict() for f in (prepared / "model", result.last))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_upper_blocks_alone(prepared: Path) -> None:
    groups = finetune_stage(finetune_config(prepared, trainable_blocks=1)).parameter_groups()
    names = {name for group in groups for name in group["names"] if name.startswith("encoder.")}
    assert {".".join(name.split(".")[1:3]) for name in names} == {"blocks.1", "norm.weight", "norm.bias"}
    with pytest.raises(ConfigError, match="at most 2, the encoder's depth, got 3"):
        finetune_stage(finetune_config(prepared, trainable_blocks=3))


def test_head_of_a_classifier_of_the_same_classes_is_kept(prepared: Path, tmp_path: Path) -> None:
    result = run(
        finetune_config(prepared, output=str(tmp_path / "run"), epochs=1, warmup_epochs=0, trainable_blocks=0)
    )
    trained = Classification.from_pretrained(result.last).state_dict()
    again = finetune_stage(finetune_config(prepared, model=str(result.last))).objective
    assert all(torch.equal(trained[name], tensor) for name, tensor in again.state_dict().items())
    other = finetune_stage(finetune_config(prepared, model=str(result.last), hidden_dim=10)).objective
    assert other.settings["hidden_dim"] == 10
    linear = {"head": "linear", "trainable_blocks": 0, "epochs": 1}
    kept = run(finetune_config(prepared, output=str(tmp_path / "linear"), **linear)).last
    trained_head = Classification.from_pretrained(kept).head.state_dict()
    again = finetune_stage(finetune_config(prepared, model=str(kept), hidden_dim=10, **linear)).objective
    assert all(torch.equal(trained_head[name], value) for name, value in again.head.state_dict().items())
    assert torch.equal(trained["encoder.norm.bias"], other.encoder.norm.bias)


def test_trained_encoder_is_adapted_to_another_layout_a_new_one_is_not(
    prepared: Path, tmp_path: Path
) -> None:
    store = SkeletonStore.open(prepared / "store").copy(tmp_path / "store", layout="kinect20")
    encoder = finetune_stage(finetune_config(prepared, data=str(tmp_path / "store"))).objective.encoder
    assert (encoder.config.layout, encoder.config.num_joints) == (store.layout.name, 20)
    before = STARSEncoder.from_pretrained(prepared / "model")
    assert torch.equal(encoder.blocks[0].attn.qkv.weight, before.blocks[0].attn.qkv.weight)
    with pytest.raises(LayoutError, match="'ntu25'"):
        finetune_stage(finetune_config(prepared, data=str(tmp_path / "store"), model="", encoder=ENCODER))


def test_loss_by_hand(tmp_path: Path) -> None:
    store = labelled_store(tmp_path / "store", [0, 0, 0, 1])
    settings = {"model": "", "encoder": ENCODER, "batch_size": 2, "monitor_every": 0, "label_smoothing": 0.2}
    stage = finetune_stage(finetune_config(tmp_path, data=str(store), head_drop_rate=0.25, **settings))
    assert stage.objective.head.drop.p == 0.25
    logits = torch.tensor([[0.8, 0.2], [0.5, 0.5]]).log()
    batch = Batch(torch.empty(2, 3, 8, 25, 2), torch.tensor([0, 1]), torch.arange(2))
    few, many = 2.0, 2 / 3  # 4 recordings, half of the weight for each class
    first = 0.9 * many * -np.log(0.8) + 0.1 * few * -np.log(0.2)
    second = 0.1 * many * -np.log(0.5) + 0.9 * few * -np.log(0.5)
    found = stage.loss(Constant(logits), batch, epoch=0)
    assert found.item() == pytest.approx((first + second) / (many + few))


class Constant(torch.nn.Module):
    """Always gives the same logits."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, x: Tensor) -> Tensor:
        return self.logits


def test_accuracy_by_hand(tmp_path: Path) -> None:
    queries = SkeletonStore.open(labelled_store(tmp_path / "store", [0, 1, 2, 1, 0]))
    monitor = AccuracyMonitor(TrainData(queries, queries=queries), ENCODER, batch_size=2)
    logits = torch.eye(3)[torch.tensor([0, 1, 1, 0, 0])]  # the third and the fourth are wrong
    answers = iter(logits.split(2))

    def describe(x: Tensor) -> Tensor:
        return next(answers)

    assert monitor(describe, device=torch.device("cpu"), dtype=torch.float32) == {"validation": 60.0}


@pytest.mark.parametrize("head", ["joints", "linear"])
@pytest.mark.parametrize("size", [1, 3])
def test_chunks_of_a_batch_equal_the_batch(prepared: Path, tmp_path: Path, head: str, size: int) -> None:
    settings = {"precision": "float64", "head": head, "class_weights": "balanced", "monitor_every": 0}
    whole = run(finetune_config(prepared, output=str(tmp_path / "whole"), **settings))
    parts = run(finetune_config(prepared, output=str(tmp_path / "parts"), micro_batch_size=size, **settings))
    assert_close(tensors_of(whole), tensors_of(parts), atol=1e-7)


def test_dropout_and_chunks_are_the_same_in_a_resumed_run(prepared: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"head_drop_rate": 0.3, "drop_path_rate": 0.3, "micro_batch_size": 3}
    whole = run(finetune_config(prepared, output=str(tmp_path / "whole"), **settings))
    cut = finetune_config(prepared, output=str(tmp_path / "cut"), checkpoint_steps=1, **settings)
    kill_in_step(cut, 3)
    assert_same(tensors_of(run(cut)), tensors_of(whole))


def test_last_batch_of_one_is_refused(prepared: Path) -> None:
    with pytest.raises(ConfigError, match="drop_last"):
        finetune_stage(finetune_config(prepared, batch_size=5, drop_last=False))  # of 16
    assert finetune_stage(finetune_config(prepared, batch_size=5)).objective.label_names == ["0", "1"]


def with_accuracies(monkeypatch: pytest.MonkeyPatch, values: list[float]) -> None:
    """Let the looks after epochs 0, 1, … find these; what comes next depends on the epoch, as it would."""
    looks: Iterator[float] = iter(values)
    monkeypatch.setattr(Session, "evaluate", lambda self: {"validation": next(looks)})


def test_run_stops_when_it_does_not_get_better(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def config(name: str, **changes: Any) -> Any:
        return finetune_config(
            prepared,
            output=str(tmp_path / name),
            **{"epochs": 9, "patience": 2, "warmup_epochs": 0, **changes},
        )

    with_accuracies(monkeypatch, [90.0, 10.0, 30.0, 30.0, 20.0])
    whole = run(config("whole"))
    assert [record["epoch"] for record in whole.history] == [0, 1, 2, 3, 4]
    assert "stopped after epoch 4: no better accuracy since epoch 2" in capsys.readouterr().out

    with_accuracies(monkeypatch, [90.0, 10.0, 5.0])
    rare = run(config("rare", monitor_every=3, patience=1))  # looks after epochs 3 and 6
    assert [record["epoch"] for record in rare.history] == [0, 1, 2, 3, 4, 5, 6]

    with_accuracies(monkeypatch, [90.0, 10.0, 30.0, 30.0])
    cut = config("cut")
    kill_in_step(cut, 6)  # in epoch 4
    with_accuracies(monkeypatch, [20.0])
    resumed = run(cut)
    assert_same(tensors_of(resumed), tensors_of(whole))
    with_accuracies(monkeypatch, [])
    assert run(cut).history == resumed.history  # it is finished, and stays so
    assert "cut: finished, epoch 4" in capsys.readouterr().out


def test_saved_classifier_scores_as_the_run_says(prepared: Path, tmp_path: Path) -> None:
    result = run(finetune_config(prepared, output=str(tmp_path / "run"), lr=1e-2, min_lr=None))
    data = open_labelled_data(finetune_config(prepared))
    classifier = Classification.from_pretrained(result.last).eval()
    assert data.queries is not None
    monitor = AccuracyMonitor(data, ENCODER, batch_size=3)
    found = torch.cat([classifier(batch.x).argmax(1) for batch in monitor.loader(data.queries)])
    expected = 100 * np.mean(found.numpy() == data.queries.labels)
    assert result.history[-1]["validation"] == pytest.approx(expected)
    for folder in (result.best, result.last):
        assert folder is not None
        card = (folder / "README.md").read_text()
        assert f'STARSClassifier.from_pretrained("run/{folder.name}")' in card
        assert "## Classes\n\n0. 0\n1. 1" in card
        assert "STARSEncoder" not in card


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fraction": 0.0}, "fraction"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"drop_path_rate": 1.0}, "drop_path_rate"),
        ({"head": "mlp"}, "head must be one of joints, linear"),
        ({"batch_size": 1}, "batch_size must be at least 2"),
        ({"monitor_held_out": False}, "chooses no model"),
        ({"patience": 3, "monitor_every": 0}, "patience needs"),
    ],
)
def test_bad_values(prepared: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        finetune_config(prepared, **changes)
