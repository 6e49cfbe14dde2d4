"""Models from the Hub, through the real client: the right folder, or one clear error, never a long wait."""

import time
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import close_session, constants

from stars_hub.checkpoints import download, resolve_model
from stars_hub.errors import CheckpointError
from tests.checkpoints.downloads import FETCHED, same
from tests.checkpoints.hub_server import HubServer


def test_only_the_files_of_a_model_are_fetched(hub: HubServer, model_files: dict[str, bytes]) -> None:
    hub.create("owner/model", model_files)
    assert same(resolve_model("owner/model"), model_files)
    fetched = {path.rpartition("/")[2] for _, path, _ in hub.requests("GET", "/resolve/")}
    assert fetched == FETCHED  # no pickle, no objective


def test_the_objective_comes_when_asked_for(hub: HubServer, model_files: dict[str, bytes]) -> None:
    hub.create("owner/model", model_files)
    folder = resolve_model("owner/model", objective=True)
    assert same(folder, model_files, FETCHED | {"objective.safetensors"})


def test_a_missing_objective_is_named(hub: HubServer, model_files: dict[str, bytes]) -> None:
    del model_files["objective.safetensors"]
    hub.create("owner/model", model_files)
    with pytest.raises(CheckpointError, match=r"published without objective\.safetensors"):
        resolve_model("owner/model", objective=True)


def test_a_model_in_a_subfolder(hub: HubServer, model_files: dict[str, bytes]) -> None:
    hub.create("owner/model", {f"ntu60/xsub/{name}": data for name, data in model_files.items()})
    folder = resolve_model("owner/model", subfolder="ntu60/xsub")
    assert folder.name == "xsub"
    assert same(folder, model_files)
    hub.stop()
    close_session()
    assert resolve_model("owner/model", subfolder="ntu60/xsub") == folder
    with pytest.raises(CheckpointError, match="owner/model"):
        resolve_model("owner/model")


def test_the_subfolders_with_models_are_named(hub: HubServer, model_files: dict[str, bytes]) -> None:
    hub.create("owner/model", {f"xsub/{name}": data for name, data in model_files.items()})
    with pytest.raises(
        CheckpointError, match=r"no config.json and no model.safetensors; .*: xsub \(subfolder=\)"
    ):
        resolve_model("owner/model")


def test_revisions_are_branches_tags_and_commits(hub: HubServer, model_files: dict[str, bytes]) -> None:
    repository = hub.create("owner/model", model_files)
    other = model_files | {"README.md": b"another card"}
    commit = repository.commit(other, ref="v2")
    for revision in ("v2", commit):
        assert same(resolve_model("owner/model", revision=revision), other)
        assert same(resolve_model(f"owner/model@{revision}"), other)
    assert same(resolve_model("owner/model"), model_files)


def test_all_files_come_from_one_commit(hub: HubServer, model_files: dict[str, bytes]) -> None:
    repository = hub.create("owner/model", model_files)
    resolve_model("owner/model")
    commit = repository.refs["main"]
    assert all(commit in path for _, path, _ in hub.requests("GET", "model.safetensors"))


def test_a_push_is_seen_by_the_next_load(hub: HubServer, model_files: dict[str, bytes]) -> None:
    repository = hub.create("owner/model", model_files)
    resolve_model("owner/model")
    newer = model_files | {"README.md": b"newer"}
    repository.commit(newer)
    assert same(resolve_model("owner/model"), newer)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", ["status", "silent"])
def test_an_update_that_fails_leaves_the_older_model_usable(
    hub: HubServer, model_files: dict[str, bytes], fault: str
) -> None:
    repository = hub.create("owner/model", model_files)
    first = resolve_model("owner/model")
    repository.commit(model_files | {"model.safetensors": b"newer", "config.json": b"newer"})
    if fault == "status":
        hub.faults.status["model.safetensors"] = 500
    else:
        hub.faults.silent.add("GET model.safetensors")
    assert resolve_model("owner/model") == first
    hub.stop()
    close_session()
    assert resolve_model("owner/model") == first
    assert same(first, model_files)


def test_a_push_between_two_questions(
    hub: HubServer, model_files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = hub.create("owner/model", model_files)
    newer = {name: data + b" " for name, data in model_files.items()}
    real = download._fetch_missing

    def then_pushed(*args: Any, **kwargs: Any) -> None:
        real(*args, **kwargs)
        if len(repository.commits) == 1:
            repository.commit(newer)

    monkeypatch.setattr(download, "_fetch_missing", then_pushed)
    assert same(resolve_model("owner/model"), newer)


def test_the_second_load_needs_no_server(
    hub: HubServer, model_files: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    hub.create("owner/model", model_files)
    first = resolve_model("owner/model")
    hub.stop()
    close_session()
    start = time.monotonic()
    assert resolve_model("owner/model") == first
    assert time.monotonic() - start < 8
    assert "using the copy in the cache" in caplog.text
    assert resolve_model("owner/model", local_files_only=True) == first


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", ["silent", "api", "config.json"])
def test_the_second_load_outlives_a_sick_server(
    hub: HubServer, model_files: dict[str, bytes], fault: str
) -> None:
    hub.create("owner/model", model_files)
    first = resolve_model("owner/model")
    if fault == "silent":
        hub.faults.silent.add("api")
    else:
        hub.faults.status[fault] = 500
    assert resolve_model("owner/model") == first


def test_the_second_load_fetches_nothing_again(hub: HubServer, model_files: dict[str, bytes]) -> None:
    hub.create("owner/model", model_files)
    resolve_model("owner/model")
    hub.log.clear()
    resolve_model("owner/model")
    assert [method for method, path, _ in hub.log if "/resolve/" in path] == ["HEAD"] * 2


def test_local_files_only_asks_nobody(hub: HubServer, model_files: dict[str, bytes]) -> None:
    hub.create("owner/model", model_files)
    with pytest.raises(
        CheckpointError, match=r"config.json and model.safetensors not in the cache: load it once"
    ):
        resolve_model("owner/model", local_files_only=True)
    assert not hub.log


def test_offline_mode(
    hub: HubServer,
    model_files: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    hub.create("owner/model", model_files)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    close_session()
    with pytest.raises(
        CheckpointError, match=r"unset HF_HUB_OFFLINE and .*; nor is there a folder owner/model here"
    ):
        resolve_model("owner/model")
    assert not hub.log
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    close_session()
    first = resolve_model("owner/model")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    close_session()
    assert resolve_model("owner/model") == first
    assert not [
        record for record in caplog.records if record.name.startswith("stars_hub")
    ]  # it was asked for


def test_an_objective_that_is_not_in_the_cache(hub: HubServer, model_files: dict[str, bytes]) -> None:
    hub.create("owner/model", model_files)
    resolve_model("owner/model")
    with pytest.raises(CheckpointError, match=r"objective.safetensors not in the cache"):
        resolve_model("owner/model", objective=True, local_files_only=True)


def test_force_download_mends_the_cache(hub: HubServer, model_files: dict[str, bytes]) -> None:
    hub.create("owner/model", model_files)
    folder = resolve_model("owner/model")
    (folder / "model.safetensors").resolve().write_bytes(b"garbage")
    assert not same(resolve_model("owner/model"), model_files)
    assert same(resolve_model("owner/model", force_download=True), model_files)


def test_force_download_does_not_take_the_cache_for_an_answer(
    hub: HubServer, model_files: dict[str, bytes]
) -> None:
    hub.create("owner/model", model_files)
    resolve_model("owner/model")
    hub.stop()
    close_session()
    with pytest.raises(CheckpointError, match=r"the connection to .* failed"):
        resolve_model("owner/model", force_download=True)


def test_contradicting_wishes(hub: HubServer) -> None:
    with pytest.raises(CheckpointError, match="contradict"):
        resolve_model("owner/model", local_files_only=True, force_download=True)


def test_cache_dir_is_respected(
    hub: HubServer, model_files: dict[str, bytes], tmp_path: Path, cache: Path
) -> None:
    hub.create("owner/model", model_files)
    assert resolve_model("owner/model", cache_dir=tmp_path / "mine").is_relative_to(tmp_path / "mine")
    assert not cache.exists()
