"""The support set of nearest neighbours: the last features seen, first in, first out.

Reference: NNCLR (arXiv 2104.14548) section 3.2; STARS (arXiv 2407.10935) section 3.2.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stars_hub.errors import ConfigError

NOBODY = -1


class NeighbourQueue(nn.Module):
    """A ring of unit vectors and the samples, or groups of such, they came from; all is in the state dict.

    Args:
        size: rows, K.
        dim: width of a row, D.

    Raises:
        ConfigError: a size below 1.

    Attributes:
        features: (K, D), unit vectors, random at the start.
        ids: (K,), the sample or group of each row, -1 at the start.
        pointer: (), the row that is written next.
    """

    features: Tensor
    ids: Tensor
    pointer: Tensor

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        if size < 1:
            raise ConfigError(f"queue_size must be at least 1, got {size}")
        self.register_buffer("features", F.normalize(torch.randn(size, dim), eps=1e-12))
        self.register_buffer("ids", torch.full((size,), NOBODY))
        self.register_buffer("pointer", torch.tensor(0))

    @torch.no_grad()
    def nearest(
        self, z: Tensor, ids: Tensor, *, topk: int = 0, generator: torch.Generator | None = None
    ) -> Tensor:
        """Find each feature's nearest row that is not of the same sample or group.

        Args:
            z: (N, D), unit vectors.
            ids: (N,), their samples or groups; rows of the same id count as opposite.
            topk: 0: the nearest; else one of so many nearest, at random.
            generator: of that choice; None: torch's own.

        Returns:
            (N, D), without gradient.
        """
        similarity = (z @ self.features.T).masked_fill(ids[:, None] == self.ids, -1.0)
        if topk == 0:
            return self.features[similarity.argmax(dim=1)]
        nearest = similarity.topk(topk, dim=1).indices
        chosen = torch.randint(topk, (len(z), 1), device=z.device, generator=generator)
        return self.features[nearest.gather(1, chosen).squeeze(1)]

    @torch.no_grad()
    def enqueue(self, z: Tensor, ids: Tensor) -> None:
        """Put features in, over the oldest ones; of a batch larger than the queue, the last K stay.

        Args:
            z: (N, D), unit vectors, of any N.
            ids: (N,), their samples or groups.
        """
        size = len(self.features)
        order = torch.arange(max(0, len(z) - size), len(z), device=z.device)
        rows = (self.pointer + order) % size
        self.features.index_copy_(0, rows, z[order].to(self.features.dtype))
        self.ids.index_copy_(0, rows, ids[order])
        self.pointer.add_(len(z)).remainder_(size)
