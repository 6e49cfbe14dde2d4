"""Publishing from the command line: what is checked first, what a dry run says, and what arrives."""

import json
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file, save_file

from stars_hub import MAMP, EncoderConfig, STARSEncoder
from stars_hub.checkpoints import ModelCard
from stars_hub.classifiers import PrototypeClassifier
from stars_hub.cli import main
from stars_hub.errors import CheckpointError
from stars_hub.hub.publishing import prepare_upload
from stars_hub.objectives import Classification
from tests.checkpoints.hub_server import HubServer
from tests.motions import drifting

CONFIG = EncoderConfig(num_frames=8, embed_dim=16, depth=1, num_heads=2)
CARD = ModelCard("owner/model", "Made of thin air.", license="mit", tags=["tiny"], datasets=["made-up"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound model with its objective."""
    torch.manual_seed(0)
    return MAMP(STARSEncoder(CONFIG), decoder_depth=1).save_pretrained(tmp_path / "model", card=CARD)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a connection fails."""

    def refuse(*_: object) -> None:
        raise AssertionError("something was contacted")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["push", *map(str, arguments)])


@pytest.mark.usefixtures("alone")
def test_a_dry_run_tells_all_and_contacts_nothing(folder: Path) -> None:
    result = run(folder, "owner/model", "--dry-run", "--private", "--revision", "v2")
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    sizes = {
        name: (folder / name).stat().st_size for name in ("config.json", "model.safetensors", "README.md")
    }
    for name, size in [*sizes.items(), ("total", sum(sizes.values()))]:
        assert re.search(rf"^  {name} +{size:,} bytes$", result.output, re.MULTILINE)
    assert "objective.safetensors" not in result.output
    for expected in (
        f"folder      {folder}",
        "repository  owner/model, if new: private",
        "revision    v2",
        "license     mit",
        "tags        skeleton, action-recognition, self-supervised, stars, tiny",
        "data sets   made-up",
        "  Made of thin air.",
    ):
        assert expected in result.output.splitlines()
    assert "remark" not in result.output


@pytest.mark.usefixtures("alone")
def test_a_dry_run_remarks_on_what_may_not_be_meant(tmp_path: Path) -> None:
    folder = STARSEncoder(CONFIG).save_pretrained(tmp_path / "mine")
    output = run(folder, "owner/model", "--dry-run", "--create-pr").output
    assert "revision    main, as a pull request" in output
    assert "remark: the card states no license" in output
    assert 'remark: the card does not say from_pretrained("owner/model")' in output


def test_what_is_pushed_loads_from_the_hub(
    folder: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub.writers.add("right")
    monkeypatch.setenv("HF_TOKEN", "right")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_IMPLICIT_TOKEN", False)
    result = run(folder, "owner/model", "--commit-message", "First")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.strip() == f"{hub.endpoint}/owner/model"
    assert result.stderr == ""
    ours = STARSEncoder.from_pretrained(folder).state_dict()
    theirs = STARSEncoder.from_pretrained("owner/model", cache_dir=tmp_path / "cache").state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_refusal_is_one_line(folder: Path, hub: HubServer) -> None:
    result = run(folder, "owner/model")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "not pushed: owner/model: the Hub refuses access (403)" in result.stderr


def test_a_classifier_goes_up_with_what_it_learned(tmp_path: Path) -> None:
    encoder = STARSEncoder(CONFIG)
    trained = Classification(encoder, label_names=["a", "b"], head="linear")
    compared = PrototypeClassifier(encoder).fit([drifting(9, seed=0), drifting(9, seed=1)], ["a", "b"])
    for name, classifier in (("trained", trained), ("compared", compared)):
        folder = classifier.save_pretrained(tmp_path / name, card=CARD)
        assert "objective.safetensors" in prepare_upload(folder, "owner/model").sizes
        (folder / "objective.safetensors").unlink()
        with pytest.raises(CheckpointError, match="No such file"):
            prepare_upload(folder, "owner/model")


def test_the_objective_goes_up_when_asked_for(folder: Path) -> None:
    assert "objective.safetensors" not in prepare_upload(folder, "owner/model").sizes
    assert "objective.safetensors" in prepare_upload(folder, "owner/model", objective=True).sizes


def weights(change: Callable[[dict[str, torch.Tensor]], object], **metadata: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors", metadata=metadata or {"format": "pt"})

    return spoil


def card(text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / "README.md").write_text(text)


def settings(**changes: object) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | changes))

    return spoil


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["push", "dry-run"])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (weights(lambda tensors: tensors.pop("norm.weight")), "missing: norm.weight"),
        (weights(lambda tensors: tensors.update(extra=torch.ones(1))), "unexpected: extra"),
        (weights(lambda tensors: tensors["norm.bias"].fill_(float("nan"))), "'norm.bias' holds NaN"),
        (weights(lambda tensors: None, format="np"), "lacks the mark {'format': 'pt'}"),
        (settings(depth=2), "2 blocks, of which there are 1"),
        (lambda folder: (folder / "README.md").unlink(), "holds no model card (README.md)"),
        (card("# Mine"), "library_name in its metadata should be 'stars-hub', not None"),
        (card("---\ntags: [a\n---\n# Mine"), "the Hub cannot read its metadata"),
        (lambda folder: (folder / "model.safetensors").unlink(), "No such file"),
    ],
)  # fmt: skip
def test_an_unsound_folder_is_one_line_and_stays_here(
    folder: Path, spoil: Callable[[Path], None], message: str, dry: list[str]
) -> None:
    spoil(folder)
    result = run(folder, "owner/model", *dry)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert message in result.stderr


@pytest.mark.usefixtures("alone")
def test_an_objective_must_load_too(folder: Path) -> None:
    tensors = load_file(folder / "objective.safetensors")
    save_file(tensors | {"extra": torch.ones(1)}, folder / "objective.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"does not fit MAMP: unexpected: extra"):
        prepare_upload(folder, "owner/model", objective=True)
    settings(objective={"name": "alchemy"})(folder)
    with pytest.raises(CheckpointError, match="the objective is 'alchemy', expected one of mamp, nnclr"):
        prepare_upload(folder, "owner/model", objective=True)


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("name", ["a/b/c", "", "owner/", "with space"])
def test_an_impossible_name(folder: Path, name: str) -> None:
    with pytest.raises(CheckpointError, match="is no repository id of the form owner/name"):
        prepare_upload(folder, name)


@pytest.mark.usefixtures("alone")
def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no folder"):
        prepare_upload(tmp_path / "absent", "owner/model")
