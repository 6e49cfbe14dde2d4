"""From the authors' files to folders on disk: what is in them, and that a failure leaves nothing behind."""

import hashlib
import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from stars_hub.errors import CheckpointError, ConfigError
from stars_hub.hub import convert_checkpoint
from stars_hub.hub.state import convert_state


def read_json(folder):
    return json.loads((folder / "config.json").read_text())


def assert_same_tensors(path, expected):
    stored = load_file(path)
    assert set(stored) == set(expected)
    for name, tensor in expected.items():
        assert stored[name].dtype == tensor.dtype
        assert torch.equal(stored[name], tensor), name
    with safe_open(path, "pt") as file:
        assert file.metadata() == {"format": "pt"}


@pytest.mark.parametrize("legacy", [False, True])
def test_a_mamp_file_becomes_a_folder(mamp_state, save_mamp, tmp_path, legacy):
    folder = convert_checkpoint(save_mamp(mamp_state, legacy=legacy), tmp_path / "new" / "mamp", num_heads=4)
    assert folder == (tmp_path / "new" / "mamp").resolve()
    model = convert_state({"model": mamp_state}, num_heads=4)
    assert_same_tensors(folder / "model.safetensors", model.tensors)
    assert_same_tensors(folder / "objective.safetensors", model.objective_tensors)
    config = read_json(folder)
    assert config["format_version"] == 1
    assert config["model_type"] == "stars"
    assert config["objective"]["decoder_depth"] == 2
    assert {name: config[name] for name in model.config.to_dict()} == model.config.to_dict()


@pytest.mark.parametrize("legacy", [False, True])
def test_a_stars_file_becomes_a_folder(stars_state, save_stars, tmp_path, legacy):
    prefixed = {f"module.{name}": tensor for name, tensor in stars_state.items()}
    folder = convert_checkpoint(
        str(save_stars(prefixed, legacy=legacy)), str(tmp_path / "stars"), num_heads=4
    )
    model = convert_state(stars_state, num_heads=4)
    assert_same_tensors(folder / "model.safetensors", model.tensors)
    assert_same_tensors(folder / "objective.safetensors", model.objective_tensors)
    assert read_json(folder)["objective"]["queue_size"] == 20


def test_an_encoder_alone_has_no_objective_file(stars_state, save_stars, tmp_path):
    student = {name: t for name, t in stars_state.items() if "head" not in name and "queue" not in name}
    folder = convert_checkpoint(save_stars(student), tmp_path / "stars", num_heads=4)
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    assert "objective" not in read_json(folder)


def test_a_full_size_file_needs_no_heads(make_encoder, save_mamp, tmp_path):
    state = make_encoder(d=256, h=1024, depth=8, t=30, v=25)
    folder = convert_checkpoint(save_mamp(state), tmp_path / "base")
    assert sum(tensor.numel() for tensor in load_file(folder / "model.safetensors").values()) == 6_336_000
    assert read_json(folder)["num_heads"] == 8


def test_the_card_says_whose_weights_they_are(mamp_state, stars_state, save_mamp, save_stars, tmp_path):
    mamp, stars = save_mamp(mamp_state), save_stars(stars_state)
    card = (convert_checkpoint(mamp, tmp_path / "a", num_heads=4) / "README.md").read_text()
    assert "authors of MAMP" in card
    assert "arXiv 2308.07092" in card
    assert "checkpoint-last.pth" in card
    assert hashlib.sha256(mamp.read_bytes()).hexdigest() in card
    assert "\nlicense:" not in card
    assert "states no license" in card
    assert '"absent_person": "copy"' in card
    assert '"centering": "none"' in card
    card = (convert_checkpoint(stars, tmp_path / "b", num_heads=4) / "README.md").read_text()
    assert "authors of STARS" in card
    assert "arXiv 2407.10935" in card
    assert hashlib.sha256(stars.read_bytes()).hexdigest() in card
    assert "\nlicense: mit\n" in card


def test_a_failure_leaves_no_folder_and_an_old_one_as_it_was(
    mamp_state, stars_state, save_mamp, save_stars, tmp_path
):
    bad = save_mamp({**mamp_state, "norm.bias": torch.full((32,), float("inf"))})
    with pytest.raises(CheckpointError, match=r"cannot convert .*checkpoint-last.pth: norm.bias holds"):
        convert_checkpoint(bad, tmp_path / "new" / "mamp", num_heads=4)
    with pytest.raises(ConfigError, match="num_heads must be given"):
        convert_checkpoint(save_mamp(mamp_state), tmp_path / "new" / "mamp")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-last.pth"]
    old = convert_checkpoint(save_stars(stars_state), tmp_path / "old", num_heads=4)
    before = {path.name: path.read_bytes() for path in old.iterdir()}
    with pytest.raises(CheckpointError):
        convert_checkpoint(tmp_path / "nowhere.pt", old)
    with pytest.raises(ConfigError):
        convert_checkpoint(save_mamp(mamp_state), old, num_heads=5)
    assert {path.name: path.read_bytes() for path in old.iterdir()} == before


def test_a_later_conversion_replaces_an_earlier_one(mamp_state, stars_state, save_mamp, save_stars, tmp_path):
    convert_checkpoint(save_mamp(mamp_state), tmp_path / "model", num_heads=4)
    student = {name: t for name, t in stars_state.items() if "head" not in name and "queue" not in name}
    folder = convert_checkpoint(save_stars(student), tmp_path / "model", num_heads=4)
    assert "arXiv 2407.10935" in (folder / "README.md").read_text()
    assert not (folder / "objective.safetensors").exists()
