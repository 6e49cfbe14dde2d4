import dataclasses

import pytest

from stars_hub.errors import ConfigError
from stars_hub.model.config import EncoderConfig


def test_defaults_are_the_papers() -> None:
    config = EncoderConfig()
    assert (config.num_frame_patches, config.num_joint_patches, config.num_tokens) == (30, 25, 750)
    assert (config.patch_dim, config.hidden_dim) == (12, 1024)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_frames": 121}, "frame_patch_size must divide num_frames, got 4 and 121"),
        ({"joint_patch_size": 2}, "joint_patch_size must divide num_joints, got 2 and 25"),
        ({"num_heads": 7}, "num_heads must divide embed_dim, got 7 and 256"),
        ({"depth": 0}, "depth must be at least 1, got 0"),
        ({"drop_rate": 1.0}, r"drop_rate must lie in \[0, 1\), got 1.0"),
        ({"drop_path_rate": -0.1}, "drop_path_rate must lie"),
        ({"embed_dim": "256"}, "embed_dim must be of type int, got '256'"),
        ({"depth": True}, "depth must be of type int, got True"),
        ({"depth": 8.0}, "depth must be of type int, got 8.0"),
        ({"absent_person": "none"}, "absent_person must be one of zeros, copy, got 'none'"),
        ({"embed_dim": 10**400}, "embed_dim must be at most 1099511627776, got 1000"),
        ({"mlp_ratio": float("inf")}, "mlp_ratio must be a finite number, got inf"),
        ({"mlp_ratio": float("nan")}, "mlp_ratio must be a finite number, got nan"),
        ({"mlp_ratio": 1e308}, "mlp_ratio must give a hidden width of at least 1 and at most 1099511627776"),
        (
            {"mlp_ratio": 10**400},
            "mlp_ratio must give a hidden width of at least 1 and at most 1099511627776",
        ),
        ({"drop_rate": float("nan")}, "drop_rate must be a finite number, got nan"),
        ({"mlp_ratio": 0.0}, "mlp_ratio must give a hidden width of at least 1"),
    ],
)
def test_impossible_values_are_refused(values: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EncoderConfig(**values)


def test_it_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        EncoderConfig().depth = 4  # type: ignore[misc]


def test_it_survives_a_dictionary_that_holds_more() -> None:
    config = EncoderConfig(depth=3, centering="none", mlp_ratio=2)
    assert EncoderConfig.from_dict({**config.to_dict(), "label_names": ["a"], "format_version": 1}) == config


def test_a_dictionary_without_a_size_is_refused() -> None:
    values = EncoderConfig().to_dict()
    del values["depth"], values["num_frames"]
    with pytest.raises(ConfigError, match="lacks num_frames, depth"):
        EncoderConfig.from_dict(values)
