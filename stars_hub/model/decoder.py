"""The decoder of masked pretraining: from visible tokens to a prediction for every patch.

Reference: MAMP (arXiv 2308.07092) section 3.1; MAE (arXiv 2111.06377) section 3.
"""

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from stars_hub.model.config import EncoderConfig
from stars_hub.model.layers import Block, init_linear


class MotionDecoder(nn.Module):
    """Predict all patches of a person from the encoded visible ones; thrown away after pretraining.

    Width, heads and feed-forward ratio are the encoder's; places have embeddings of its own.

    Args:
        config: the encoder's configuration.
        depth: number of blocks: the paper has 3 for NTU-60, 5 for NTU-120 and PKU-MMD.

    Shape:
        (R, K, D) tokens that stand at `ids_keep` (R, K) -> (R, L, u·p·C)
    """

    def __init__(self, config: EncoderConfig, *, depth: int) -> None:
        super().__init__()
        self.grad_checkpointing = False
        dim = config.embed_dim
        self.embed = nn.Linear(dim, dim)
        self.mask_token = nn.Parameter(torch.empty(1, 1, dim))
        self.temp_embed = nn.Parameter(torch.empty(1, config.num_frame_patches, 1, dim))
        self.pos_embed = nn.Parameter(torch.empty(1, 1, config.num_joint_patches, dim))
        self.blocks = nn.ModuleList(
            Block(dim, num_heads=config.num_heads, hidden_dim=config.hidden_dim, qkv_bias=config.qkv_bias)
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(dim)
        self.pred = nn.Linear(dim, config.patch_dim)
        self.apply(init_linear)
        for embedding in (self.mask_token, self.temp_embed, self.pos_embed):
            nn.init.trunc_normal_(embedding, std=0.02)

    def forward(self, visible: Tensor, ids_keep: Tensor) -> Tensor:
        """Put visible tokens at their places, the mask token at all others, and predict every patch."""
        place = rearrange(self.temp_embed + self.pos_embed, "1 t v d -> (t v) d")
        shown = self.embed(visible)
        shown = shown + F.embedding(ids_keep, place).to(shown.dtype)
        masked = repeat((self.mask_token + place).to(shown.dtype), "1 l d -> r l d", r=len(visible))
        tokens = masked.scatter(1, repeat(ids_keep, "r k -> r k d", d=shown.shape[-1]), shown)
        for block in self.blocks:
            if self.grad_checkpointing and torch.is_grad_enabled():
                tokens = checkpoint(block, tokens, use_reentrant=False)
            else:
                tokens = block(tokens)
        prediction: Tensor = self.pred(self.norm(tokens))
        return prediction
