"""What is missing, forbidden or broken on the Hub, or on the way from it, is soon told by one clear error."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from huggingface_hub import constants

from stars_hub.checkpoints import resolve_model
from stars_hub.errors import CheckpointError
from tests.checkpoints.downloads import same
from tests.checkpoints.hub_server import HubServer

SCRIPT = """
import sys
from stars_hub.checkpoints import download, resolve_model
download.STALL_SECONDS = float(sys.argv[1])
print(resolve_model("owner/model"))
"""


def run_elsewhere(hub: HubServer, home: Path, *, stall: float = 20.0) -> subprocess.Popen[str]:
    """Load the model in a process of its own, which reads its settings as a user's process does."""
    clean = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    environment = clean | {
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DOWNLOAD_TIMEOUT": "2",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    for name in ("HF_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE"):
        environment.pop(name, None)
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(stall)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_missing_repository(hub: HubServer) -> None:
    with pytest.raises(
        CheckpointError, match=r"neither a repository owner/nothing on .*or it is private: pass token"
    ):
        resolve_model("owner/nothing")
    with pytest.raises(CheckpointError, match="neither a repository owner/nothing"):
        resolve_model("owner/nothing", token="right")


def test_missing_revision(hub: HubServer, model_files: dict[str, bytes]) -> None:
    hub.create("owner/model", model_files)
    resolve_model("owner/model")  # what is in the cache does not stand in for another revision
    with pytest.raises(CheckpointError, match="no revision 'v9'"):
        resolve_model("owner/model@v9")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_missing_file(hub: HubServer, model_files: dict[str, bytes], name: str) -> None:
    del model_files[name]
    hub.create("owner/model", model_files)
    with pytest.raises(CheckpointError, match=f"no stars-hub model: it holds no {name}"):
        resolve_model("owner/model")


def test_a_file_that_is_listed_but_gone(hub: HubServer, model_files: dict[str, bytes]) -> None:
    hub.create("owner/model", model_files)
    hub.faults.status["model.safetensors"] = 404
    with pytest.raises(CheckpointError, match="error 404"):
        resolve_model("owner/model")


def test_gated_repository(hub: HubServer, model_files: dict[str, bytes]) -> None:
    hub.create("owner/model", model_files, gated=True)
    with pytest.raises(
        CheckpointError, match=r"gated: ask for access on http.*/owner/model, then pass token"
    ):
        resolve_model("owner/model")


def test_private_repository_and_its_token(hub: HubServer, model_files: dict[str, bytes]) -> None:
    hub.create("owner/model", model_files, token="right")
    with pytest.raises(CheckpointError, match="or it is private: pass token"):
        resolve_model("owner/model")
    with pytest.raises(CheckpointError, match=r"refuses access \(401\)"):
        resolve_model("owner/model", token="wrong")
    hub.log.clear()
    assert same(resolve_model("owner/model", token="right"), model_files)
    sent = {headers.get("authorization") for _, path, headers in hub.log if "model" in path}
    assert sent == {"Bearer right"}


def test_forbidden(hub: HubServer, model_files: dict[str, bytes]) -> None:
    hub.create("owner/model", model_files)
    hub.faults.status["api"] = 403
    with pytest.raises(CheckpointError, match=r"refuses access \(403\)"):
        resolve_model("owner/model")


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_hub_with_errors(hub: HubServer, model_files: dict[str, bytes], status: int) -> None:
    hub.create("owner/model", model_files)
    hub.faults.status["api"] = status
    with pytest.raises(CheckpointError, match=f"error {status}; try again later"):
        resolve_model("owner/model")


def test_a_hub_that_recovers(hub: HubServer, model_files: dict[str, bytes]) -> None:
    hub.create("owner/model", model_files)
    hub.faults.fail_first.update({"api": 2, "config.json": 1})
    assert same(resolve_model("owner/model"), model_files)


def test_a_file_that_answers_with_errors_for_ever(hub: HubServer, model_files: dict[str, bytes]) -> None:
    hub.create("owner/model", model_files)
    hub.faults.status["model.safetensors"] = 500
    start = time.monotonic()
    with pytest.raises(
        CheckpointError, match=r"owner/model: the Hub answered with error 500; try again later"
    ):
        resolve_model("owner/model")
    assert time.monotonic() - start < 8
    hub.faults.status.clear()
    assert same(resolve_model("owner/model"), model_files)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("silent", ["api", "config.json", "GET model.safetensors"])
def test_a_server_that_never_answers(hub: HubServer, model_files: dict[str, bytes], silent: str) -> None:
    hub.create("owner/model", model_files)
    hub.faults.silent.add(silent)
    start = time.monotonic()
    with pytest.raises(CheckpointError, match=r"owner/model: (the connection to .* failed|nothing arrived)"):
        resolve_model("owner/model")
    assert time.monotonic() - start < 8


def test_connection_refused(hub: HubServer) -> None:
    hub.stop()
    start = time.monotonic()
    with pytest.raises(
        CheckpointError, match=rf"the connection to {hub.endpoint} failed.*; nor is there a folder"
    ):
        resolve_model("owner/model")
    assert time.monotonic() - start < 8


def test_a_body_cut_short_once_is_resumed(
    hub: HubServer, model_files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 50)
    hub.create("owner/model", model_files)
    hub.faults.cut_once["model.safetensors"] = 100
    try:
        folder = resolve_model("owner/model")
    except CheckpointError:  # the client's earliest versions do not resume
        folder = resolve_model("owner/model")
        hub.log.clear()
    assert same(folder, model_files)
    ranges = [headers.get("range") for _, _, headers in hub.requests("GET", "model.safetensors")]
    assert ranges in ([None, "bytes=100-"], [])


@pytest.mark.usefixtures("impatient")
def test_a_body_always_cut_short(hub: HubServer, model_files: dict[str, bytes]) -> None:
    hub.create("owner/model", model_files)
    hub.faults.cut_after["model.safetensors"] = 100
    hub.faults.no_range = True  # the client on its own would go on for ever
    start = time.monotonic()
    with pytest.raises(CheckpointError, match=r"owner/model: (nothing arrived|the connection)"):
        resolve_model("owner/model")
    assert time.monotonic() - start < 8
    hub.faults.cut_after.clear()
    assert same(resolve_model("owner/model"), model_files)


def test_a_body_of_the_wrong_size(hub: HubServer, model_files: dict[str, bytes], cache: Path) -> None:
    hub.create("owner/model", model_files)
    hub.faults.lose["model.safetensors"] = 10
    with pytest.raises(CheckpointError, match=r"the download failed: .*size.*try again"):
        resolve_model("owner/model")
    assert not list(cache.rglob("snapshots/*/model.safetensors"))
    hub.faults.lose.clear()
    assert same(resolve_model("owner/model"), model_files)


@pytest.mark.usefixtures("impatient")
def test_a_slow_line_is_no_stall(hub: HubServer, model_files: dict[str, bytes]) -> None:
    model_files["model.safetensors"] = bytes(1_500_000)
    hub.create("owner/model", model_files)
    hub.faults.seconds_per_byte = 1.5 / 1_500_000  # a quarter of a second for each step of the progress bar
    assert same(resolve_model("owner/model"), model_files)


@pytest.mark.parametrize("name", ["owner/na me", "owner/-model", "owner/model.git", "ow..ner/model"])
def test_impossible_repository_names(hub: HubServer, name: str) -> None:
    with pytest.raises(CheckpointError, match="no repository id of the form owner/name"):
        resolve_model(name)


def test_two_processes_at_once(hub: HubServer, model_files: dict[str, bytes], tmp_path: Path) -> None:
    model_files["model.safetensors"] = os.urandom(200_000)
    hub.create("owner/model", model_files)
    hub.gate = threading.Barrier(2)  # both have asked before either fetches
    hub.faults.seconds_per_byte = 0.5 / 200_000
    processes = [run_elsewhere(hub, tmp_path / "home") for _ in range(2)]
    results = [process.communicate(timeout=60) for process in processes]
    for process, (out, err) in zip(processes, results, strict=True):
        assert process.returncode == 0, err
        assert same(Path(out.strip()), model_files)


def test_a_process_ends_after_it_gave_up(
    hub: HubServer, model_files: dict[str, bytes], tmp_path: Path
) -> None:
    hub.create("owner/model", model_files)
    hub.faults.silent.add("GET model.safetensors")
    process = run_elsewhere(hub, tmp_path / "home", stall=1.0)
    _, err = process.communicate(timeout=25)
    assert process.returncode == 1
    assert "CheckpointError: owner/model: nothing arrived for 1 seconds" in err
