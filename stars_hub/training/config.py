"""What a training run is made of: frozen, validated dataclasses that travel as a run folder's config.json.

Each field carries a line of help in its metadata; the command line's options are made from it. Fields marked
`free` change nothing in the result, so a run may be resumed with other values of them.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from stars_hub.errors import ConfigError
from stars_hub.model.config import EncoderConfig
from stars_hub.training.fields import check_bounds, checked, option

_ConfigT = TypeVar("_ConfigT", bound="TrainConfig")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """What all training runs have in common; the classes made of it say what a stage adds.

    Raises:
        ConfigError: a value that cannot be.
    """

    data: tuple[str, ...] = option((), "Skeleton stores to train on, joined if there are several.", free=True)
    output: str = option("", "Run folder; a run that was interrupted there is resumed.", free=True)
    split: str | None = option(None, "A split that the store declares: its training part is used.")
    subjects: tuple[str, ...] = option((), "Use only the recordings of these subjects.")

    epochs: int = option(1, "Passes over the data.", least=1)
    batch_size: int = option(128, "Samples of an optimizer step, over all processes.", least=1)
    micro_batch_size: int | None = option(
        None, "Samples that a process handles at a time, to save memory; the result stays.", least=1
    )
    drop_last: bool = option(True, "Leave out the last, incomplete batch of an epoch.")
    lr: float = option(1e-3, "Highest learning rate.")
    min_lr: float | None = option(None, "Learning rate at the end of the cosine; none: constant.")
    warmup_epochs: float = option(0.0, "Epochs of linear warm-up.", least=0)
    layer_decay: float = option(1.0, "Factor of the learning rate from one block down to the next.", above=0)
    weight_decay: float = option(0.05, "Decoupled weight decay.", least=0)
    exempt: Literal["vectors", "none"] = option(
        "vectors", "What is not decayed: vectors (1-D parameters and biases) or none."
    )
    beta1: float = option(0.9, "AdamW's decay of the mean gradient.", least=0, below=1)
    beta2: float = option(0.95, "AdamW's decay of the mean squared gradient.", least=0, below=1)
    clip: Literal["none", "each", "global"] = option(
        "none", "Clip the gradient of each parameter on its own, of all together, or not."
    )
    clip_norm: float = option(3.0, "Norm to which gradients are clipped.")

    crop: tuple[float, float] = option(
        (1.0, 1.0), "Part of the frames taken at random, low to high; if equal, the part in the middle."
    )
    rotation: float = option(0.0, "Largest random rotation about each axis, in radians.", least=0)
    mirror: float = option(0.0, "Probability of showing a sample in a mirror.", least=0)
    stretch: float = option(0.0, "Largest random relative change of size along each axis.", least=0)

    seed: int = option(0, "Of everything random.", least=0)
    precision: Literal["float32", "bfloat16", "float16", "float64"] = option(
        "float32", "Of the computation; weights, losses and optimizer stay in float32 (float64)."
    )
    device: str | None = option(None, "Such as cuda or cpu; a GPU if there is one, if not given.")
    compile: bool = option(False, "Compile the blocks with torch.compile.")
    grad_checkpointing: bool = option(False, "Trade time for memory: recompute activations.")
    ema_decay: float = option(
        0.0, "Save and monitor a moving average of the weights, if above 0.", least=0, below=1
    )

    monitor_every: int = option(1, "Epochs between looks at k-NN accuracy; 0: never.", least=0)
    patience: int = option(0, "Stop after so many epochs without a better look; 0: never.", least=0)
    monitor_data: tuple[str, ...] = option((), "Labelled stores to monitor on; those of data, if not given.")
    monitor_fraction: float = option(
        0.2, "Part of the training subjects that monitoring asks about.", above=0, below=1
    )
    monitor_subjects: tuple[str, ...] = option((), "These subjects instead of a part drawn by the seed.")
    monitor_held_out: bool = option(False, "Do not train on the subjects that monitoring asks about.")

    checkpoint_minutes: float = option(10.0, "Minutes between checkpoints within an epoch.", free=True)
    checkpoint_steps: int = option(0, "Steps between checkpoints within an epoch; 0: none.", free=True)
    tensorboard: bool = option(False, "Write TensorBoard's files as well.", free=True)
    progress: bool | None = option(None, "Show a progress bar; on a terminal, if not given.", free=True)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = checked(field.name, getattr(self, field.name), field.type)
            object.__setattr__(self, field.name, value)
            if value is not None:
                check_bounds(field.name, value, **field.metadata["bounds"])
        low, high = self.crop
        if not 0 < low <= high <= 1:
            raise ConfigError(f"crop must be 0 < low <= high <= 1, got {low} and {high}")
        if not self.lr > 0 or (self.min_lr is not None and not 0 <= self.min_lr <= self.lr):
            raise ConfigError(f"expected 0 <= min_lr <= lr and lr > 0, got {self.min_lr} and {self.lr}")
        if self.warmup_epochs > self.epochs:
            raise ConfigError(f"warmup_epochs must be at most epochs, got {self.warmup_epochs}")
        if self.clip != "none" and not self.clip_norm > 0:
            raise ConfigError(f"clip_norm must be above 0, got {self.clip_norm}")
        if self.patience and not self.monitor_every:
            raise ConfigError("patience needs looks at the accuracy: monitor_every must be above 0")

    @property
    def augments(self) -> bool:
        """Whether a sample looks different from one time to the next."""
        low, high = self.crop
        return low < high or bool(self.rotation or self.mirror or self.stretch)

    def to_dict(self) -> dict[str, Any]:
        """The fields, the encoder's among them as a dictionary of their own, ready for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls: type[_ConfigT], values: Mapping[str, Any]) -> _ConfigT:
        """The inverse of `to_dict`.

        Raises:
            ConfigError: an unknown field, or a value that cannot be.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := [name for name in values if name not in known]:
            raise ConfigError(f"{cls.__name__} has no field {', '.join(unknown)}")
        given = dict(values)
        if "encoder" in given and isinstance(given["encoder"], Mapping):
            given["encoder"] = EncoderConfig.from_dict(given["encoder"])
        return cls(**given)


@dataclass(frozen=True, kw_only=True)
class PretrainConfig(TrainConfig):
    """Stage 1, masked motion prediction; the defaults are MAMP's for NTU-60.

    Reference: MAMP (arXiv 2308.07092) section 4.2.
    """

    encoder: EncoderConfig | None = option(None, "Size of a new encoder; the paper's, if not given.")  # noqa: RUF009
    model: str | None = option(None, "Continue from this model instead of a new encoder.")
    decoder_depth: int = option(3, "Blocks of the decoder: 3 for NTU-60, 5 for NTU-120 and PKU-MMD.", least=1)
    mask_ratio: float = option(0.9, "Part of the tokens that the encoder does not see.")
    motion_stride: int = option(1, "Frames over which motion is taken.", least=1)
    motion_aware_tau: float = option(0.8, "Temperature of motion-aware masking; 0: random masking.", least=0)
    target: Literal["motion", "position"] = option("motion", "What is predicted.")
    skip_absent_persons: bool = option(False, "Leave persons who are not there out of the loss; faster.")

    epochs: int = option(400, "Passes over the data.", least=1)
    min_lr: float | None = option(5e-4, "Learning rate at the end of the cosine; none: constant.")
    warmup_epochs: float = option(20.0, "Epochs of linear warm-up.", least=0)
    crop: tuple[float, float] = option(
        (0.5, 1.0), "Part of the frames taken at random, low to high; if equal, the part in the middle."
    )
    rotation: float = option(0.3, "Largest random rotation about each axis, in radians.", least=0)
    # A look encodes every token where pretraining encodes a tenth of them: too dear for every epoch.
    monitor_every: int = option(10, "Epochs between looks at k-NN accuracy; 0: never.", least=0)


@dataclass(frozen=True, kw_only=True)
class TuneConfig(TrainConfig):
    """Stage 2, nearest-neighbour contrastive tuning; the defaults are STARS's for NTU-60 (two stages).

    STARS-3stage is two runs: `freeze_encoder=True` for 20 epochs, then one from that run's `last`.

    Reference: STARS (arXiv 2407.10935) section 4.2.
    """

    model: str = option("", "Model to tune: a folder, such as a run's last, a Hub id or a bundled name.")
    freeze_encoder: bool = option(False, "Train the heads only.")
    trainable_blocks: int | None = option(
        None, "Blocks that are trained, from the top; the upper half, if not given.", least=0
    )
    predictor_hidden_dim: int = option(4096, "Hidden width of the predictor.", least=1)
    queue_size: int = option(32768, "Features among which neighbours are looked for.", least=1)
    temperature: float = option(0.07, "Divides the similarities of the loss.", above=0)
    two_views: bool = option(
        False, "Contrast two differently cropped, turned, mirrored and stretched views of each sample."
    )
    topk: int = option(0, "Take one of so many nearest neighbours at random; 0: the nearest.", least=0)
    other_subjects: bool = option(
        False, "Look for neighbours among other subjects: takes by one person are each other's nearest."
    )

    epochs: int = option(10, "Passes over the data.", least=1)
    batch_size: int = option(128, "Samples of an optimizer step, over all processes.", least=2)
    layer_decay: float = option(0.45, "Factor of the learning rate from one block down to the next.", above=0)
    weight_decay: float = option(0.01, "Decoupled weight decay.", least=0)
    exempt: Literal["vectors", "none"] = option(
        "none", "What is not decayed: vectors (1-D parameters and biases) or none."
    )
    clip: Literal["none", "each", "global"] = option(
        "each", "Clip the gradient of each parameter on its own, of all together, or not."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.model:
            raise ConfigError(
                "model must name what is to be tuned: a pretraining run's folder last, or a model"
            )
        if self.two_views and not self.augments:
            raise ConfigError("two_views are two of the same: set crop, rotation, mirror or stretch")


@dataclass(frozen=True, kw_only=True)
class FinetuneConfig(TrainConfig):
    """Training for classification, with labels; the defaults are the paper's.

    The recordings of some subjects are kept out of training, to choose the epoch whose model is `best`
    (`monitor_subjects`, or the part `monitor_fraction` of all subjects, but nobody who alone shows a class;
    all of `monitor_data`, if given); with `monitor_every=0` all are trained on, as in the paper.

    Reference: MAMP (arXiv 2308.07092) section 4.3; STARS (arXiv 2407.10935) section 4.3.
    """

    model: str = option("", "Model to fine-tune: a folder, a Hub id or a bundled name; none: from scratch.")
    encoder: EncoderConfig | None = option(None, "Size of a new encoder; the paper's, if not given.")  # noqa: RUF009
    head: Literal["joints", "linear"] = option("joints", "Keep the joints apart, or take the pooled feature.")
    hidden_dim: int = option(2048, "Width within the head of joints.", least=1)
    head_drop_rate: float = option(
        0.3, "Dropout of the tokens that the head of joints sees.", least=0, below=1
    )
    drop_path_rate: float = option(
        0.3, "Stochastic depth of the last block, from 0 at the first.", least=0, below=1
    )
    label_smoothing: float = option(
        0.1, "Share of the target that is spread over all classes.", least=0, below=1
    )
    class_weights: Literal["none", "balanced"] = option(
        "none", "balanced: every class counts as much, however many recordings it has."
    )
    trainable_blocks: int | None = option(
        None,
        "Blocks that are trained, from the top; 0: the head alone; all of the encoder, if not given.",
        least=0,
    )
    fraction: float = option(1.0, "Part of the labelled recordings to train on, by class: semi-supervised.")
    subset_seed: int = option(0, "Of the choice of this part.", least=0)

    epochs: int = option(100, "Passes over the data.", least=1)
    batch_size: int = option(48, "Samples of an optimizer step, over all processes.", least=2)
    lr: float = option(3e-4, "Highest learning rate.")
    min_lr: float | None = option(1e-5, "Learning rate at the end of the cosine; none: constant.")
    warmup_epochs: float = option(5.0, "Epochs of linear warm-up.", least=0)
    layer_decay: float = option(0.8, "Factor of the learning rate from one block down to the next.", above=0)
    beta2: float = option(0.999, "AdamW's decay of the mean squared gradient.", least=0, below=1)
    crop: tuple[float, float] = option(
        (0.5, 1.0), "Part of the frames taken at random, low to high; if equal, the part in the middle."
    )
    rotation: float = option(0.3, "Largest random rotation about each axis, in radians.", least=0)
    monitor_every: int = option(1, "Epochs between looks at validation accuracy; 0: never.", least=0)
    monitor_held_out: bool = option(True, "Do not train on the recordings that validation asks about.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.fraction <= 1:
            raise ConfigError(f"fraction must lie in (0, 1], got {self.fraction}")
        if not self.monitor_held_out:
            raise ConfigError(
                "accuracy on what was trained on chooses no model: keep monitor_held_out, or train on all "
                "recordings without validation, monitor_every=0"
            )


def differing_fields(config: TrainConfig, saved: Mapping[str, Any]) -> list[str]:
    """The fields, but for `free` ones, in which a saved configuration is another; each as one phrase."""
    now = _plain(config.to_dict())
    # A run of an earlier version lacks fields that came later: it ran as their defaults do.
    then = {field.name: saved.get(field.name, _plain(field.default)) for field in dataclasses.fields(config)}
    return [
        f"{field.name} (there {then[field.name]!r}, here {now[field.name]!r})"
        for field in dataclasses.fields(config)
        if not field.metadata["free"] and now[field.name] != then[field.name]
    ]


def _plain(value: Any) -> Any:
    """As JSON gives it back: tuples are lists."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value
