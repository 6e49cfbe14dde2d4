"""What turns an encoder into a classifier: the two heads of the paper's protocols.

Reference: MAMP (arXiv 2308.07092) section 4.3; STARS (arXiv 2407.10935) section 4.3.
"""

from einops import rearrange, reduce
from torch import Tensor, nn

from stars_hub.distributed import BatchNorm1d
from stars_hub.model.config import EncoderConfig
from stars_hub.model.layers import init_linear


class LinearHead(nn.Module):
    """The head of the linear protocol: features without scale, one linear layer.

    Args:
        dim: width of a feature, D.
        num_classes: number of classes, K.

    Shape:
        features (N, D) -> logits (N, K)
    """

    def __init__(self, dim: int, num_classes: int) -> None:
        super().__init__()
        self.norm = BatchNorm1d(dim, eps=1e-6, affine=False)
        self.fc = nn.Linear(dim, num_classes)
        nn.init.trunc_normal_(self.fc.weight, std=0.01, a=-2.0, b=2.0)
        nn.init.zeros_(self.fc.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Score every class."""
        logits: Tensor = self.fc(self.norm(features))
        return logits


class JointHead(nn.Module):
    """The head of fine-tuning: every joint's mean over time and persons, then two linear layers.

    Args:
        config: the encoder's.
        num_classes: number of classes, K.
        hidden_dim: width between the two layers.
        drop_rate: dropout of the encoder's tokens.

    Shape:
        tokens (N, M, T', V', D) -> logits (N, K)
    """

    def __init__(
        self, config: EncoderConfig, num_classes: int, *, hidden_dim: int = 2048, drop_rate: float = 0.3
    ) -> None:
        super().__init__()
        self.drop = nn.Dropout(drop_rate)
        self.fc1 = nn.Linear(config.num_joint_patches * config.embed_dim, hidden_dim)
        self.norm = BatchNorm1d(hidden_dim)
        self.act = nn.ReLU()
        self.fc2 = nn.Linear(hidden_dim, num_classes)
        self.apply(init_linear)

    def forward(self, tokens: Tensor) -> Tensor:
        """Score every class."""
        pooled = reduce(self.drop(tokens), "n m t v d -> n m v d", "mean")
        joints = reduce(rearrange(pooled, "n m v d -> n m (v d)"), "n m k -> n k", "mean")
        logits: Tensor = self.fc2(self.act(self.norm(self.fc1(joints))))
        return logits
