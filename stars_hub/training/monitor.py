"""k-NN accuracy while training goes on: how well features of some subjects find others' actions."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from stars_hub.distributed import all_gather, rank, world_size
from stars_hub.model.config import EncoderConfig
from stars_hub.neighbours import knn_predict
from stars_hub.skeletons.store import SkeletonStore
from stars_hub.training.data import TrainData
from stars_hub.transforms.loader import BatchLoader

NUM_NEIGHBOURS = (10, 20, 40)
_CROP = 0.95
_TEMPERATURE = 0.1

Describe = Callable[[Tensor], Tensor]


class Monitor:
    """Weighted k-NN of the monitored recordings; processes share the work.

    Args:
        data: bank and queries; without them there is nothing to monitor.
        encoder: how recordings are prepared.
        batch_size: recordings at a time, on each process.
    """

    def __init__(self, data: TrainData, encoder: EncoderConfig, *, batch_size: int) -> None:
        self.data, self.encoder, self.batch_size = data, encoder, batch_size

    @torch.no_grad()
    def __call__(self, describe: Describe, *, device: torch.device, dtype: torch.dtype) -> dict[str, float]:
        """Measure accuracy in percent for each number of neighbours that fits, by its name in the metrics.

        Args:
            describe: (N, C, T, V, M) -> features (N, D), in evaluation mode.
            device: where it computes.
            dtype: of its input.
        """
        if self.data.bank is None or self.data.queries is None:
            return {}
        bank, labels = self._features(self.data.bank, describe, device, dtype)
        queries, truth = self._features(self.data.queries, describe, device, dtype)
        ks = [k for k in NUM_NEIGHBOURS if k <= len(bank)] or [1]
        predictions = knn_predict(queries, bank, labels, ks=ks, temperature=_TEMPERATURE)
        return {f"knn_{k}": 100 * (found == truth).double().mean().item() for k, found in predictions.items()}

    def _features(
        self, store: SkeletonStore, describe: Describe, device: torch.device, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        batches = [
            (describe(batch.x.to(device, dtype)), batch.labels.to(device), batch.ids.to(device))
            for batch in self._loader(store)
        ]
        empty = torch.empty(0, dtype=torch.int64, device=device)
        batches = batches or [
            (torch.empty(0, self.encoder.embed_dim, device=device, dtype=dtype), empty, empty)
        ]
        features, labels, ids = (all_gather(torch.cat(part)) for part in zip(*batches, strict=True))
        order = ids.argsort()
        return features[order], labels[order]

    def _loader(self, store: SkeletonStore) -> BatchLoader:
        return BatchLoader(
            store,
            batch_size=self.batch_size,
            crop=_CROP,
            rotation=0.0,
            shuffle=False,
            drop_last=False,
            rank=rank(),
            world_size=world_size(),
            **clip_settings(self.encoder),
        )


def clip_settings(encoder: EncoderConfig) -> dict[str, Any]:
    """How a loader prepares recordings for this encoder."""
    return {
        "num_frames": encoder.num_frames,
        "num_persons": encoder.num_persons,
        "absent_person": encoder.absent_person,
        "centering": encoder.centering,
    }
