"""What an encoder is made of: a frozen, validated dataclass that travels as config.json."""

import dataclasses
import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from stars_hub.errors import ConfigError

_AT_LEAST_ONE = [
    "num_joints",
    "num_frames",
    "num_persons",
    "frame_patch_size",
    "joint_patch_size",
    "in_chans",
    "embed_dim",
    "depth",
    "num_heads",
]
_LARGEST = 2**40
_RATES = ("drop_rate", "attn_drop_rate", "drop_path_rate")


@dataclass(frozen=True)
class EncoderConfig:
    """The size of an encoder and how `encode` prepares its input; the defaults are the paper's.

    Args:
        num_joints: joints of a skeleton, V.
        num_frames: frames that the encoder sees, T.
        num_persons: persons that the encoder sees, M.
        frame_patch_size: frames of a patch, u; divides `num_frames`.
        joint_patch_size: joints of a patch, p; divides `num_joints`.
        in_chans: coordinates of a joint, C.
        embed_dim: width of a token, D.
        depth: number of blocks.
        num_heads: attention heads; divides `embed_dim`.
        mlp_ratio: hidden width of a block's feed-forward part, as a multiple of `embed_dim`.
        qkv_bias: whether queries, keys and values have a bias.
        drop_rate: dropout after attention and in the feed-forward part.
        attn_drop_rate: dropout of attention weights.
        drop_path_rate: stochastic depth of the last block; grows linearly from 0 at the first.
        layout: name of the joint layout that the encoder was trained on.
        absent_person: a second person who is not there is all "zeros" (NTU-60, PKU-MMD), or a "copy"
            of the first (weights trained on the authors' NTU-120 files).
        centering: "sequence" puts the middle of the first person's spine in the first frame at the
            origin (NTU); "none" leaves coordinates as they are (PKU-MMD).

    Raises:
        ConfigError: a value that cannot be.

    Reference: STARS (arXiv 2407.10935), section 4.2 (implementation details).

    >>> EncoderConfig().num_tokens
    750
    """

    num_joints: int = 25
    num_frames: int = 120
    num_persons: int = 2
    frame_patch_size: int = 4
    joint_patch_size: int = 1
    in_chans: int = 3
    embed_dim: int = 256
    depth: int = 8
    num_heads: int = 8
    mlp_ratio: float = 4.0
    qkv_bias: bool = True
    drop_rate: float = 0.0
    attn_drop_rate: float = 0.0
    drop_path_rate: float = 0.0
    layout: str = "ntu25"
    absent_person: Literal["zeros", "copy"] = "zeros"
    centering: Literal["sequence", "none"] = "sequence"

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check_type(field.name, getattr(self, field.name), field.type)
        for name in _AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
            if getattr(self, name) > _LARGEST:
                raise ConfigError(f"{name} must be at most {_LARGEST}, got {getattr(self, name)}")
        for name in _RATES:
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} must lie in [0, 1), got {getattr(self, name)}")
        for whole, part in (
            ("num_frames", "frame_patch_size"),
            ("num_joints", "joint_patch_size"),
            ("embed_dim", "num_heads"),
        ):
            if getattr(self, whole) % getattr(self, part):
                raise ConfigError(
                    f"{part} must divide {whole}, got {getattr(self, part)} and {getattr(self, whole)}"
                )
        if not 1 <= self.embed_dim * self.mlp_ratio <= _LARGEST:
            raise ConfigError(
                f"mlp_ratio must give a hidden width of at least 1 and at most {_LARGEST}, got "
                f"{self.mlp_ratio}"
            )

    @property
    def num_frame_patches(self) -> int:
        """Patches along time, T' = T / u."""
        return self.num_frames // self.frame_patch_size

    @property
    def num_joint_patches(self) -> int:
        """Patches along joints, V' = V / p."""
        return self.num_joints // self.joint_patch_size

    @property
    def num_tokens(self) -> int:
        """Tokens of one person, L = T'·V'."""
        return self.num_frame_patches * self.num_joint_patches

    @property
    def patch_dim(self) -> int:
        """Numbers in a patch, C·u·p."""
        return self.in_chans * self.frame_patch_size * self.joint_patch_size

    @property
    def hidden_dim(self) -> int:
        """Hidden width of a block's feed-forward part."""
        return int(self.embed_dim * self.mlp_ratio)

    def to_dict(self) -> dict[str, Any]:
        """The fields as a flat dictionary, ready for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "EncoderConfig":
        """Read the fields out of a larger dictionary, such as a model folder's config.json.

        Args:
            values: keys that are no field are left alone; a field that lacks takes its default,
                except the sizes, which must be given.

        Raises:
            ConfigError: a size lacks, or a value cannot be.
        """
        lacking = [name for name in _AT_LEAST_ONE if name not in values]
        if lacking:
            raise ConfigError(f"the configuration lacks {', '.join(lacking)}")
        return cls(
            **{field.name: values[field.name] for field in dataclasses.fields(cls) if field.name in values}
        )


def _check_type(name: str, value: Any, annotation: Any) -> None:
    if typing.get_origin(annotation) is Literal:
        choices = typing.get_args(annotation)
        if value not in choices:
            raise ConfigError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
        return
    accepted = (int, float) if annotation is float else annotation
    if not isinstance(value, accepted) or (isinstance(value, bool) and annotation is not bool):
        raise ConfigError(f"{name} must be of type {annotation.__name__}, got {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{name} must be a finite number, got {value}")
