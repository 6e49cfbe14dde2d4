"""The parts of a transformer block, read top to bottom: attention, feed-forward, block.

Reference: Vaswani et al. 2017 (arXiv 1706.03762) in its pre-norm form (Dosovitskiy et al., arXiv 2010.11929).
"""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head self-attention, fused: the (L, L) matrix is never held in memory.

    Args:
        dim: width of a token, D.
        num_heads: number of heads; divides `dim`.
        qkv_bias: whether queries, keys and values have a bias.
        drop_rate: dropout of the result.
        attn_drop_rate: dropout of attention weights.

    Shape:
        (R, L, D) -> (R, L, D)
    """

    def __init__(
        self,
        dim: int,
        *,
        num_heads: int,
        qkv_bias: bool = True,
        drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.attn_drop_rate = attn_drop_rate
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)
        self.drop = nn.Dropout(drop_rate)

    def forward(self, x: Tensor) -> Tensor:
        """Let every token of a row look at every other."""
        q, k, v = rearrange(self.qkv(x), "r l (three h d) -> three r h l d", three=3, h=self.num_heads)
        dropout = self.attn_drop_rate if self.training else 0.0
        x = F.scaled_dot_product_attention(_with_fast_length(q), k, v, dropout_p=dropout)[:, :, : q.shape[2]]
        return self.drop(self.proj(rearrange(x, "r h l d -> r l (h d)")))


# From so many queries on, torch's CPU kernel works in blocks of 256 instead of 64.
_FAST_LENGTH = 768
_WORTH_FILLING = 0.9 * _FAST_LENGTH


def _with_fast_length(q: Tensor) -> Tensor:
    """Fill up the queries (R, H, L, D/H) where that makes the kernel faster; what they find is cut off."""
    length = q.shape[2]
    if q.device.type != "cpu" or not _WORTH_FILLING <= length < _FAST_LENGTH:
        return q
    return F.pad(q, (0, 0, 0, _FAST_LENGTH - length))


class FeedForward(nn.Module):
    """Two linear layers with an exact GELU between them.

    Shape:
        (R, L, D) -> (R, L, D)
    """

    def __init__(self, dim: int, hidden_dim: int, *, drop_rate: float = 0.0) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden_dim)
        self.fc2 = nn.Linear(hidden_dim, dim)
        self.drop = nn.Dropout(drop_rate)

    def forward(self, x: Tensor) -> Tensor:
        """Transform each token by itself."""
        return self.drop(self.fc2(self.drop(F.gelu(self.fc1(x)))))


class DropPath(nn.Module):
    """Stochastic depth: in training, a row's branch is left out with probability `drop_rate`.

    What stays is scaled by 1 / (1 - drop_rate), so that the expectation is kept.

    Reference: Huang et al. 2016 (arXiv 1603.09382).
    """

    def __init__(self, drop_rate: float = 0.0) -> None:
        super().__init__()
        self.drop_rate = drop_rate

    def forward(self, x: Tensor) -> Tensor:
        """Drop whole rows of (R, L, D)."""
        if not self.training or self.drop_rate == 0:
            return x
        keep = torch.rand(x.shape[0], 1, 1, device=x.device) >= self.drop_rate
        return x * keep.to(x.dtype) / (1 - self.drop_rate)


class Block(nn.Module):
    """Pre-norm transformer block: x + attn(norm(x)), then x + mlp(norm(x)).

    Args:
        dim: width of a token, D.
        num_heads: number of heads.
        hidden_dim: hidden width of the feed-forward part.
        qkv_bias: whether queries, keys and values have a bias.
        drop_rate: dropout after attention and in the feed-forward part.
        attn_drop_rate: dropout of attention weights.
        drop_path_rate: stochastic depth of both branches.

    Shape:
        (R, L, D) -> (R, L, D)
    """

    def __init__(
        self,
        dim: int,
        *,
        num_heads: int,
        hidden_dim: int,
        qkv_bias: bool = True,
        drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn = Attention(
            dim, num_heads=num_heads, qkv_bias=qkv_bias, drop_rate=drop_rate, attn_drop_rate=attn_drop_rate
        )
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = FeedForward(dim, hidden_dim, drop_rate=drop_rate)
        self.drop_path = DropPath(drop_path_rate)

    def forward(self, x: Tensor) -> Tensor:
        """Apply both branches."""
        x = x + self.drop_path(self.attn(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))


def init_linear(module: nn.Module) -> None:
    """Give a linear layer the paper's start, xavier uniform with bias 0; for `nn.Module.apply`."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
