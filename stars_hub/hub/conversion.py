"""The authors' checkpoint files -> our model folders."""

import hashlib
import os
from pathlib import Path

from stars_hub._version import __version__
from stars_hub.checkpoints import ModelCard, write_model
from stars_hub.errors import CheckpointError
from stars_hub.hub.state import ConvertedModel, convert_state
from stars_hub.hub.untrusted import read_untrusted


def convert_checkpoint(path: str | Path, folder: str | Path, *, num_heads: int | None = None) -> Path:
    """Convert a checkpoint of the authors of MAMP (`.pth`) or of STARS (`.pt`) into a model folder.

    The file is never unpickled: it yields tensors, and nothing in it is executed. Every tensor must be known
    and of the expected shape. Weights are stored as float32. A decoder, or heads and queue, go into
    `objective.safetensors`; heads that came without a queue are stored without one. Which data set the
    weights belong to is in no tensor: `absent_person` and `centering` keep their defaults (NTU-60), and the
    card says what to set for others.

    Args:
        path: the authors' file.
        folder: where the model folder is to be; untouched if anything is wrong.
        num_heads: attention heads, which are in no tensor; 8 at the authors' width of 256 unless given.

    Returns:
        The folder's absolute path.

    Raises:
        CheckpointError: the file cannot be read or trusted, a tensor is unknown, missing, not finite or of
            another shape than expected, or the folder cannot be written.
        ConfigError: `num_heads` is needed and not given, or does not divide the width.
    """
    path = Path(path).expanduser()
    try:
        model = convert_state(read_untrusted(path), num_heads=num_heads)
    except CheckpointError as error:
        raise CheckpointError(f"cannot convert {path}: {error}") from None
    config = model.config.to_dict()
    if model.objective is not None:
        config["objective"] = model.objective
    return write_model(
        folder,
        config=config,
        tensors=model.tensors,
        card=_card(model, path, Path(folder)).render(),
        objective=model.objective_tensors or None,
    )


def _card(model: ConvertedModel, path: Path, folder: Path) -> ModelCard:
    source = model.source
    return ModelCard(
        name=folder.expanduser().resolve().name,
        summary=(
            f"An encoder for 3D skeleton recordings, pretrained by the authors of {source.name}"
            f" ({source.title}, arXiv {source.arxiv}). The weights are theirs: stars-hub {__version__}"
            " converted their checkpoint and changed nothing but names, layout and precision (float32)."
        ),
        license=source.license,
        tags=(source.name.lower(), f"arxiv:{source.arxiv}"),
        config=model.config.to_dict(),
        sections={"Origin": _origin(model, path), "Which data": _DATA},
    )


# Weights of other data sets have the same shapes: only the person who knows the file can tell.
_DATA = """\
The checkpoint does not say which data set it was trained on, and how sequences are prepared depends on it.
`config.json` holds what NTU RGB+D 60 needs. For weights trained on

- NTU RGB+D 120: set `"absent_person": "copy"`. There, the second person of a one-person recording was a copy
  of the first.
- PKU-MMD: set `"centering": "none"`. There, coordinates were left as recorded.
- other joints than Kinect v2's 25: set `"layout"` to the name of theirs."""


def _origin(model: ConvertedModel, path: Path) -> str:
    name = os.fsencode(path.name).decode("utf-8", "replace")
    lines = [
        f"- Authors' file: {name!r}",
        f"- sha256: `{_sha256(path)}`",
        f"- Paper: https://arxiv.org/abs/{model.source.arxiv}",
    ]
    if model.objective is not None:
        settings = dict(model.objective)
        held = "The decoder" if settings.pop("name") == "mamp" else "The heads"
        if "queue_size" in settings:
            held += " and the queue"
        lines.append(
            f"- {held} of its training: `objective.safetensors`. Of the settings in `config.json` under"
            " `objective`, sizes are those of the tensors; the others are in no tensor, and are the paper's"
            " for NTU RGB+D 60."
        )
    return "\n".join(lines)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
