"""Names of models: a path goes before a repository, and what is wrong is said."""

from pathlib import Path

import numpy as np
import pytest

from stars_hub.checkpoints import list_models, resolve, resolve_model
from stars_hub.errors import CheckpointError
from stars_hub.model.encoder import STARSEncoder
from tests.motions import drifting


@pytest.fixture
def bundle(model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bundled"
    folder.mkdir()
    model_folder.rename(folder / "stars-ntu60")
    (folder / "leftover").mkdir()
    monkeypatch.setattr(resolve, "BUNDLED", folder)
    return folder


def test_a_folder_as_path_and_as_text(model_folder: Path) -> None:
    assert resolve_model(model_folder) == model_folder
    assert resolve_model(str(model_folder)) == model_folder
    assert resolve_model(str(model_folder) + "/") == model_folder
    assert resolve_model(model_folder.parent, subfolder="model") == model_folder


def test_a_folder_goes_before_a_repository_and_a_bundled_name(
    model_folder: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bundle.parent)
    assert resolve_model("bundled/stars-ntu60") == Path("bundled/stars-ntu60")  # never asked on the Hub
    monkeypatch.chdir(bundle)
    assert resolve_model("stars-ntu60") == Path("stars-ntu60")


def test_home_is_expanded(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(model_folder.parent))
    assert resolve_model("~/model") == model_folder


@pytest.mark.parametrize(
    "name", ["./no", "../no/model", "/no/model", "~/no", "a\\b", "a/b/c", "no/", Path("a/b")]
)
def test_what_looks_like_a_path_is_one(name: str | Path) -> None:
    with pytest.raises(CheckpointError, match="there is no folder"):
        resolve_model(name)


@pytest.mark.parametrize("name", ["", "  "])
def test_an_empty_name(name: str) -> None:
    with pytest.raises(CheckpointError, match="empty"):
        resolve_model(name)


def test_a_url_is_explained() -> None:
    with pytest.raises(CheckpointError, match="is a URL: give a repository as owner/name"):
        resolve_model("https://huggingface.co/owner/model")


def test_a_file_is_not_a_folder(model_folder: Path) -> None:
    with pytest.raises(CheckpointError, match=r"config\.json is a file: give the model folder"):
        resolve_model(model_folder / "config.json")
    (model_folder / "stars.pt").touch()
    with pytest.raises(CheckpointError, match="stars-hub convert"):
        resolve_model(model_folder / "stars.pt")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_folder_that_is_no_model(model_folder: Path, name: str) -> None:
    (model_folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"no model: it holds no {name}"):
        resolve_model(model_folder)


def test_a_folder_without_its_objective(model_folder: Path) -> None:
    assert resolve_model(model_folder, objective=True) == model_folder
    (model_folder / "objective.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"saved without objective\.safetensors"):
        resolve_model(model_folder, objective=True)


def test_a_folder_has_no_revision(model_folder: Path) -> None:
    with pytest.raises(CheckpointError, match="revision='main' is for repositories on the Hub"):
        resolve_model(model_folder, revision="main")


@pytest.mark.parametrize("subfolder", ["", "..", "a/../../b", "/etc", "a\\b"])
def test_a_subfolder_stays_inside(model_folder: Path, subfolder: str) -> None:
    with pytest.raises(CheckpointError, match="relative path inside the model"):
        resolve_model(model_folder, subfolder=subfolder)


def test_a_subfolder_that_is_not_there(model_folder: Path) -> None:
    with pytest.raises(CheckpointError, match=r"there is no folder .*nowhere"):
        resolve_model(model_folder, subfolder="nowhere")


def test_list_models(bundle: Path) -> None:
    assert list_models() == ["stars-ntu60"]
    assert resolve_model("stars-ntu60") == bundle / "stars-ntu60"


def test_an_unknown_bundled_name(bundle: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"\(bundled: stars-ntu60\); the closest name is 'stars-ntu60'\. A"
    ):
        resolve_model("stars-ntu6")
    with pytest.raises(CheckpointError, match=r"\(bundled: stars-ntu60\)\. A repository"):
        resolve_model("something else")


def test_the_bundled_models_are_there_and_load() -> None:
    assert list_models() == ["stars-mini", "stars-mini-mamp"]
    motion, features = [drifting(20)], []
    for name in list_models():
        assert name in (resolve_model(name) / "README.md").read_text(encoding="utf-8")
        features.append(STARSEncoder.from_pretrained(name).encode(motion, progress=False))
        assert features[-1].shape == (1, 128)
        assert np.isfinite(features[-1]).all()
    assert not np.allclose(*features)


def test_two_revisions_and_none() -> None:
    with pytest.raises(CheckpointError, match="name two revisions"):
        resolve_model("owner/model@v1", revision="v2")
    with pytest.raises(CheckpointError, match="ends in @ without a revision"):
        resolve_model("owner/model@")
