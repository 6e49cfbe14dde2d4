import json
from pathlib import Path

import numpy as np
import pytest
import torch

from stars_hub import checkpoints
from stars_hub.errors import CheckpointError, ConfigError, LayoutError, SequenceError
from stars_hub.model import EncoderConfig, STARSEncoder
from stars_hub.objectives import MAMP
from stars_hub.skeletons import SkeletonStore, convert_layout
from stars_hub.skeletons.layouts import SkeletonLayout, get_layout
from tests.motions import drifting

CONFIG = EncoderConfig(num_frames=8, embed_dim=16, depth=2, num_heads=2)


@pytest.fixture
def encoder() -> STARSEncoder:
    torch.manual_seed(0)
    return STARSEncoder(CONFIG).eval()


@pytest.fixture
def sequences() -> list[np.ndarray]:
    return [drifting(frames, seed=frames)[:, 0] for frames in (9, 30, 1, 77, 14)]


def equal_weights(first: STARSEncoder, second: STARSEncoder) -> bool:
    pairs = zip(first.state_dict().items(), second.state_dict().items(), strict=True)
    return all(name == other and torch.equal(a, b) for (name, a), (other, b) in pairs)


def test_encode_is_forward_of_the_prepared_sequence(
    encoder: STARSEncoder, sequences: list[np.ndarray]
) -> None:
    """A sequence of exactly the encoder's frames at crop 0.95 of 8: nothing is cut, nothing resampled."""
    joints = sequences[1][:8]
    x = torch.zeros(1, 3, 8, 25, 2)
    x[0, ..., 0] = torch.from_numpy(joints - joints[0, 1]).permute(2, 0, 1)
    with torch.inference_mode():
        np.testing.assert_allclose(encoder.encode(joints), encoder(x).numpy(), atol=1e-6)


def test_features_do_not_depend_on_the_batch(encoder: STARSEncoder, sequences: list[np.ndarray]) -> None:
    together = encoder.encode(sequences)
    assert together.shape == (5, 16)
    assert together.dtype == np.float32
    for batch_size in (1, 2):
        np.testing.assert_allclose(
            encoder.encode(iter(sequences), batch_size=batch_size), together, atol=1e-5
        )


def test_normalize_and_reduced_precision(encoder: STARSEncoder, sequences: list[np.ndarray]) -> None:
    features = encoder.encode(sequences)
    unit = encoder.encode(sequences, normalize=True)
    np.testing.assert_allclose(unit, features / np.linalg.norm(features, axis=1, keepdims=True), atol=1e-6)
    half = encoder.encode(sequences, dtype=torch.bfloat16)
    assert half.dtype == np.float32
    assert 0 < np.abs(half - features).max() < 0.1


def test_encode_leaves_the_mode_as_it_was(sequences: list[np.ndarray]) -> None:
    encoder = STARSEncoder(
        EncoderConfig(num_frames=8, embed_dim=16, depth=2, num_heads=2, drop_rate=0.5)
    ).train()
    assert np.array_equal(encoder.encode(sequences), encoder.encode(sequences))
    assert encoder.training
    with pytest.raises(SequenceError):
        encoder.encode([np.zeros((3, 3))])
    assert encoder.training


def test_nothing_to_encode(encoder: STARSEncoder) -> None:
    assert encoder.encode([]).shape == (0, 16)


def test_one_tensor_is_one_sequence(encoder: STARSEncoder, sequences: list[np.ndarray]) -> None:
    tensor = torch.from_numpy(sequences[0]).requires_grad_()
    np.testing.assert_array_equal(encoder.encode(tensor), encoder.encode(sequences[0]))


def test_bad_arguments(encoder: STARSEncoder, sequences: list[np.ndarray]) -> None:
    with pytest.raises(ConfigError, match="batch_size must be at least 1, got 0"):
        encoder.encode(sequences, batch_size=0)
    with pytest.raises(LayoutError, match="octopus8"):
        encoder.encode(sequences, layout="octopus8")
    for dtype in ("float16", torch.int32):
        with pytest.raises(ConfigError, match=r"dtype must be one of torch\.float32, torch\.float16"):
            encoder.encode(sequences, dtype=dtype)
    with pytest.raises(ConfigError, match="device 'abacus' cannot be used"):
        encoder.encode(sequences, device="abacus")


def test_a_saved_encoder_comes_back(
    encoder: STARSEncoder, sequences: list[np.ndarray], tmp_path: Path
) -> None:
    folder = encoder.save_pretrained(tmp_path / "encoder")
    loaded = STARSEncoder.from_pretrained(folder)
    assert equal_weights(loaded, encoder)
    assert loaded.config == CONFIG
    assert not loaded.training
    np.testing.assert_array_equal(loaded.encode(sequences), encoder.encode(sequences))
    saved = json.loads((folder / "config.json").read_text())
    assert saved["format_version"] == 1
    assert not any(isinstance(value, dict) for value in saved.values())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_stored_in_half_loaded_in_full(encoder: STARSEncoder, tmp_path: Path, dtype: torch.dtype) -> None:
    folder = encoder.save_pretrained(tmp_path / "encoder", dtype=dtype)
    loaded = STARSEncoder.from_pretrained(folder)
    assert {tensor.dtype for tensor in loaded.state_dict().values()} == {torch.float32}
    assert torch.equal(loaded.norm.weight, encoder.norm.weight)
    torch.testing.assert_close(loaded.pos_embed, encoder.pos_embed.to(dtype).float(), atol=0, rtol=0)
    half = STARSEncoder.from_pretrained(folder, dtype=dtype)
    assert {tensor.dtype for tensor in half.state_dict().values()} == {dtype}
    assert half.encode(drifting(9)).dtype == np.float32


def test_another_number_of_frames(encoder: STARSEncoder, sequences: list[np.ndarray], tmp_path: Path) -> None:
    folder = encoder.save_pretrained(tmp_path / "encoder")
    longer = STARSEncoder.from_pretrained(folder, num_frames=16)
    assert longer.config.num_frames == 16
    assert longer.temp_embed.shape == (1, 4, 1, 16)
    assert longer.encode(sequences).shape == (5, 16)
    with pytest.raises(ConfigError, match="frame_patch_size must divide num_frames, got 4 and 17"):
        STARSEncoder.from_pretrained(folder, num_frames=17)


def test_a_configuration_without_sizes_is_no_model(encoder: STARSEncoder, tmp_path: Path) -> None:
    folder = encoder.save_pretrained(tmp_path / "encoder")
    config = json.loads((folder / "config.json").read_text())
    del config["depth"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"config\.json: the configuration lacks depth"):
        STARSEncoder.from_pretrained(folder)


def test_a_configuration_with_infinite_numbers_is_named(encoder: STARSEncoder, tmp_path: Path) -> None:
    folder = encoder.save_pretrained(tmp_path / "encoder")
    text = (folder / "config.json").read_text()
    assert '"mlp_ratio": 4.0' in text
    (folder / "config.json").write_text(text.replace('"mlp_ratio": 4.0', '"mlp_ratio": 1e999'))
    with pytest.raises(CheckpointError, match=r"config\.json: mlp_ratio must be a finite number, got inf"):
        STARSEncoder.from_pretrained(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth": 10**6}, "it asks for 1000000 blocks, of which there are 2"),
        ({"embed_dim": 10**9}, r"patch_embed.weight of shape \(1000000000, 12\), which is \(16, 12\)"),
        ({"num_frames": 12}, "temp_embed of shape"),
        ({"mlp_ratio": 2.0}, "mlp.fc1.weight of shape"),
    ],
)
def test_sizes_are_compared_before_anything_is_built(
    encoder: STARSEncoder, tmp_path: Path, changes: dict, message: str
) -> None:
    folder = encoder.save_pretrained(tmp_path / "encoder")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))
    with pytest.raises(
        CheckpointError, match=rf"config\.json does not fit the weights beside it: .*{message}"
    ):
        STARSEncoder.from_pretrained(folder)


def test_with_layout_keeps_shared_joints_and_starts_new_ones_nearby(encoder: STARSEncoder) -> None:
    coco = encoder.with_layout("coco17")
    ntu_names, coco_names = get_layout("ntu25").joint_names, get_layout("coco17").joint_names
    assert coco.config.num_joints == 17
    assert coco.config.layout == "coco17"
    shared = [name for name in coco_names if name in ntu_names]
    assert len(shared) >= 12
    for name in shared:
        ours, theirs = coco_names.index(name), ntu_names.index(name)
        assert torch.equal(coco.pos_embed[:, :, ours], encoder.pos_embed[:, :, theirs])
    assert torch.equal(coco.blocks[0].attn.qkv.weight, encoder.blocks[0].attn.qkv.weight)
    assert coco.encode(np.random.default_rng(0).normal(scale=0.2, size=(9, 17, 3))).shape == (1, 16)


def test_a_layout_of_ones_own_travels_with_the_folder(encoder: STARSEncoder, tmp_path: Path) -> None:
    arm = SkeletonLayout(
        name="arm3",
        joint_names=("left_shoulder", "left_elbow", "left_wrist"),
        parents=(-1, 0, 1),
        mirror_pairs=(),
        root=0,
        spine_middle=0,
    )
    folder = encoder.with_layout(arm).save_pretrained(tmp_path / "arm")
    loaded = STARSEncoder.from_pretrained(folder)
    assert loaded.layout == arm
    assert loaded.encode(np.random.default_rng(0).normal(size=(9, 3, 3))).shape == (1, 16)


def test_an_encoder_whose_layout_does_not_fit_says_so() -> None:
    encoder = STARSEncoder(EncoderConfig(num_frames=8, num_joints=5, embed_dim=16, depth=1, num_heads=2))
    with pytest.raises(LayoutError, match="takes 5 joints, but its layout 'ntu25' has 25"):
        encoder.encode(np.zeros((4, 5, 3)))


def test_a_store_brings_its_layout(encoder: STARSEncoder, tmp_path: Path) -> None:
    kinect = convert_layout(drifting(20), "ntu25", "kinect20")
    store = SkeletonStore.create(
        tmp_path / "store", [kinect, kinect[:9]], layout="kinect20", names=["b", "a"]
    )
    expected = encoder.encode([kinect, kinect[:9]], layout="kinect20")
    np.testing.assert_array_equal(encoder.encode(store), expected)
    np.testing.assert_array_equal(encoder.encode(tmp_path / "store"), expected)


@pytest.mark.gpu
def test_encode_on_cuda_equals_cpu(encoder: STARSEncoder, sequences: list[np.ndarray]) -> None:
    on_cpu = encoder.encode(sequences)
    np.testing.assert_allclose(encoder.encode(sequences, device="cuda"), on_cpu, atol=1e-4)
    assert encoder.pos_embed.is_cuda


def test_cards_tell_what_to_load(
    encoder: STARSEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def card_of(folder: Path, repo_id: str, **how: object) -> str:
        return (folder / "README.md").read_text()

    monkeypatch.setattr(checkpoints, "push_folder", card_of)
    assert 'from_pretrained("owner/name")' in encoder.push_to_hub("owner/name")
    assert encoder.push_to_hub("owner/name", card="My own.") == "My own."
    (tmp_path / "motions").mkdir()
    monkeypatch.chdir(tmp_path / "motions")
    for model in (encoder, MAMP(encoder, decoder_depth=1)):
        card = model.save_pretrained(".") / "README.md"
        assert "\n# motions\n" in card.read_text()
