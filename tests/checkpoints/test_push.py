"""Pushing: the right files in one commit, through a stand-in that records what the client is asked to do."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
import torch
from huggingface_hub import CommitOperationAdd, CommitOperationDelete

from stars_hub.checkpoints import push_folder, read_tensors, resolve_model, write_model
from stars_hub.errors import CheckpointError
from tests.checkpoints.hub_server import HubServer

Calls = list[tuple[str, dict[str, Any]]]


class Url(str):
    """What create_repo gives: text with the full repository id."""

    repo_id = "owner/model"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    record: Calls = []

    class Recorder:
        def __init__(self, **settings: Any) -> None:
            record.append(("HfApi", settings))

        def create_repo(self, repo_id: str, **settings: Any) -> Url:
            record.append(("create_repo", {"repo_id": repo_id} | settings))
            return Url("https://huggingface.co/owner/model")

        def create_branch(self, repo_id: str, **settings: Any) -> None:
            record.append(("create_branch", {"repo_id": repo_id} | settings))

        def list_repo_files(self, repo_id: str, **settings: Any) -> list[str]:
            record.append(("list_repo_files", {"repo_id": repo_id} | settings))
            return ["notes.md", "layout.json", "objective.safetensors"]

        def create_commit(self, repo_id: str, **settings: Any) -> SimpleNamespace:
            record.append(("create_commit", {"repo_id": repo_id} | settings))
            return SimpleNamespace(pr_url="https://huggingface.co/owner/model/discussions/1")

    monkeypatch.setattr(huggingface_hub, "HfApi", Recorder)
    return record


def named(call: dict[str, Any], kind: type) -> set[str]:
    return {operation.path_in_repo for operation in call["operations"] if isinstance(operation, kind)}


def test_the_encoder_goes_up_alone(model_folder: Path, calls: Calls) -> None:
    (model_folder / "notes.txt").write_text("private")
    (model_folder / ".env").write_text("secret")
    assert push_folder(model_folder, "model", token="t", private=True) == "https://huggingface.co/owner/model"
    assert [name for name, _ in calls] == ["HfApi", "create_repo", "list_repo_files", "create_commit"]
    assert calls[0][1]["token"] == "t"
    assert calls[1][1] == {"repo_id": "model", "private": True, "exist_ok": True}
    commit = calls[-1][1]
    assert commit["repo_id"] == "owner/model"
    assert named(commit, CommitOperationAdd) == {
        "README.md",
        "config.json",
        "layout.json",
        "model.safetensors",
    }
    assert named(commit, CommitOperationDelete) == {"objective.safetensors"}
    assert "stars-hub" in commit["commit_message"]


def test_the_objective_goes_up_when_asked_for(model_folder: Path, calls: Calls) -> None:
    push_folder(model_folder, "owner/model", objective=True, commit_message="All of it")
    assert "objective.safetensors" in named(calls[-1][1], CommitOperationAdd)
    assert not named(calls[-1][1], CommitOperationDelete)
    assert calls[-1][1]["commit_message"] == "All of it"


def test_a_branch_is_made(model_folder: Path, calls: Calls) -> None:
    push_folder(model_folder, "owner/model", revision="v2")
    assert ("create_branch", {"repo_id": "owner/model", "branch": "v2", "exist_ok": True}) in calls
    assert calls[-1][1]["revision"] == "v2"


def test_a_pull_request(model_folder: Path, calls: Calls) -> None:
    assert push_folder(model_folder, "owner/model", create_pr=True).endswith("/discussions/1")
    assert "create_branch" not in dict(calls)
    assert calls[-1][1]["create_pr"] is True
    with pytest.raises(CheckpointError, match="create_pr or revision, not both"):
        push_folder(model_folder, "owner/model", create_pr=True, revision="v2")


def test_the_client_takes_these_arguments(model_folder: Path, calls: Calls) -> None:
    import inspect

    push_folder(model_folder, "owner/model", revision="v2")
    from huggingface_hub.hf_api import HfApi

    for name, settings in calls[1:]:
        inspect.signature(getattr(HfApi, name)).bind(None, **settings)


def test_no_model_folder_is_not_pushed(model_folder: Path, tmp_path: Path, calls: Calls) -> None:
    with pytest.raises(CheckpointError, match="no model folder"):
        push_folder(tmp_path, "owner/model")
    (model_folder / "objective.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"objective\.safetensors: No such file"):
        push_folder(model_folder, "owner/model", objective=True)
    weights = model_folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="cut short"):
        push_folder(model_folder, "owner/model")
    assert not calls


@pytest.mark.parametrize("server", ["refuses", "gone"])
def test_a_failure_is_one_clear_error(hub: HubServer, tmp_path: Path, server: str) -> None:
    folder = write_model(tmp_path / "m", config={}, tensors={"w": torch.ones(1)}, card="")
    if server == "gone":
        hub.stop()
    with pytest.raises(CheckpointError, match=r"^not pushed: owner/model: (the Hub|the connection to http)"):
        push_folder(folder, "owner/model", token="right")


def test_an_impossible_name(hub: HubServer, model_folder: Path) -> None:
    with pytest.raises(CheckpointError, match="not pushed: 'a/b/c' is no repository id"):
        push_folder(model_folder, "a/b/c", token="right")


def test_what_was_pushed_is_what_comes_down(
    hub: HubServer, model_folder: Path, cache: Path, tensors: dict[str, torch.Tensor]
) -> None:
    hub.writers.add("right")
    push_folder(model_folder, "owner/model", token="right", objective=True)
    push_folder(model_folder, "owner/model", token="right")
    repository = hub.repositories["owner/model"]
    assert len(repository.commits) == 3  # the Hub's own first one, and one for each push
    assert set(repository.commits[repository.refs["main"]]) == {
        ".gitattributes", "README.md", "config.json", "layout.json", "model.safetensors",
    }  # fmt: skip
    push_folder(model_folder, "owner/model", token="right", revision="v2", objective=True)
    found = resolve_model("owner/model", revision="v2", cache_dir=cache, objective=True)
    assert (found / "objective.safetensors").is_file()
    assert read_tensors(found / "model.safetensors").keys() == tensors.keys()
