"""Configurations: their values, options and recipes, and the plan that is made of one."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from stars_hub import recipes
from stars_hub.errors import ConfigError
from stars_hub.model.config import EncoderConfig
from stars_hub.training import FinetuneConfig, PretrainConfig, TuneConfig
from stars_hub.training.options import config_from_options, config_options
from stars_hub.training.plan import plan, stage_of
from tests.training.conftest import ENCODER
from tests.training.helpers import session_of

Make = Callable[..., Any]


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
