"""The network of STARS and MAMP: patches of one joint's motion as tokens of a plain transformer.

Reference: MAMP (arXiv 2308.07092) section 3.1; STARS (arXiv 2407.10935) section 3.1.
"""

import torch
import torch.nn.functional as F
from einops import rearrange, reduce
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from stars_hub.errors import SequenceError
from stars_hub.model.config import EncoderConfig
from stars_hub.model.layers import Block, DropPath, init_linear
from stars_hub.model.persons import distinct_rows

# A processor is faster on a few rows at a time, whose activations stay in its cache.
_ROWS_IN_CACHE = 4


class SkeletonTransformer(nn.Module):
    """Encoder of skeleton sequences: tensors in, tensors out; it knows nothing of files.

    Persons are folded into the batch, one row each. Rows that must give the same tokens (persons who
    are absent, copies of the first person) are encoded once, wherever no randomness could tell them
    apart; values and gradients are those of encoding every row.

    Args:
        config: sizes and rates.

    Shape:
        (N, C, T, V, M), metres -> features (N, D)
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.grad_checkpointing = False
        self.drop_path_rate = config.drop_path_rate
        dim = config.embed_dim
        self.patch_embed = nn.Linear(config.patch_dim, dim)
        self.temp_embed = nn.Parameter(torch.empty(1, config.num_frame_patches, 1, dim))
        self.pos_embed = nn.Parameter(torch.empty(1, 1, config.num_joint_patches, dim))
        self.blocks = nn.ModuleList(
            Block(
                dim,
                num_heads=config.num_heads,
                hidden_dim=config.hidden_dim,
                qkv_bias=config.qkv_bias,
                drop_rate=config.drop_rate,
                attn_drop_rate=config.attn_drop_rate,
                drop_path_rate=rate,
            )
            for rate in torch.linspace(0, config.drop_path_rate, config.depth).tolist()
        )
        self.norm = nn.LayerNorm(dim)
        self.blocks.apply(init_linear)  # patch_embed keeps torch's default: uniform within 1 / sqrt(C·u·p)
        nn.init.trunc_normal_(self.temp_embed, std=0.02)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Describe each sample by one vector: the mean of its tokens, absent persons included.

        Args:
            x: (N, C, T, V, M), metres.

        Returns:
            Features (N, D).

        Raises:
            SequenceError: `x` has another shape than the configuration's.
        """
        rows, inverse = self._person_rows(x)
        pooled = reduce(self.encode_rows(rows), "r t v d -> r d", "mean")
        return reduce(pooled.index_select(0, inverse), "(n m) d -> n d", "mean", m=x.shape[-1])

    def forward_features(self, x: Tensor) -> Tensor:
        """Describe each patch of each person by one vector, after the last norm.

        Args:
            x: (N, C, T, V, M), metres.

        Returns:
            Tokens (N, M, T', V', D).

        Raises:
            SequenceError: `x` has another shape than the configuration's.
        """
        rows, inverse = self._person_rows(x)
        return rearrange(
            self.encode_rows(rows).index_select(0, inverse), "(n m) t v d -> n m t v d", m=x.shape[-1]
        )

    def encode_rows(self, rows: Tensor) -> Tensor:
        """Encode single persons, every row by itself: (R, C, T, V) -> (R, T', V', D)."""
        tokens = rearrange(self.embed(rows), "r t v d -> r (t v) d")
        if torch.is_grad_enabled() or tokens.device.type != "cpu":
            encoded = self.encode_tokens(tokens)
        else:
            encoded = torch.cat([self.encode_tokens(part) for part in tokens.split(_ROWS_IN_CACHE)])
        return rearrange(encoded, "r (t v) d -> r t v d", t=self.config.num_frame_patches)

    def embed(self, rows: Tensor) -> Tensor:
        """Cut rows into patches and embed them, place included: (R, C, T, V) -> (R, T', V', D)."""
        return self.patch_embed(self.patchify(rows)) + self.temp_embed + self.pos_embed

    def patchify(self, rows: Tensor) -> Tensor:
        """Cut rows into patches, as `patch_embed` takes them: (R, C, T, V) -> (R, T', V', C·u·p)."""
        u, p = self.config.frame_patch_size, self.config.joint_patch_size
        return rearrange(rows, "r c (t u) (v p) -> r t v (c u p)", u=u, p=p)

    def encode_tokens(self, tokens: Tensor) -> Tensor:
        """Run the blocks and the last norm over any set of tokens: (R, L, D) -> (R, L, D)."""
        for block in self.blocks:
            if self.grad_checkpointing and torch.is_grad_enabled():
                tokens = checkpoint(block, tokens, use_reentrant=False)
            else:
                tokens = block(tokens)
        return self.norm(tokens)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Trade time for memory in training: recompute each block's activations when going backward."""
        self.grad_checkpointing = enable

    def set_drop_path_rate(self, rate: float) -> None:
        """Train with another stochastic depth, growing linearly from 0 at the first block to `rate`.

        The configuration keeps its own: this is a setting of a run, which no saved model carries on.
        """
        self.drop_path_rate = rate
        paths = [module for module in self.blocks.modules() if isinstance(module, DropPath)]
        for path, part in zip(paths, torch.linspace(0, rate, len(paths)).tolist(), strict=True):
            path.drop_rate = part

    def _person_rows(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The rows (R, C, T, V) to encode, and for each person (N·M,) the row that stands for it."""
        self.check_input(x)
        rows = rearrange(x, "n c t v m -> (n m) c t v")
        config = self.config
        random = self.training and max(config.drop_rate, config.attn_drop_rate, self.drop_path_rate) > 0
        # A gradient with respect to the input is every person's own, so then nobody stands for another.
        if random or len(rows) == 0 or (x.requires_grad and torch.is_grad_enabled()):
            return rows, torch.arange(len(rows), device=x.device)
        distinct, inverse = distinct_rows(x)
        return rows[distinct], inverse

    def check_input(self, x: Tensor) -> None:
        """Refuse what is no (N, C, T, V, M) of the configuration's sizes.

        Raises:
            SequenceError: another shape; the message says which was expected.
        """
        config = self.config
        expected = (config.in_chans, config.num_frames, config.num_joints)
        if x.ndim != 5 or tuple(x.shape[1:4]) != expected or not 1 <= x.shape[4] <= config.num_persons:
            c, t, v = expected
            raise SequenceError(
                f"expected x of shape (N, C={c}, T={t}, V={v}, M<={config.num_persons}), got {tuple(x.shape)}"
            )


def resize_temp_embed(temp_embed: Tensor, num_frame_patches: int) -> Tensor:
    """Fit a temporal embedding to another number of frame patches, by bicubic interpolation.

    Args:
        temp_embed: (1, T', 1, D).
        num_frame_patches: the new T'.

    Returns:
        (1, num_frame_patches, 1, D), of the same dtype.
    """
    if temp_embed.shape[1] == num_frame_patches:
        return temp_embed
    image = rearrange(temp_embed.float(), "1 t 1 d -> 1 d t 1")
    image = F.interpolate(image, size=(num_frame_patches, 1), mode="bicubic", align_corners=False)
    return rearrange(image, "1 d t 1 -> 1 t 1 d").to(temp_embed.dtype)
