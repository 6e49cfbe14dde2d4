"""Settings by name: the paper's, and one for a few thousand recordings on one machine.

A recipe gives the configuration of a stage; `data` and `output` are the caller's, and any field may be set
otherwise: then the warm-up is at most half of a shorter run, there is no patience without monitoring, and a
model keeps the size of its encoder. Published numbers stand where the paper says which settings gave them.

Reference: STARS (arXiv 2407.10935) section 4; MAMP (arXiv 2308.07092) section 4.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from stars_hub.errors import ConfigError
from stars_hub.model.config import EncoderConfig
from stars_hub.training.config import FinetuneConfig, PretrainConfig, TuneConfig

_ConfigT = TypeVar("_ConfigT", PretrainConfig, TuneConfig, FinetuneConfig)
_NTU120 = EncoderConfig(absent_person="copy")
_PKU = EncoderConfig(centering="none")
_SMALL = EncoderConfig(num_frames=64, embed_dim=128, depth=6, num_heads=4)


def pretrain_ntu60(**changes: Any) -> PretrainConfig:
    """MAMP on NTU-60 (XSub and XView), 400 epochs, batches of 128.

    Published for the encoder that this stage leaves (accuracy %, XSub / XView): linear 85.0 / 89.0,
    fine-tuned 93.0 / 97.5.
    """
    return configure(PretrainConfig, changes, split="xsub")


def pretrain_ntu120(**changes: Any) -> PretrainConfig:
    """MAMP on NTU-120 (XSub and XSet): a decoder of 5 blocks, tau 0.75.

    Published for the encoder that this stage leaves (accuracy %, XSub / XSet): linear 78.1 / 79.5,
    fine-tuned 89.8 / 91.5.
    """
    return configure(
        PretrainConfig, changes, split="xsub", encoder=_NTU120, decoder_depth=5, motion_aware_tau=0.75
    )


def pretrain_pku(**changes: Any) -> PretrainConfig:
    """MAMP on PKU-MMD: a decoder of 5 blocks, coordinates as they are."""
    return configure(PretrainConfig, changes, split="xsub", encoder=_PKU, decoder_depth=5)


def pretrain_small_data(**changes: Any) -> PretrainConfig:
    """MAMP on a few thousand recordings: a small encoder, and no time spent on persons who are not there.

    Mirror images and other body sizes stand for the subjects that small data lacks.
    """
    return configure(
        PretrainConfig,
        changes,
        encoder=_SMALL,
        decoder_depth=2,
        skip_absent_persons=True,
        epochs=120,
        warmup_epochs=5.0,
        min_lr=1e-4,
        batch_size=32,
        mirror=0.5,
        stretch=0.1,
    )


def tune_ntu60(**changes: Any) -> TuneConfig:
    """STARS on NTU-60 in two stages: the one published two-stage configuration (XSub)."""
    return configure(TuneConfig, changes, split="xsub", lr=1e-3, layer_decay=0.45)


def tune_ntu120(**changes: Any) -> TuneConfig:
    """STARS on NTU-120 (XSub and XSet) in two stages."""
    return configure(TuneConfig, changes, split="xsub", lr=1e-3, layer_decay=0.40)


def tune_pku(**changes: Any) -> TuneConfig:
    """STARS on PKU-MMD II in two stages."""
    return configure(TuneConfig, changes, split="xsub", lr=1e-4, layer_decay=0.35)


def tune_small_data(**changes: Any) -> TuneConfig:
    """STARS on a thousand recordings: two augmented views, and neighbours among other people.

    Chosen on 819 open recordings (`benchmarks/open_data`), by k-NN of each of UTD-MHAD's four odd subjects
    among the other three: 1-NN and 10-NN are 73 and 71 % before tuning, 75 and 72 % after. Where subjects are
    not known, set `other_subjects=False`.
    """
    return configure(
        TuneConfig,
        changes,
        epochs=36,
        batch_size=64,
        lr=1e-3,
        layer_decay=0.8,
        queue_size=512,
        topk=5,
        other_subjects=True,
        predictor_hidden_dim=1024,
        two_views=True,
        crop=(0.6, 1.0),
        rotation=0.3,
        mirror=0.5,
        stretch=0.1,
    )


def heads_only(tune: Callable[..., TuneConfig], **changes: Any) -> TuneConfig:
    """The second of STARS's three stages: the heads alone, 20 epochs; its `last` is what `tune` goes on from.

    Recordings are shown as they are, so that each is encoded once for all epochs.

    Args:
        tune: the recipe of the third stage.
        **changes: fields of the configuration.
    """
    plain = {"two_views": False, "crop": (1.0, 1.0), "rotation": 0.0, "mirror": 0.0, "stretch": 0.0}
    return tune(**({"freeze_encoder": True, "epochs": 20} | plain | changes))


def finetune_ntu60(**changes: Any) -> FinetuneConfig:
    """Fine-tuning on NTU-60 (XSub and XView), 100 epochs on all training subjects, without validation.

    Published (accuracy %, XSub / XView): 93.0 / 97.5 from STARS, 93.0 / 97.5 from MAMP.
    """
    return configure(FinetuneConfig, changes, split="xsub", encoder=EncoderConfig(), monitor_every=0)


def finetune_ntu120(**changes: Any) -> FinetuneConfig:
    """Fine-tuning on NTU-120 (XSub and XSet), 100 epochs on all training subjects, without validation.

    Published (accuracy %, XSub / XSet): 89.9 / 91.4 from STARS, 89.8 / 91.5 from MAMP.
    """
    return configure(FinetuneConfig, changes, split="xsub", encoder=_NTU120, monitor_every=0)


def finetune_pku(**changes: Any) -> FinetuneConfig:
    """Fine-tuning on PKU-MMD, 100 epochs on all training subjects, without validation."""
    return configure(FinetuneConfig, changes, split="xsub", encoder=_PKU, monitor_every=0)


def finetune_small_data(**changes: Any) -> FinetuneConfig:
    """Fine-tuning on fifty to a few thousand recordings: small batches, a narrow head, less dropout of paths.

    First values, not tuned ones. A fifth of the subjects, or of each class where subjects are not known,
    choose the model `best`, and end the run once they get no better.
    """
    return configure(
        FinetuneConfig,
        changes,
        encoder=_SMALL,
        hidden_dim=512,
        drop_path_rate=0.1,
        batch_size=16,
        lr=1e-3,
        epochs=30,
        warmup_epochs=2.0,
        patience=8,
        class_weights="balanced",
    )


def from_scratch(finetune: Callable[..., FinetuneConfig], **changes: Any) -> FinetuneConfig:
    """The same training of a new encoder: no layer has learnt anything yet, so all have the same rate.

    Args:
        finetune: the recipe of fine-tuning.
        **changes: fields of the configuration.

    Raises:
        ConfigError: a model is given.
    """
    if changes.get("model"):
        raise ConfigError(f"a new encoder is trained from scratch, got model {changes['model']!r} as well")
    return finetune(**({"layer_decay": 1.0} | changes))


PRETRAIN_RECIPES: dict[str, Callable[..., PretrainConfig]] = {
    "ntu60": pretrain_ntu60,
    "ntu120": pretrain_ntu120,
    "pku": pretrain_pku,
    "small-data": pretrain_small_data,
}
TUNE_RECIPES: dict[str, Callable[..., TuneConfig]] = {
    "ntu60": tune_ntu60,
    "ntu120": tune_ntu120,
    "pku": tune_pku,
    "small-data": tune_small_data,
}
FINETUNE_RECIPES: dict[str, Callable[..., FinetuneConfig]] = {
    "ntu60": finetune_ntu60,
    "ntu120": finetune_ntu120,
    "pku": finetune_pku,
    "small-data": finetune_small_data,
}


def pretrain_recipe(name: str, **changes: Any) -> PretrainConfig:
    """The configuration of a named pretraining.

    Args:
        name: one of `PRETRAIN_RECIPES`.
        **changes: fields of the configuration.

    Raises:
        ConfigError: there is no such recipe, or a value cannot be.
    """
    return _named(PRETRAIN_RECIPES, name)(**changes)


def tune_recipe(name: str, **changes: Any) -> TuneConfig:
    """The configuration of a named tuning.

    Args:
        name: one of `TUNE_RECIPES`, or that with "-heads" for the heads-only stage before it.
        **changes: fields of the configuration.

    Raises:
        ConfigError: there is no such recipe, or a value cannot be.
    """
    if name.endswith("-heads"):
        return heads_only(_named(TUNE_RECIPES, name.removesuffix("-heads")), **changes)
    return _named(TUNE_RECIPES, name)(**changes)


def finetune_recipe(name: str, **changes: Any) -> FinetuneConfig:
    """The configuration of a named fine-tuning.

    Args:
        name: one of `FINETUNE_RECIPES`, or that with "-scratch" to train a new encoder.
        **changes: fields of the configuration, `model` among them.

    Raises:
        ConfigError: there is no such recipe, there is nothing to fine-tune, or a value cannot be.
    """
    if name.endswith("-scratch"):
        return from_scratch(_named(FINETUNE_RECIPES, name.removesuffix("-scratch")), **changes)
    recipe = _named(FINETUNE_RECIPES, name)
    if not changes.get("model"):
        raise ConfigError(
            f"model must name what is fine-tuned; to train a new encoder, take recipe {name}-scratch"
        )
    return recipe(**changes)


def configure(kind: type[_ConfigT], changes: dict[str, Any], **settings: Any) -> _ConfigT:
    """Settings of a run, but for what the caller changes and what makes no sense then.

    Args:
        kind: of the configuration.
        changes: the caller's.
        **settings: what stands where the caller says nothing.

    Raises:
        ConfigError: a value that cannot be.
    """
    if changes.get("model"):
        settings.pop("encoder", None)  # it has one
    if changes.get("monitor_every") == 0:
        settings.pop("patience", None)
    if isinstance(epochs := changes.get("epochs"), int):
        warmup = settings.get("warmup_epochs", kind.warmup_epochs)
        settings["warmup_epochs"] = min(warmup, epochs / 2)
    return kind(**(settings | changes))


def _named(recipes: dict[str, Callable[..., Any]], name: str) -> Callable[..., Any]:
    if name not in recipes:
        raise ConfigError(f"there is no recipe {name!r}; there are {', '.join(recipes)}")
    return recipes[name]
