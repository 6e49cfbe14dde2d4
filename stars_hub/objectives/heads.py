"""The heads of contrastive tuning: what stands between the encoder's feature and the loss.

Reference: STARS (arXiv 2407.10935) section 3.2; NNCLR (arXiv 2104.14548).
"""

from torch import nn

from stars_hub.distributed import BatchNorm1d


def build_projector(dim: int) -> BatchNorm1d:
    """Make the projector, a batch normalisation and nothing else: feature (N, D) -> z (N, D)."""
    projector = BatchNorm1d(dim)
    init_head(projector)
    return projector


def build_predictor(dim: int, hidden_dim: int) -> nn.Sequential:
    """Make the predictor, two linear layers with batch normalisation: z (N, D) -> p (N, D)."""
    predictor = nn.Sequential(
        nn.Linear(dim, hidden_dim, bias=False),
        BatchNorm1d(hidden_dim),
        nn.ReLU(),
        nn.Linear(hidden_dim, dim),
    )
    return predictor.apply(init_head)


def init_head(module: nn.Module) -> None:
    """Give a layer of a head the authors' start: weights N(0, 0.02), batch norms N(1, 0.02), biases 0."""
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
    elif isinstance(module, nn.BatchNorm1d):
        nn.init.normal_(module.weight, mean=1.0, std=0.02)
    if isinstance(module, nn.Linear | nn.BatchNorm1d) and module.bias is not None:
        nn.init.zeros_(module.bias)
