"""A model folder, and a Hub on loopback with an empty cache, away from the network and the user's files."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from huggingface_hub import close_session, constants

from stars_hub.checkpoints import ModelCard, download, write_model
from tests.checkpoints.hub_server import HubServer

CONFIG = {"num_joints": 25, "embed_dim": 8}


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "norm.weight": torch.randn(8, generator=generator),
        "patch_embed.weight": torch.randn(8, 12, generator=generator),
        "steps": torch.tensor(3),
    }


@pytest.fixture
def model_folder(tmp_path: Path, tensors: dict[str, torch.Tensor]) -> Path:
    """A whole model folder, with an objective and a layout."""
    return write_model(
        tmp_path / "model",
        config=CONFIG | {"objective": {"name": "mamp"}},
        tensors=tensors,
        card=ModelCard(name="owner/model", summary="A model.").render(),
        objective={"decoder.mask_token": torch.ones(1, 1, 8)},
        layout={"name": "mine"},
    )


@pytest.fixture
def model_files(model_folder: Path) -> dict[str, bytes]:
    """The bytes of a model folder, and of a file that has no business here."""
    files = {path.name: path.read_bytes() for path in model_folder.iterdir()}
    return files | {"pytorch_model.bin": b"\x80\x02 never fetched"}


@pytest.fixture(scope="session")
def client_session() -> Iterator[None]:
    """The client keeps its connections from one test to the next, and none beyond."""
    close_session()
    yield
    close_session()


@pytest.fixture
def hub(tmp_path: Path, client_session: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A Hub on loopback that the real client asks in place of huggingface.co."""
    home = tmp_path / "hf_home"
    with HubServer() as server:
        for name, value in {
            "ENDPOINT": server.endpoint,
            "HUGGINGFACE_CO_URL_TEMPLATE": server.endpoint + "/{repo_id}/resolve/{revision}/{filename}",
            "HF_HUB_CACHE": str(home / "hub"),
            "HF_TOKEN_PATH": str(home / "token"),
            "AGENT_HARNESSES_PATH": str(home / "harnesses.json"),
            "HF_HUB_DISABLE_IMPLICIT_TOKEN": True,
            "HF_HUB_OFFLINE": False,
        }.items():
            monkeypatch.setattr(constants, name, value, raising=False)
        for name in [key for key in os.environ if key.lower().endswith("_proxy")]:
            monkeypatch.delenv(name)
        monkeypatch.setattr(download, "PAUSES", (0.01, 0.01))
        yield server


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits of a second for what never comes. Not for all tests: on a busy machine they would fail."""
    monkeypatch.setattr(download, "REQUEST_SECONDS", 0.3)
    monkeypatch.setattr(download, "STALL_SECONDS", 1.0)
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.3)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "hf_home" / "hub"
