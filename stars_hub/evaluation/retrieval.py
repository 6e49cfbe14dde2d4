"""Which recordings an encoder finds alike: the neighbours of some queries, to be looked at."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stars_hub.errors import ConfigError
from stars_hub.skeletons.store import SkeletonStore


@dataclass(frozen=True, kw_only=True, eq=False)
class Neighbours:
    """Some queries and the recordings nearest to them, nearest first.

    Args:
        queries: Q recordings.
        bank: the recordings among which neighbours were looked for.
        nearest: (Q, k), indices into the bank.
        similarity: (Q, k), cosine.

    Raises:
        ConfigError: lengths that do not fit together.
    """

    queries: SkeletonStore
    bank: SkeletonStore
    nearest: np.ndarray
    similarity: np.ndarray

    def __post_init__(self) -> None:
        shapes = self.nearest.shape, self.similarity.shape
        if len(self.queries) != len(self.nearest) or shapes[0] != shapes[1] or len(shapes[0]) != 2:
            raise ConfigError(
                f"expected (Q, k) for {len(self.queries)} queries, got {shapes[0]} and {shapes[1]}"
            )
        if self.nearest.size and not 0 <= self.nearest.min() <= self.nearest.max() < len(self.bank):
            raise ConfigError(f"nearest must be indices into the {len(self.bank)} recordings of the bank")


def find_neighbours(
    queries: SkeletonStore,
    query_features: npt.ArrayLike,
    bank: SkeletonStore,
    bank_features: npt.ArrayLike,
    *,
    count: int = 6,
    k: int = 4,
    seed: int = 0,
) -> Neighbours:
    """Draw some queries at random, and find the nearest recordings by cosine similarity.

    A query that is in the bank finds itself: pass stores that share no recording, such as the two parts of a
    split.

    Args:
        queries: Q' recordings.
        query_features: (Q', D).
        bank: B recordings.
        bank_features: (B, D).
        count: queries drawn; all of them if there are fewer.
        k: neighbours of each.
        seed: of the draw.

    Raises:
        ConfigError: not a feature for each recording, or k beyond the bank's size.
    """
    query_features, bank_features = np.asarray(query_features), np.asarray(bank_features)
    if len(queries) != len(query_features) or len(bank) != len(bank_features):
        raise ConfigError(
            f"expected a feature for each of {len(queries)} queries and {len(bank)} recordings of the bank, "
            f"got {len(query_features)} and {len(bank_features)}"
        )
    if not 1 <= k <= len(bank):
        raise ConfigError(f"k must lie in [1, {len(bank)}], the size of the bank, got {k}")
    drawn = np.random.default_rng(seed).permutation(len(queries))[:count]
    similarity = _unit(query_features[drawn]) @ _unit(bank_features).T
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    return Neighbours(
        queries=queries.select(drawn),
        bank=bank,
        nearest=nearest,
        similarity=np.take_along_axis(similarity, nearest, axis=1),
    )


def _unit(features: np.ndarray) -> np.ndarray:
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
