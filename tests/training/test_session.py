"""The step: schedule, groups, clipping, precision, moving average; stages."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from stars_hub import STARSEncoder
from stars_hub.errors import ConfigError, LayoutError
from stars_hub.model.config import EncoderConfig
from stars_hub.objectives import MAMP, NNCLR
from stars_hub.skeletons.store import SkeletonStore
from stars_hub.training import TuneConfig
from stars_hub.training.data import open_data
from stars_hub.training.session import update_average
from tests.training.conftest import ENCODER, pretrain_config, tune_config
from tests.training.helpers import kill_in_step, run, session_of

Make = Callable[..., Any]


def test_learning_rate_of_every_step_follows_the_schedule(golden_dir: Path, prepared: Path) -> None:
    golden = json.loads((golden_dir / "lr_schedule.json").read_text())
    config = pretrain_config(prepared, epochs=400, warmup_epochs=20, lr=1e-3, min_lr=5e-4)
    session = session_of(config)  # of two steps an epoch
    batch = next(session.batches(0, 0))
    checked = 0
    for epoch, value in zip(golden["epoch"], golden["value"], strict=True):
        if 2 * epoch % 1 or epoch >= 400:
            continue
        session.train_step(batch, epoch=int(epoch), step=int(2 * (epoch % 1)))
        assert [group["lr"] for group in session.optimizer.param_groups] == pytest.approx([value] * 2)
        checked += 1
    assert checked >= 4


def test_layers_have_their_rates(prepared: Path) -> None:
    session = session_of(tune_config(prepared))
    rates = {name: group["lr"] for group in session.groups for name in group["names"]}
    assert rates["encoder.blocks.1.attn.qkv.weight"] == pytest.approx(0.45e-3)
    assert rates["encoder.norm.weight"] == rates["predictor.0.weight"] == pytest.approx(1e-3)
    assert {group["weight_decay"] for group in session.groups} == {0.01}


@pytest.mark.parametrize(("blocks", "trained"), [(None, {1}), (0, set()), (2, {0, 1})])
def test_depth_of_tuning(prepared: Path, blocks: int | None, trained: set[int]) -> None:
    session = session_of(tune_config(prepared, trainable_blocks=blocks))
    names = [name for group in session.groups for name in group["names"] if ".blocks." in name]
    assert {int(name.split(".")[2]) for name in names} == trained


def test_too_many_blocks(prepared: Path) -> None:
    with pytest.raises(ConfigError, match="at most 2"):
        session_of(tune_config(prepared, trainable_blocks=3))


def test_three_stages_carry_heads_and_queue_over(prepared: Path, tmp_path: Path) -> None:
    heads = run(tune_config(prepared, output=str(tmp_path / "heads"), freeze_encoder=True))
    before, after = (STARSEncoder.from_pretrained(f).state_dict() for f in (prepared / "model", heads.last))
    assert all(torch.equal(before[name], after[name]) for name in before)
    trained = NNCLR.from_pretrained(heads.last)
    session = session_of(tune_config(prepared, model=str(heads.last)))
    started = session.stage.objective
    assert int(started.queue.pointer) == 32 % 20
    assert torch.equal(started.queue.features, trained.queue.features)
    assert torch.equal(started.predictor[0].weight, trained.predictor[0].weight)
    assert started.encoder.blocks[1].norm1.weight.requires_grad
    assert not started.encoder.blocks[0].norm1.weight.requires_grad


@pytest.mark.parametrize("micro", [None, 3])
def test_frozen_encoder_sees_each_sample_once(prepared: Path, tmp_path: Path, micro: int | None) -> None:
    from stars_hub.model.network import SkeletonTransformer
    from stars_hub.training import tuning as module
    from tests.training.helpers import assert_close, tensors_of

    settings: dict[str, Any] = {
        "freeze_encoder": True,
        "precision": "float64",
        "epochs": 4,
        "monitor_every": 0,
        "ema_decay": 0.5,
    }
    seen = 0
    original = SkeletonTransformer.forward

    def forward(self: SkeletonTransformer, x: torch.Tensor) -> torch.Tensor:
        nonlocal seen
        seen += len(x)
        return original(self, x)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SkeletonTransformer, "forward", forward)
        cached = run(
            tune_config(prepared, output=str(tmp_path / "cached"), micro_batch_size=micro, **settings)
        )
        assert 16 < seen <= 22
        patch.setattr(module, "can_cache", lambda *_: False)
        plain = run(tune_config(prepared, output=str(tmp_path / "plain"), **settings))
    kept = {name: t for name, t in tensors_of(cached).items() if ":cache." not in name}
    assert_close(kept, tensors_of(plain), atol=1e-7)


def test_frozen_run_cut_off_resumes_to_the_same_bits(prepared: Path, tmp_path: Path) -> None:
    from tests.training.helpers import assert_same, tensors_of

    settings: dict[str, Any] = {"freeze_encoder": True, "checkpoint_steps": 1}
    whole = run(tune_config(prepared, output=str(tmp_path / "whole"), **settings))
    cut = tune_config(prepared, output=str(tmp_path / "cut"), **settings)
    kill_in_step(cut, 3)
    assert_same(tensors_of(run(cut)), tensors_of(whole))


def test_sample_ids_are_places_in_the_training_split(prepared: Path, tmp_path: Path) -> None:
    result = run(
        tune_config(prepared, epochs=1, subjects=("0", "3"), batch_size=5, output=str(tmp_path / "r"))
    )
    ids = NNCLR.from_pretrained(result.last).queue.ids
    assert sorted(ids[:10].tolist()) == sorted(set(ids[:10].tolist()))
    assert ids.max() <= 10  # of 11 recordings


def test_moving_average_by_hand() -> None:
    average, module = torch.nn.BatchNorm1d(1), torch.nn.BatchNorm1d(1)
    with torch.no_grad():
        module.weight.fill_(3.0)
    module.running_mean = torch.tensor([7.0])
    update_average(average.requires_grad_(False), module, decay=0.75)
    assert average.weight.item() == 1.5  # 0.75 · 1 + 0.25 · 3
    assert average.running_mean is not None
    assert average.running_mean.item() == 7.0


def test_moving_average_is_what_is_saved(prepared: Path, tmp_path: Path) -> None:
    plain = run(pretrain_config(prepared, output=str(tmp_path / "plain"), epochs=1))
    averaged = run(pretrain_config(prepared, output=str(tmp_path / "averaged"), epochs=1, ema_decay=0.999))
    torch.manual_seed(0)
    start = STARSEncoder(ENCODER).patch_embed.weight
    distances = [
        (STARSEncoder.from_pretrained(result.last).patch_embed.weight - start).abs().mean().item()
        for result in (plain, averaged)
    ]
    assert distances[1] < 0.01 * distances[0]


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_is_near_float32(config: Make, tmp_path: Path, precision: str) -> None:
    exact = run(config(output=str(tmp_path / "exact"), epochs=1))
    mixed = run(config(output=str(tmp_path / "mixed"), epochs=1, precision=precision))
    assert mixed.history[1]["loss"] == pytest.approx(exact.history[1]["loss"], rel=0.05)
    assert mixed.history[1]["loss"] != exact.history[1]["loss"]
    weights = STARSEncoder.from_pretrained(mixed.last).state_dict().values()
    assert {tensor.dtype for tensor in weights} == {torch.float32}


def test_grad_checkpointing_changes_nothing(config: Make, tmp_path: Path) -> None:
    from tests.training.helpers import assert_close, tensors_of

    plain = run(config(output=str(tmp_path / "plain"), precision="float64"))
    frugal = run(config(output=str(tmp_path / "frugal"), precision="float64", grad_checkpointing=True))
    assert_close(tensors_of(plain), tensors_of(frugal), atol=1e-7)


def test_pretraining_goes_on_from_a_model(prepared: Path, tmp_path: Path) -> None:
    first = run(pretrain_config(prepared, output=str(tmp_path / "first"), epochs=1))
    session = session_of(pretrain_config(prepared, model=str(first.last)))
    expected = MAMP.from_pretrained(first.last).state_dict()
    for name, tensor in session.objective.state_dict().items():
        assert torch.equal(tensor, expected[name])


def test_store_of_another_layout_is_refused(prepared: Path) -> None:
    encoder = EncoderConfig(
        layout="kinect20", num_joints=20, num_frames=8, embed_dim=16, depth=2, num_heads=2
    )
    with pytest.raises(LayoutError, match=r"'kinect20' with 20 joints, the store has 'ntu25' with 25"):
        run(pretrain_config(prepared, encoder=encoder))


def test_last_incomplete_batch(config: Make) -> None:
    assert session_of(config()).batch_sizes == [8, 8]
    all_subjects = session_of(config(drop_last=False, monitor_every=0))
    assert all_subjects.batch_sizes == [8, 8, 6]


def test_constant_rate_without_a_minimum() -> None:
    config = TuneConfig(model="m", data="s", output="r")
    assert config.min_lr is None
    assert math.isclose(config.lr, 1e-3)


def test_stores_are_joined(prepared: Path, tmp_path: Path) -> None:
    from tests.training.conftest import store_of

    store_of(tmp_path / "more", 5)
    data = open_data(pretrain_config(prepared, data=(str(prepared / "store"), str(tmp_path / "more"))))
    assert len(data.train) == 27
    assert isinstance(data.train, SkeletonStore)
