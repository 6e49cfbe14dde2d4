"""Model folders: written whole or not at all, read with suspicion."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import stars_hub
from stars_hub.checkpoints import read_config, read_tensors, write_model
from stars_hub.errors import CheckpointError

ALL = {"README.md", "config.json", "layout.json", "model.safetensors", "objective.safetensors"}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write(folder: Path, value: float = 1.0, **settings: Any) -> Path:
    settings = {
        "config": {"embed_dim": 8},
        "tensors": {"w": torch.full((4,), value)},
        "card": "# Card\n",
    } | settings
    return write_model(folder, **settings)


def test_a_whole_folder(model_folder: Path, tensors: dict[str, torch.Tensor]) -> None:
    assert {path.name for path in model_folder.iterdir()} == ALL
    read = read_tensors(model_folder / "model.safetensors")
    assert read.keys() == tensors.keys()
    assert all(torch.equal(read[name], value) for name, value in tensors.items())
    assert json.loads((model_folder / "layout.json").read_text()) == {"name": "mine"}


def test_the_config_is_readable_and_stable(tmp_path: Path) -> None:
    config = {"z": 1, "a": [1, 2], "label_names": ["sit", "stünd"], "library_version": "0.0.1"}
    text = (write(tmp_path / "m", config=config) / "config.json").read_text(encoding="utf-8")
    assert text.startswith(
        '{\n  "format_version": 1,\n  "model_type": "stars",\n'
        f'  "library_version": "{stars_hub.__version__}",\n  "z": 1,\n'
    )
    assert text.endswith("}\n")
    assert "stünd" in text
    read = read_config(tmp_path / "m")
    assert list(read) == ["format_version", "model_type", "library_version", "z", "a", "label_names"]
    assert (write(tmp_path / "n", config=read) / "config.json").read_text(encoding="utf-8") == text


def test_parents_are_made_and_nothing_else(tmp_path: Path) -> None:
    folder = write(tmp_path / "a" / "b" / "model")
    assert folder == tmp_path / "a" / "b" / "model"
    assert os.listdir(folder.parent) == ["model"]
    assert {path.name for path in folder.iterdir()} == {"README.md", "config.json", "model.safetensors"}


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        folder = write(tmp_path / "m")
    finally:
        os.umask(old)
    assert folder.stat().st_mode & 0o777 == 0o755
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    assert read_config(write(tmp_path / "m"))["embed_dim"] == 8
    assert os.listdir(tmp_path) == ["m"]


def test_an_existing_model_is_replaced_and_the_rest_stays(model_folder: Path) -> None:
    (model_folder / "notes.txt").write_text("mine")
    write(model_folder, 2.0)
    assert set(os.listdir(model_folder)) == {"README.md", "config.json", "model.safetensors", "notes.txt"}
    assert read_tensors(model_folder / "model.safetensors")["w"][0] == 2.0
    assert "objective" not in read_config(model_folder)


def test_another_programs_files_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("my project")
    with pytest.raises(CheckpointError, match=r"no model folder, yet holds README\.md"):
        write(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(CheckpointError, match=r"holds README\.md, config\.json"):
        write(tmp_path)
    assert contents(tmp_path) == {"README.md": b"my project", "config.json": b'{"model_type": "bert"}'}


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "m").write_text("x")
    with pytest.raises(CheckpointError, match="m is a file"):
        write(tmp_path / "m")
    with pytest.raises(CheckpointError, match="cannot write"):
        write(tmp_path / "m" / "below")
    assert contents(tmp_path) == {"m": b"x"}


class Saboteur:
    """Lets the n-th of the calls that write to the file system fail; cleaning up is left alone."""

    def __init__(self, step: int, error: BaseException) -> None:
        self.left, self.error = step, error

    def install(self, patch: pytest.MonkeyPatch) -> None:
        for name in ("open", "replace", "rename", "fsync", "mkdir", "link"):
            patch.setattr(os, name, self.wrapped(getattr(os, name)))
        rmtree = shutil.rmtree

        def undisturbed(*args: Any, **kwargs: Any) -> None:
            patch.undo()
            rmtree(*args, **kwargs)

        patch.setattr(shutil, "rmtree", undisturbed)

    def wrapped(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                raise self.error
            return real(*args, **kwargs)

        return call


@pytest.mark.parametrize("error", [OSError(28, "No space left"), KeyboardInterrupt()], ids=["full", "stop"])
@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("step", range(1, 18))
def test_a_failure_at_any_step_leaves_the_old_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, existing: bool, error: BaseException
) -> None:
    folder = tmp_path / "place" / "m"
    folder.parent.mkdir()
    if existing:
        objective = {"config": {"objective": {"name": "mamp"}}, "objective": {"o": torch.ones(2)}}
        write(folder, 1.0, layout={"name": "old"}, **objective)
    before, after = contents(folder), contents(write(tmp_path / "other", 2.0))
    saboteur = Saboteur(step, error)
    with monkeypatch.context() as patch:
        saboteur.install(patch)
        try:
            write(folder, 2.0)
        except (CheckpointError, KeyboardInterrupt):
            # A new folder is complete once it has its name; making the name durable may still be stopped.
            assert contents(folder) == before or (not existing and contents(folder) == after)
        else:
            assert contents(folder) == after
    assert saboteur.left <= 0 or step > 10
    assert not list(tmp_path.rglob(".stars-hub.*"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"config": {"x": float("nan")}}, "config cannot be written as JSON"),
        ({"config": {"x": Path()}}, "config cannot be written as JSON"),
        ({"config": {"model_type": "bert"}}, "model_type is 'bert'"),
        ({"config": {"label_names": "sit"}}, "label_names should be a list of names"),
        ({"config": {"label_names": ["sit", ""]}}, "label_names should be a list of names"),
        ({"config": {"label_names": ["sit", "sit"]}}, "holds 'sit' twice"),
        ({"objective": {"o": torch.ones(1)}}, "without its settings"),
        ({"tensors": {"w": torch.tensor([1.0, float("nan")])}}, "tensor 'w' holds NaN"),
        ({"tensors": {"w": torch.tensor([1e6])}, "dtype": torch.float16}, "tensor 'w' reaches 1e"),
    ],
)
def test_what_cannot_be_stored_leaves_nothing(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        write(tmp_path / "deep" / "m", **settings)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"x": NaN}', "NaN is no JSON number"),
        (b"[]", "holds a list where a JSON object"),
        (b"{}", "format_version should be a number from 1 to 1, not None"),
        (b'{"format_version": "1"}', "not '1'"),
        (b'{"format_version": true}', "not True"),
        (b'{"format_version": 0}', "not 0"),
        (b'{"format_version": 2}', r"made by a newer stars-hub \(format 2;.*--upgrade"),
        (b'{"format_version": 1}', "model_type is None, expected 'stars'"),
        (b'{"format_version": 1, "model_type": "bert"}', "model_type is 'bert'"),
        (b'{"format_version": 1, "model_type": "stars", "label_names": [1]}', "label_names"),
    ],
)
def test_bad_configs(tmp_path: Path, text: bytes, message: str) -> None:
    (tmp_path / "config.json").write_bytes(text)
    with pytest.raises(CheckpointError, match=message) as caught:
        read_config(tmp_path)
    assert str(tmp_path / "config.json") in str(caught.value)


def test_a_missing_config(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no model folder: it holds no config\.json"):
        read_config(tmp_path)
    with pytest.raises(CheckpointError, match="no model folder"):
        read_config(tmp_path / "nowhere")
