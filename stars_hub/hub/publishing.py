"""A model folder before it is published: checked as far as that goes without the Hub, and told in words."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stars_hub import checkpoints
from stars_hub.checkpoints.push import upload_names
from stars_hub.classifiers import PrototypeClassifier, STARSClassifier
from stars_hub.errors import CheckpointError
from stars_hub.model.encoder import STARSEncoder
from stars_hub.objectives import MAMP, NNCLR

if TYPE_CHECKING:
    from huggingface_hub import ModelCardData

_CLASSIFIERS = {kind.kind: kind for kind in (STARSClassifier, PrototypeClassifier)}
_OBJECTIVES: dict[str, Any] = {MAMP.name: MAMP, NNCLR.name: NNCLR, **_CLASSIFIERS}
_CARD_LINES = 6


@dataclass(frozen=True)
class Upload:
    """A sound model folder, and where it is to go.

    Attributes:
        folder: the model folder.
        repo_id: `owner/name`, or `name` in the account of the token.
        objective: whether `objective.safetensors` goes up too.
        sizes: bytes of each file that goes up.
        metadata: what the card tells the Hub.
        card: the card's text below the metadata.
    """

    folder: Path
    repo_id: str
    objective: bool
    sizes: Mapping[str, int]
    metadata: "ModelCardData"
    card: str

    @property
    def remarks(self) -> list[str]:
        """What is no error, but may not be meant."""
        remarks = []
        if not self.metadata.license:
            remarks.append("the card states no license: nobody but you may pass the weights on")
        if f'"{self.repo_id}"' not in self.card:
            remarks.append(f'the card does not say from_pretrained("{self.repo_id}")')
        return remarks

    def describe(
        self, *, revision: str | None = None, private: bool | None = None, create_pr: bool = False
    ) -> str:
        """Say what would be uploaded where; the arguments are those of `checkpoints.push_folder`."""
        visibility = {True: "private", False: "public", None: "the account's default"}[private]
        rows = [
            ("folder", str(self.folder)),
            ("repository", f"{self.repo_id}, if new: {visibility}"),
            ("revision", f"{revision or 'main'}{', as a pull request' if create_pr else ''}"),
            ("license", str(self.metadata.license or "none stated")),
            ("tags", _listed(self.metadata.tags) or "none"),
            ("data sets", _listed(self.metadata.datasets) or "none named"),
        ]
        files = [*((f"  {name}", f"{size:>13,} bytes") for name, size in self.sizes.items())]
        files.append(("  total", f"{sum(self.sizes.values()):>13,} bytes"))
        card = [line for line in self.card.splitlines() if line.strip()][:_CARD_LINES]
        parts = [
            _aligned(rows),
            "files\n" + _aligned(files),
            "\n".join(["card", *(f"  {line}" for line in card)]),
        ]
        return "\n\n".join(parts + [f"remark: {remark}" for remark in self.remarks])


def prepare_upload(folder: str | Path, repo_id: str, *, objective: bool = False) -> Upload:
    """Check a model folder as a stranger will use it: load it strictly, and read its card as the Hub does.

    Nothing is contacted.

    Args:
        folder: the model folder.
        repo_id: `owner/name`, or `name` in the account of the token.
        objective: upload the objective's tensors too; those of a classifier, its head or its
            examples, always go.

    Raises:
        CheckpointError: a file is missing or damaged, a tensor is unknown, missing, of another shape or not
            finite, the weights bear no mark of their format, there is no card or none that the Hub can read,
            or the repository cannot have this name.
    """
    _check_repo_id(repo_id)
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise CheckpointError(f"there is no folder {folder}: give the model folder to publish")
    settings = checkpoints.read_config(folder).get("objective")
    kind = str(settings.get("name")) if isinstance(settings, Mapping) else ""
    objective = objective or kind in _CLASSIFIERS
    names = upload_names(folder, objective=objective)
    STARSEncoder.from_pretrained(folder)
    if objective and kind not in _OBJECTIVES:
        raise CheckpointError(
            f"{folder}: the objective is {kind!r}, expected one of {', '.join(_OBJECTIVES)}"
        )
    if objective:
        _OBJECTIVES[kind].from_pretrained(folder)
    for name in names:
        if name.endswith(".safetensors"):
            _check_format(folder / name)
    metadata, card = _read_card(folder / checkpoints.CARD_NAME)
    sizes = {name: (folder / name).stat().st_size for name in names}
    return Upload(folder.resolve(), repo_id, objective, sizes, metadata, card)


def _check_repo_id(repo_id: str) -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise CheckpointError(f"{repo_id!r} is no repository id of the form owner/name") from error


def _check_format(path: Path) -> None:
    """Other readers of safetensors, transformers among them, refuse files without this mark."""
    with path.open("rb") as file:
        header: dict[str, Any] = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    if header.get("__metadata__", {}).get("format") != "pt":
        raise CheckpointError(f"{path} lacks the mark {{'format': 'pt'}}: write it with save_pretrained")


def _read_card(path: Path) -> "tuple[ModelCardData, str]":
    """The metadata and the text of a card, by the Hub's own parser."""
    from huggingface_hub import ModelCard

    if not path.is_file():
        raise CheckpointError(f"{path.parent} holds no model card ({path.name}): say whose weights they are")
    try:
        card = ModelCard.load(path)
    except Exception as error:  # the parser passes on the errors of YAML and its own
        raise CheckpointError(f"{path}: the Hub cannot read its metadata: {error}") from error
    if card.data.library_name != "stars-hub":
        raise CheckpointError(
            f"{path}: library_name in its metadata should be 'stars-hub', not {card.data.library_name!r}"
        )
    return card.data, card.text


def _listed(names: str | list[str] | None) -> str:
    """The Hub takes one name for a list of one."""
    return names if isinstance(names, str) else ", ".join(names or [])


def _aligned(rows: list[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)
