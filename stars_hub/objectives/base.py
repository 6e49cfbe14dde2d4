"""What the objectives share: an encoder, settings, and a model folder that holds both and the rest."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from torch import Tensor, nn

from stars_hub import checkpoints
from stars_hub.errors import CheckpointError, ConfigError
from stars_hub.model.encoder import STARSEncoder
from stars_hub.model.network import SkeletonTransformer

_ObjectiveT = TypeVar("_ObjectiveT", bound="Objective")


class Objective(nn.Module):
    """An encoder and what trains it; saved as the encoder's model folder with `objective.safetensors`.

    Args:
        encoder: what is trained, from then on `.encoder`.

    Attributes:
        name: what config.json calls the objective.
        summary: what a plain model card says of an encoder trained on it.
        settings: the keyword arguments it was made with, as config.json holds them.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    settings: dict[str, Any]

    def __init__(self, encoder: SkeletonTransformer) -> None:
        super().__init__()
        self.encoder = encoder

    @classmethod
    def from_pretrained(cls: type[_ObjectiveT], name: str | Path, **settings: Any) -> _ObjectiveT:
        """Load an encoder with its objective, in training mode, to train it further.

        A model that was saved without this objective gives the encoder only: decoder, heads and queue start
        afresh, and those of another objective are left alone.

        Args:
            name: as for `STARSEncoder.from_pretrained`.
            **settings: keyword arguments of the objective, in place of the saved ones.

        Raises:
            CheckpointError: the model cannot be found or read, or its tensors do not fit the settings.
            ConfigError: the objective has no such setting, or a value cannot be.
        """
        known = list(inspect.signature(cls.__init__).parameters)[2:]
        if unknown := [key for key in settings if key not in known]:
            raise ConfigError(
                f"{cls.__name__} has no setting {', '.join(unknown)}; it has {', '.join(known)}"
            )
        folder = checkpoints.resolve_model(name)
        encoder = STARSEncoder.from_pretrained(folder)
        saved = checkpoints.read_config(folder).get("objective")
        if not isinstance(saved, Mapping) or saved.get("name") != cls.name:
            return cls(encoder, **settings).train()
        source = folder / checkpoints.CONFIG_NAME
        if unknown := [key for key in saved if key not in ("name", *known)]:
            raise CheckpointError(f"{source}: the objective {cls.name!r} has no setting {', '.join(unknown)}")
        kept = {key: saved[key] for key in saved if key != "name" and key not in settings}
        try:
            objective = cls(encoder, **kept, **settings)
        except (ConfigError, TypeError) as error:
            if settings:
                raise
            raise CheckpointError(f"{source}: {error}") from error
        folder = checkpoints.resolve_model(name, objective=True)
        tensors = checkpoints.read_tensors(folder / checkpoints.OBJECTIVE_NAME)
        objective._load(tensors, source=folder / checkpoints.OBJECTIVE_NAME)
        return objective.train()

    def save_pretrained(
        self, folder: str | Path, *, card: "str | checkpoints.ModelCard | None" = None
    ) -> Path:
        """Write encoder and objective as a model folder; `STARSEncoder.from_pretrained` loads it as well.

        Args:
            folder: appears whole or not at all; an earlier model in it is replaced.
            card: the model card; None: a plain one.

        Raises:
            CheckpointError: the folder cannot be written, or a tensor is not finite.
        """
        config = self.encoder.config.to_dict()
        card = card or checkpoints.ModelCard(Path(folder).resolve().name, self.summary, config=config)
        layout = getattr(self.encoder, "own_layout", None)
        return checkpoints.write_model(
            folder,
            config={**config, "objective": {"name": self.name, **self.settings}},
            tensors=self.encoder.state_dict(),
            objective=self.objective_state(),
            card=card if isinstance(card, str) else card.render(),
            layout=None if layout is None else layout.to_dict(),
        )

    def objective_state(self) -> dict[str, Tensor]:
        """The tensors that are not the encoder's, by the names of `objective.safetensors`."""
        return {key: value for key, value in self.state_dict().items() if not key.startswith("encoder.")}

    def _load(self, tensors: Mapping[str, Tensor], *, source: Path) -> None:
        """Take the objective's tensors; what the encoder holds is loaded already."""
        encoder = {key: value for key, value in self.state_dict().items() if key.startswith("encoder.")}
        checkpoints.load_strict(self, {**encoder, **tensors}, source=source)
