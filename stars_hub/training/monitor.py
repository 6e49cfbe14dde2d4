"""Accuracy while training goes on: of k-NN among features, or of a classifier's own logits."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from stars_hub.distributed import all_gather, all_sum, rank, world_size
from stars_hub.model.config import EncoderConfig
from stars_hub.neighbours import fitting_ks, knn_predict
from stars_hub.skeletons.store import SkeletonStore
from stars_hub.training.data import TrainData
from stars_hub.transforms.loader import BatchLoader

NUM_NEIGHBOURS = (10, 20, 40)
_CROP = 0.95
_TEMPERATURE = 0.1

Describe = Callable[[Tensor], Tensor]


class Monitor(ABC):
    """A look at a model between epochs, on recordings that were set apart; processes share the work.

    Args:
        data: bank and queries; without them there is nothing to monitor.
        encoder: how recordings are prepared.
        batch_size: recordings at a time, on each process.
    """

    def __init__(self, data: TrainData, encoder: EncoderConfig, *, batch_size: int) -> None:
        self.data, self.encoder, self.batch_size = data, encoder, batch_size

    @property
    @abstractmethod
    def summary(self) -> str | None:
        """What is looked at, or None if there is nothing."""

    @abstractmethod
    def __call__(self, describe: Describe, *, device: torch.device, dtype: torch.dtype) -> dict[str, float]:
        """Measure accuracies in percent, by their names in the metrics; none where there is nothing to ask.

        Args:
            describe: (N, C, T, V, M) -> features or logits (N, D), in evaluation mode.
            device: where it computes.
            dtype: of its input.
        """

    def loader(self, store: SkeletonStore) -> BatchLoader:
        """This process's share of a store, the middle of each recording, in order."""
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


class AccuracyMonitor(Monitor):
    """Accuracy of a classifier: how often the highest logit is that of the true class."""

    @property
    def summary(self) -> str | None:
        """The recordings and, where they are known, the subjects that are asked about."""
        queries = self.data.queries
        return None if queries is None else f"validation: {len(queries)} recordings{_whose(queries)}"

    @torch.no_grad()
    def __call__(self, describe: Describe, *, device: torch.device, dtype: torch.dtype) -> dict[str, float]:
        """Measure `validation`, accuracy in percent."""
        if self.data.queries is None:
            return {}
        counts = torch.zeros(2, dtype=torch.int64, device=device)
        for batch in self.loader(self.data.queries):
            right = describe(batch.x.to(device, dtype)).argmax(1) == batch.labels.to(device)
            counts += torch.stack([right.sum(), torch.tensor(len(right), device=device)])
        right, asked = all_sum(counts).tolist()
        return {"validation": 100 * right / asked}


class KNNMonitor(Monitor):
    """Weighted k-NN: how well features of some subjects find others' actions."""

    @property
    def summary(self) -> str | None:
        """The recordings, and whose they are."""
        if self.data.bank is None or self.data.queries is None:
            return None
        queries = self.data.queries
        return (
            f"k-NN monitor: {len(queries)} recordings{_whose(queries)} among {len(self.data.bank)} of others"
        )

    @torch.no_grad()
    def __call__(self, describe: Describe, *, device: torch.device, dtype: torch.dtype) -> dict[str, float]:
        """Measure `knn_10` and the like, for each number of neighbours that fits."""
        if self.data.bank is None or self.data.queries is None:
            return {}
        bank, labels = self._features(self.data.bank, describe, device, dtype)
        queries, truth = self._features(self.data.queries, describe, device, dtype)
        ks = fitting_ks(NUM_NEIGHBOURS, len(bank))
        predictions = knn_predict(queries, bank, labels, ks=ks, temperature=_TEMPERATURE)
        return {f"knn_{k}": 100 * (found == truth).double().mean().item() for k, found in predictions.items()}

    def _features(
        self, store: SkeletonStore, describe: Describe, device: torch.device, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        batches = [
            (describe(batch.x.to(device, dtype)), batch.labels.to(device), batch.ids.to(device))
            for batch in self.loader(store)
        ]
        empty = torch.empty(0, dtype=torch.int64, device=device)
        batches = batches or [
            (torch.empty(0, self.encoder.embed_dim, device=device, dtype=dtype), empty, empty)
        ]
        features, labels, ids = (all_gather(torch.cat(part)) for part in zip(*batches, strict=True))
        order = ids.argsort()
        return features[order], labels[order]


def clip_settings(encoder: EncoderConfig) -> dict[str, Any]:
    """How a loader prepares recordings for this encoder."""
    return {
        "num_frames": encoder.num_frames,
        "num_persons": encoder.num_persons,
        "absent_person": encoder.absent_person,
        "centering": encoder.centering,
    }


def _whose(store: SkeletonStore) -> str:
    subjects = store.known_subjects
    return f" of subjects {', '.join(subjects)}" if subjects else ""
