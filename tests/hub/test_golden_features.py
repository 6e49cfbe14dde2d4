"""Converted files give the features that the authors' code gave."""

import pytest
import torch
from safetensors.torch import load_file

from stars_hub.hub import convert_checkpoint
from stars_hub.model.encoder import STARSEncoder


@pytest.fixture(scope="module")
def golden(golden_dir):
    return load_file(golden_dir / "encoder.safetensors")


@pytest.fixture(params=["mamp", "mamp-legacy", "stars", "stars-module", "stars-legacy"])
def folder(request, golden, mamp_state, stars_state, save_mamp, save_stars, tmp_path):
    """A converted folder with the golden encoder's weights; decoder, heads and queue are other models'."""
    encoder = {name.removeprefix("state."): t for name, t in golden.items() if name.startswith("state.")}
    legacy = request.param.endswith("legacy")
    if request.param.startswith("mamp"):
        path = save_mamp({**mamp_state, **encoder}, legacy=legacy)
    else:
        prefix = "module.encoder_student." if request.param.endswith("module") else "encoder_student."
        rest = {name: tensor for name, tensor in stars_state.items() if "head" in name or "queue" in name}
        path = save_stars({**rest, **{prefix + name: t for name, t in encoder.items()}}, legacy=legacy)
    return convert_checkpoint(path, tmp_path / "model", num_heads=4)


def test_tokens_and_features_are_the_authors(golden, folder):
    encoder = STARSEncoder.from_pretrained(folder)
    with torch.no_grad():
        tokens = encoder.forward_features(golden["input"])
        features = encoder(golden["input"])
    torch.testing.assert_close(tokens, golden["tokens"], rtol=0, atol=1e-5)
    torch.testing.assert_close(features, golden["features"], rtol=0, atol=1e-5)


def test_more_frames_stretch_the_embedding_as_the_authors_do(golden, golden_dir, folder):
    interpolation = load_file(golden_dir / "temporal_interpolation.safetensors")
    torch.testing.assert_close(interpolation["from"], golden["state.temp_embed"], rtol=0, atol=0)
    encoder = STARSEncoder.from_pretrained(folder, num_frames=52)
    assert encoder.config.num_frames == 52
    stretched = dict(encoder.named_parameters())["temp_embed"].detach()
    torch.testing.assert_close(stretched, interpolation["to_13"], rtol=0, atol=1e-5)


def test_a_converted_folder_survives_loading_and_saving(golden, folder, tmp_path):
    STARSEncoder.from_pretrained(folder).save_pretrained(tmp_path / "again")
    first, again = (load_file(place / "model.safetensors") for place in (folder, tmp_path / "again"))
    assert set(first) == set(again)
    assert all(torch.equal(first[name], again[name]) for name in first)
