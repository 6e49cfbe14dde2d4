"""Stage 1, masked motion prediction: hide nine patches of ten, predict how they moved.

Reference: MAMP (arXiv 2308.07092); STARS (arXiv 2407.10935) section 3.1.
"""

import math
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange, reduce, repeat
from torch import Tensor

from stars_hub.distributed import global_mean
from stars_hub.errors import ConfigError, SequenceError
from stars_hub.model.decoder import MotionDecoder
from stars_hub.model.network import SkeletonTransformer
from stars_hub.objectives.base import Objective
from stars_hub.objectives.masking import count_visible, masking_scores, motion_intensity, split_tokens
from stars_hub.objectives.motion import motion, normalize_patches, target_patches


class MAMPOutput(NamedTuple):
    """What `MAMP` returns.

    Args:
        loss: (), the mean over masked tokens, of all processes.
        prediction: (N·M, L, u·p·C), person index fastest; zeros for persons left out.
        mask: (N·M, L), 1 where a token was removed and counts in the loss; zeros for persons left out.
    """

    loss: Tensor
    prediction: Tensor
    mask: Tensor


def mamp_loss(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Squared error, its mean over the numbers of a patch, then over masked patches of all processes.

    Args:
        prediction: (R, L, K).
        target: (R, L, K).
        mask: (R, L), 1 where a patch counts.

    Returns:
        (); 0 if no patch counts.
    """
    error = reduce((prediction.to(target.dtype) - target).square(), "r l k -> r l", "mean")
    return global_mean((error * mask).sum(), mask.sum())


class MAMP(Objective):
    """Masked motion prediction.

    Args:
        encoder: what is pretrained.
        decoder_depth: blocks of the decoder: 3 for NTU-60, 5 for NTU-120 and PKU-MMD.
        mask_ratio: share of tokens that the encoder does not see.
        motion_stride: frames over which motion is taken.
        motion_aware_tau: temperature of motion-aware masking; 0: random masking.
        target: "motion", or "position" for the coordinates themselves (the MAE variant of the ablations,
            which goes with `motion_aware_tau=0`). Both are normalised patch by patch.
        skip_absent_persons: leave persons who are all zeros out of computation and loss. They have no
            motion to predict; the paper's numbers include them.

    Raises:
        ConfigError: a value that cannot be.

    Shape:
        (N, C, T, V, M) -> loss (), prediction (N·M, L, u·p·C), mask (N·M, L)

    Reference: MAMP (arXiv 2308.07092) section 3.
    """

    name = "mamp"
    summary = (
        "An encoder of 3D skeleton recordings, pretrained by motion prediction (MAMP, arXiv 2308.07092)."
    )

    def __init__(
        self,
        encoder: SkeletonTransformer,
        *,
        decoder_depth: int = 3,
        mask_ratio: float = 0.9,
        motion_stride: int = 1,
        motion_aware_tau: float = 0.8,
        target: Literal["motion", "position"] = "motion",
        skip_absent_persons: bool = False,
    ) -> None:
        super().__init__(encoder)
        self.settings = {
            "decoder_depth": decoder_depth,
            "mask_ratio": mask_ratio,
            "motion_stride": motion_stride,
            "motion_aware_tau": motion_aware_tau,
            "target": target,
            "skip_absent_persons": skip_absent_persons,
        }
        config = encoder.config
        if decoder_depth < 1:
            raise ConfigError(f"decoder_depth must be at least 1, got {decoder_depth}")
        if not 1 <= motion_stride < config.num_frames:
            raise ConfigError(f"motion_stride must lie in [1, {config.num_frames}), got {motion_stride}")
        if not 0 <= motion_aware_tau < math.inf:
            raise ConfigError(f"motion_aware_tau must be at least 0 and finite, got {motion_aware_tau}")
        if target not in ("motion", "position"):
            raise ConfigError(f"target must be 'motion' or 'position', got {target!r}")
        self.mask_ratio = mask_ratio
        self.num_visible = count_visible(config.num_tokens, mask_ratio) if 0 < mask_ratio < 1 else 0
        if not 1 <= self.num_visible < config.num_tokens:
            raise ConfigError(
                f"mask_ratio must leave some of {config.num_tokens} tokens visible, got {mask_ratio}"
            )
        self.motion_stride = motion_stride
        self.motion_aware_tau = motion_aware_tau
        self.target = target
        self.skip_absent_persons = skip_absent_persons
        self.decoder = MotionDecoder(config, depth=decoder_depth)

    def forward(self, x: Tensor, noise: Tensor | None = None) -> MAMPOutput:
        """Mask, encode what is visible, predict the rest.

        Args:
            x: (N, C, T, V, M), metres.
            noise: (N·M, L), uniform in [0, 1), which decides the masks; None: drawn from torch's generator.

        Raises:
            SequenceError: `x` or `noise` has another shape than the configuration's.
        """
        self.encoder.check_input(x)
        rows = rearrange(x, "n c t v m -> (n m) c t v")
        noise = self._check_noise(noise, rows)
        if not self.skip_absent_persons:
            return self._predict(rows, noise)
        present = reduce(rows != 0, "r c t v -> r", "any").nonzero().squeeze(1)
        loss, prediction, mask = self._predict(rows[present], noise[present])
        return MAMPOutput(
            loss,
            prediction.new_zeros(len(rows), *prediction.shape[1:]).index_copy(0, present, prediction),
            mask.new_zeros(len(rows), mask.shape[1]).index_copy(0, present, mask),
        )

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Trade time for memory in training: recompute each block's activations when going backward."""
        self.encoder.set_grad_checkpointing(enable)
        self.decoder.grad_checkpointing = enable

    def _predict(self, rows: Tensor, noise: Tensor) -> MAMPOutput:
        patches = self.encoder.patchify(rows)
        scores = masking_scores(motion_intensity(patches), noise, tau=self.motion_aware_tau)
        ids_keep, mask = split_tokens(scores, num_visible=self.num_visible)
        prediction = self.decoder(self._encode_visible(patches, ids_keep), ids_keep)
        return MAMPOutput(mamp_loss(prediction, self._target(rows), mask), prediction, mask)

    def _encode_visible(self, patches: Tensor, ids_keep: Tensor) -> Tensor:
        """Embed and encode the visible patches alone: (R, T', V', C·u·p) -> (R, K, D)."""
        encoder = self.encoder
        place = rearrange(encoder.temp_embed + encoder.pos_embed, "1 t v d -> (t v) d")
        visible = rearrange(patches, "r t v k -> r (t v) k")
        visible = visible.gather(1, repeat(ids_keep, "r l -> r l k", k=visible.shape[-1]))
        return encoder.encode_tokens(encoder.patch_embed(visible) + F.embedding(ids_keep, place))

    def _target(self, rows: Tensor) -> Tensor:
        config = self.encoder.config
        what = motion(rows, stride=self.motion_stride) if self.target == "motion" else rows
        patches = target_patches(
            what, frame_patch_size=config.frame_patch_size, joint_patch_size=config.joint_patch_size
        )
        return normalize_patches(patches)

    def _check_noise(self, noise: Tensor | None, rows: Tensor) -> Tensor:
        expected = (len(rows), self.encoder.config.num_tokens)
        if noise is None:
            return torch.rand(expected, device=rows.device, dtype=rows.dtype)
        if tuple(noise.shape) != expected:
            raise SequenceError(f"expected noise of shape (N·M, L) = {expected}, got {tuple(noise.shape)}")
        return noise
