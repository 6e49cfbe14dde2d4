"""What every classifier of recordings can do: predict, be saved as a model folder, be loaded again."""

import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from stars_hub import checkpoints
from stars_hub.errors import CheckpointError, ConfigError
from stars_hub.model.encoder import STARSEncoder
from stars_hub.model.loading import as_device, as_dtype
from stars_hub.model.preparation import Preparation, prepared_batches
from stars_hub.model.sources import Sequences, layout_of, opened
from stars_hub.skeletons.layouts import SkeletonLayout

_ClassifierT = TypeVar("_ClassifierT", bound="SequenceClassifier")


class Guess(NamedTuple):
    """One answer of `predict_topk`.

    Attributes:
        label: name of the class.
        probability: what the classifier gives it, in [0, 1].
    """

    label: str
    probability: float


class SequenceClassifier(ABC):
    """An encoder with something that names classes.

    Attributes:
        kind: what `config.json` calls it.
        encoder: what describes the recordings.
    """

    kind: ClassVar[str]
    encoder: STARSEncoder

    def __init__(self, encoder: STARSEncoder | str | Path) -> None:
        if not isinstance(encoder, STARSEncoder):
            encoder = STARSEncoder.from_pretrained(encoder)
        self.encoder = encoder

    @property
    @abstractmethod
    def label_names(self) -> list[str]:
        """The names of the classes, in the order of `predict_proba`'s columns; empty before there are any."""

    @abstractmethod
    def _scorer(self) -> nn.Module:
        """What maps (N, C, T, V, M) to logits (N, K), the encoder within, on the encoder's device.

        Raises:
            ConfigError: there is nothing to predict with yet.
        """

    @abstractmethod
    def _history(self) -> str:
        """What a card says of how it came to know the classes."""

    def _default_card(self, name: str) -> checkpoints.ModelCard:
        """A plain card that lists the classes.

        Args:
            name: what `from_pretrained` is to be given: a folder's name, or owner/name.
        """
        return checkpoints.classifier_card(
            name,
            config=self.encoder.config.to_dict(),
            class_name=type(self).__name__,
            what=self._history(),
            label_names=self.label_names,
        )

    @abstractmethod
    def _write(self, folder: str | Path, card: "str | checkpoints.ModelCard") -> Path:
        """Write the model folder."""

    def save_pretrained(
        self, folder: str | Path, *, card: "str | checkpoints.ModelCard | None" = None
    ) -> Path:
        """Write encoder and classes as one model folder that `from_pretrained` loads.

        Args:
            folder: appears whole or not at all; an earlier model in it is replaced.
            card: the model card; None: a plain one that lists the classes.

        Raises:
            ConfigError: there are no classes yet.
            CheckpointError: the folder cannot be written.
        """
        return self._write(folder, card or self._default_card(Path(folder).resolve().name))

    @classmethod
    @abstractmethod
    def _from_folder(cls: type[_ClassifierT], folder: Path) -> _ClassifierT:
        """Load what `save_pretrained` wrote, on the CPU, as float32."""

    @classmethod
    def from_pretrained(
        cls: type[_ClassifierT],
        name: str | Path,
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype | None = None,
        num_frames: int | None = None,
        **where: Any,
    ) -> _ClassifierT:
        """Load a classifier, ready to predict.

        Args:
            name: as for `STARSEncoder.from_pretrained`.
            device: where it goes.
            dtype: of the encoder's weights; None: float32.
            num_frames: frames that the encoder is to see, if not as trained.
            where: revision, subfolder, cache_dir, token, local_files_only and force_download, as for
                `STARSEncoder.from_pretrained`.

        Raises:
            CheckpointError: the model cannot be found or read, or is an encoder without classes; the message
                says how to train a classifier on it.
            ConfigError: a device, dtype or number of frames that cannot be.
        """
        device, dtype = as_device(device), as_dtype(dtype)
        kind = saved_kind(name, **where)
        if kind != cls.kind:
            other = f"a classifier of the kind {kind!r}" if kind in KINDS else "an encoder without classes"
            advice = (
                f"load it with {KINDS[kind]}.from_pretrained"
                if kind in KINDS
                else f"give it classes, {cls.__name__}({str(name)!r}).fit(sequences, labels), or run "
                "stars-hub finetune"
            )
            raise CheckpointError(f"{name} holds {other}: {advice}")
        classifier = cls._from_folder(checkpoints.resolve_model(name, objective=True, **where))
        if num_frames is not None:
            classifier.encoder.set_num_frames(num_frames)
        classifier.encoder.to(device=device, dtype=dtype).eval()
        return classifier

    def push_to_hub(
        self, repo_id: str, *, card: "str | checkpoints.ModelCard | None" = None, **how: Any
    ) -> str:
        """Publish the classifier to the Hugging Face Hub; the repository is made if it is not there.

        Args:
            repo_id: "owner/name".
            card: the model card; None: a plain one.
            how: revision, private, token, commit_message and create_pr, as for `STARSEncoder.push_to_hub`.

        Returns:
            The address of the repository or of the pull request.

        Raises:
            CheckpointError: the Hub refuses.
        """
        with tempfile.TemporaryDirectory() as parent:
            folder = self.save_pretrained(Path(parent) / "model", card=card or self._default_card(repo_id))
            return checkpoints.push_folder(folder, repo_id, objective=True, **how)

    @torch.inference_mode()
    def predict_proba(
        self,
        sequences: Sequences,
        *,
        batch_size: int = 64,
        layout: str | SkeletonLayout | None = None,
        units: str = "m",
        up_axis: str | None = None,
        device: str | torch.device | None = None,
        dtype: torch.dtype | None = None,
        progress: bool | None = None,
    ) -> np.ndarray:
        """Give each class of each recording a probability.

        Args:
            sequences: as for `STARSEncoder.encode`: arrays, a store, paths, iterators of them.
            batch_size: sequences at a time.
            layout: joint layout of the recordings; None: that of the store, else the encoder's.
            units: of the coordinates: "m", "cm", "mm" or "pixels".
            up_axis: axis of the recordings that points up; None: that of their layout.
            device: moves the classifier there first; None: where it is.
            dtype: torch.bfloat16 or torch.float16 compute in that precision (autocast).
            progress: show a progress bar; None: if it takes longer than two seconds.

        Returns:
            float32 (N, K), the rows sum to 1; columns in the order of `label_names`.

        Raises:
            ConfigError: there are no classes yet, or a batch size, device or dtype that cannot be.
            SequenceError: a sequence with an impossible shape or values.
            LayoutError: an unknown layout, or another number of joints than it has.
            SkeletonFileError: a file that cannot be read.
        """
        if batch_size < 1:
            raise ConfigError(f"batch_size must be at least 1, got {batch_size}")
        if device is not None:
            self.encoder.to(as_device(device))
        scorer, compute = self._scorer(), as_dtype(dtype)
        sequences = opened(sequences)
        source = layout if layout is not None else layout_of(sequences)
        preparation = Preparation(self.encoder.config, self.encoder.layout, source, units, up_axis)
        batches = prepared_batches(sequences, preparation, batch_size=batch_size, progress=progress)
        was_training = scorer.training
        scorer.eval()
        try:
            found = [self._score_batch(scorer, x, compute).float().softmax(dim=1).cpu() for x in batches]
        finally:
            scorer.train(was_training)
        return torch.cat(found).numpy() if found else np.empty((0, len(self.label_names)), np.float32)

    def predict(self, sequences: Sequences, **how: Any) -> list[str]:
        """Name the class of each recording.

        Args:
            sequences: as for `predict_proba`.
            how: as for `predict_proba`.

        Raises:
            ValueError: as for `predict_proba`.
        """
        return [self.label_names[best] for best in self.predict_proba(sequences, **how).argmax(axis=1)]

    def predict_topk(self, sequences: Sequences, k: int = 5, **how: Any) -> list[list[Guess]]:
        """Name the k likeliest classes of each recording, the likeliest first.

        Args:
            sequences: as for `predict_proba`.
            k: how many; of fewer classes, all.
            how: as for `predict_proba`.

        Returns:
            For each recording pairs (label, probability).

        Raises:
            ConfigError: k is below 1.
            ValueError: as for `predict_proba`.
        """
        if k < 1:
            raise ConfigError(f"k must be at least 1, got {k}")
        return topk(self.predict_proba(sequences, **how), self.label_names, k)

    def _score_batch(self, scorer: nn.Module, x: Tensor, dtype: torch.dtype) -> Tensor:
        weight = self.encoder.pos_embed
        mixed = weight.dtype == torch.float32 and dtype != torch.float32
        with torch.autocast(weight.device.type, dtype=dtype, enabled=mixed):
            logits: Tensor = scorer(x.to(device=weight.device, dtype=weight.dtype))
        return logits


KINDS = {"classification": "STARSClassifier", "prototypes": "PrototypeClassifier"}
"""What can be loaded, by the name that a folder's config.json gives the objective."""


def saved_kind(name: str | Path, **where: Any) -> str | None:
    """The objective that a model was saved with, if any.

    Raises:
        CheckpointError: the model cannot be found or read.
    """
    objective = checkpoints.read_config(checkpoints.resolve_model(name, **where)).get("objective")
    kind = objective.get("name") if isinstance(objective, dict) else None
    return kind if isinstance(kind, str) else None


def topk(probabilities: np.ndarray, label_names: list[str], k: int) -> list[list[Guess]]:
    """Order classes by probability (N, K); of equal ones the first comes first."""
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return [
        [Guess(label_names[place], float(row[place])) for place in places]
        for row, places in zip(probabilities, order, strict=True)
    ]
