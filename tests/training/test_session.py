"""The step: schedule, groups, clipping, precision, moving average; stages; plan and options."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from stars_hub import STARSEncoder, recipes
from stars_hub.errors import ConfigError, LayoutError
from stars_hub.model.config import EncoderConfig
from stars_hub.objectives import MAMP, NNCLR
from stars_hub.skeletons.store import SkeletonStore
from stars_hub.training import FinetuneConfig, PretrainConfig, TuneConfig
from stars_hub.training.data import open_data
from stars_hub.training.options import config_from_options, config_options
from stars_hub.training.plan import plan, stage_of
from stars_hub.training.session import Session, update_average
from tests.training.conftest import ENCODER, pretrain_config, tune_config
from tests.training.helpers import run

Make = Callable[..., Any]


def session_of(config: Any) -> Session:
    stage, data = stage_of(config)
    return Session(stage, data, torch.device("cpu"))


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
    from tests.training.test_runs import kill_in_step

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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"epochs": "3"}, "epochs must be of type int"),
        ({"lr": -1.0}, "lr > 0"),
        ({"crop": (0.9, 0.5)}, "crop"),
        ({"crop": (0.9,)}, "2 values"),
        ({"precision": "int8"}, "precision must be one of"),
        ({"warmup_epochs": 5}, "warmup_epochs"),
        ({"ema_decay": 1.0}, "ema_decay"),
    ],
)
def test_bad_values_are_refused(config: Make, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config(**changes)


def test_config_travels_through_json(config: Make) -> None:
    made = config(min_lr=1e-4, monitor_subjects=("7", "x"))
    assert type(made).from_dict(json.loads(json.dumps(made.to_dict()))) == made


def test_every_field_has_help() -> None:
    from dataclasses import fields

    assert all(
        field.metadata["help"].endswith(".")
        for kind in (PretrainConfig, TuneConfig, FinetuneConfig)
        for field in fields(kind)
    )


def test_options_make_the_config() -> None:
    import click
    from click.testing import CliRunner

    made: list[Any] = []

    @click.command()
    @config_options(PretrainConfig)
    def command(**given: Any) -> None:
        made.append(config_from_options(PretrainConfig, recipes.pretrain_small_data, given))

    arguments = (
        "--data a --data b --output run --embed-dim 64 --crop 0.6 0.9 --no-drop-last --precision bfloat16"
    )
    result = CliRunner().invoke(command, arguments.split(), catch_exceptions=False)
    assert result.exit_code == 0
    encoder = EncoderConfig(num_frames=64, embed_dim=64, depth=6, num_heads=4)
    assert made == [
        recipes.pretrain_small_data(
            data=("a", "b"),
            output="run",
            encoder=encoder,
            crop=(0.6, 0.9),
            drop_last=False,
            precision="bfloat16",
        )
    ]


def test_plan_says_what_and_how_long_and_writes_nothing(config: Make) -> None:
    made = config()
    text = plan(made, steps=1)
    assert json.loads(text[: text.index("\n\n")])["batch_size"] == 8
    held_out = isinstance(made, FinetuneConfig)  # one of four subjects
    kept_out = "16 recordings to train on, 6 kept out because they are asked about"
    assert (kept_out if held_out else "22 recordings to train on") in text
    assert "2 steps an epoch" in text
    assert ("validation: 6 recordings of subjects" if held_out else "k-NN monitor: ") in text
    assert "for 2 epochs" in text
    total = sum(p.numel() for p in session_of(made).objective.parameters() if p.requires_grad)
    assert f"{total:,} of " in text
    assert not Path(made.output).exists()


def test_recipes_are_the_published_ones() -> None:
    ntu60 = recipes.pretrain_recipe("ntu60")
    assert (ntu60.epochs, ntu60.batch_size, ntu60.lr, ntu60.min_lr, ntu60.warmup_epochs) == (
        400,
        128,
        1e-3,
        5e-4,
        20,
    )
    assert (ntu60.decoder_depth, ntu60.motion_aware_tau, ntu60.weight_decay) == (3, 0.8, 0.05)
    ntu120 = recipes.pretrain_recipe("ntu120")
    assert (ntu120.decoder_depth, ntu120.motion_aware_tau, ntu120.encoder.absent_person) == (5, 0.75, "copy")
    table = {"ntu60": (1e-3, 0.45), "ntu120": (1e-3, 0.40), "pku": (1e-4, 0.35)}
    for name, expected in table.items():
        tuned = recipes.tune_recipe(name, model="m")
        assert (tuned.lr, tuned.layer_decay) == expected
        assert (tuned.epochs, tuned.min_lr, tuned.weight_decay, tuned.exempt) == (10, None, 0.01, "none")
        assert (tuned.clip, tuned.clip_norm, tuned.queue_size) == ("each", 3.0, 32768)
        heads = recipes.tune_recipe(f"{name}-heads", model="m")
        assert (heads.freeze_encoder, heads.epochs) == (True, 20)
    with pytest.raises(ConfigError, match="there are ntu60"):
        recipes.tune_recipe("ntu61")


def test_fine_tuning_recipes_are_the_published_ones() -> None:
    for name in ("ntu60", "ntu120", "pku"):
        tuned = recipes.finetune_recipe(name, model="m")
        assert (tuned.head, tuned.hidden_dim, tuned.head_drop_rate) == ("joints", 2048, 0.3)
        assert (tuned.epochs, tuned.warmup_epochs, tuned.lr, tuned.min_lr) == (100, 5, 3e-4, 1e-5)
        assert (tuned.beta1, tuned.beta2, tuned.weight_decay, tuned.exempt) == (0.9, 0.999, 0.05, "vectors")
        assert (tuned.layer_decay, tuned.drop_path_rate, tuned.label_smoothing) == (0.8, 0.3, 0.1)
        assert (tuned.batch_size, tuned.crop, tuned.rotation) == (48, (0.5, 1.0), 0.3)
        assert tuned.monitor_every == 0  # the paper trains on all training subjects
        scratch = recipes.finetune_recipe(f"{name}-scratch")
        assert (scratch.model, scratch.layer_decay, scratch.lr) == ("", 1.0, 3e-4)
        assert scratch.encoder == (recipes.pretrain_recipe(name).encoder or EncoderConfig())


def test_recipe_says_whether_it_needs_a_model() -> None:
    with pytest.raises(ConfigError, match="take recipe small-data-scratch"):
        recipes.finetune_recipe("small-data")
    with pytest.raises(ConfigError, match="from scratch, got model 'm'"):
        recipes.finetune_recipe("small-data-scratch", model="m")


def test_option_that_the_configuration_shares_with_the_encoder_is_the_configurations() -> None:
    given = {"drop_path_rate": 0.2, "depth": 3, "model": None}
    made = config_from_options(FinetuneConfig, partial(recipes.finetune_recipe, "small-data-scratch"), given)
    assert made.drop_path_rate == 0.2
    assert (made.encoder.drop_path_rate, made.encoder.depth) == (0.0, 3)


def test_short_or_unwatched_runs_of_a_recipe_need_no_other_change() -> None:
    short = recipes.finetune_recipe("small-data", model="m", epochs=1)
    assert (short.warmup_epochs, short.patience) == (0.5, 8)
    assert recipes.finetune_recipe("small-data", model="m", epochs=20).warmup_epochs == 2
    assert recipes.pretrain_recipe("ntu60", epochs=10).warmup_epochs == 5
    assert recipes.pretrain_recipe("ntu60", epochs=10, warmup_epochs=0).warmup_epochs == 0
    assert recipes.finetune_recipe("small-data", model="m", monitor_every=0).patience == 0
    with pytest.raises(ConfigError, match="patience needs looks"):
        recipes.finetune_recipe("small-data", model="m", monitor_every=0, patience=3)


@pytest.mark.parametrize(("kind", "make"), [(PretrainConfig, "pretrain"), (FinetuneConfig, "finetune")])
def test_model_keeps_the_size_of_its_encoder(prepared: Path, tmp_path: Path, kind: Any, make: str) -> None:
    given = {"model": str(prepared / "model"), "data": (str(prepared / "store"),), "output": str(tmp_path)}
    given |= {"batch_size": 8, "epochs": 1, "device": "cpu", "progress": False}
    recipe = partial(getattr(recipes, f"{make}_recipe"), "small-data")
    with pytest.raises(ConfigError, match=r"model has an encoder with depth 2, not 3; only a new encoder"):
        config_from_options(kind, recipe, {**given, "depth": 3, "embed_dim": 16})
    config = config_from_options(kind, recipe, {**given, "embed_dim": 16})
    assert config.encoder is None
    assert stage_of(config)[0].config.encoder == ENCODER
    shown = plan(config, steps=0)
    assert json.loads(shown[: shown.index("\n\n")])["encoder"] == ENCODER.to_dict()
    with pytest.raises(ConfigError, match="embed_dim 16, not 32"):
        stage_of(recipe(**given, encoder=replace(ENCODER, embed_dim=32)))


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
