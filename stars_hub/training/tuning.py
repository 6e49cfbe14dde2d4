"""Stage 2: tune a pretrained encoder by nearest-neighbour contrast.

Reference: STARS (arXiv 2407.10935) section 3.2.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stars_hub.errors import ConfigError
from stars_hub.objectives import NNCLR
from stars_hub.skeletons.store import SkeletonStore
from stars_hub.training.cache import FeatureCache, can_cache, encode_once
from stars_hub.training.chunks import encode_in_chunks
from stars_hub.training.config import TuneConfig
from stars_hub.training.data import TrainData, check_layout, open_data
from stars_hub.training.freezing import freeze_encoder, train_upper_blocks
from stars_hub.training.loop import train
from stars_hub.training.run import TrainResult
from stars_hub.training.stage import Stage, check_last_batch
from stars_hub.transforms.loader import Batch


def tune(config: TuneConfig) -> TrainResult:
    """Tune an encoder, or go on with a run that was interrupted.

    Under `torchrun`, every process calls this with the same configuration.

    Args:
        config: the run; `config.output` is its folder, `config.model` what is tuned.

    Returns:
        What the finished run left.

    Raises:
        ConfigError: the folder holds another run, or a value does not fit the data.
        NotFiniteError: features or loss are NaN or infinite; the last checkpoint is kept.
        SystemExit: SIGTERM came; a checkpoint was written. The code is 143.
    """
    data = open_data(config)
    return train(TuneStage(config, data), data)


class TuneStage(Stage[TuneConfig]):
    """NNCLR as the loop sees it.

    Args:
        config: of the run.
        data: the recordings to train on.

    Raises:
        ConfigError: a last batch of one, another layout than the encoder's, more trainable blocks than there
            are, or `other_subjects` where fewer than two are known.
    """

    objective: NNCLR
    summary = "An encoder of 3D skeleton recordings, pretrained by MAMP and tuned by STARS."

    def __init__(self, config: TuneConfig, data: TrainData) -> None:
        super().__init__(config)
        check_last_batch(config, len(data.train))
        self.two_views = config.two_views
        torch.manual_seed(config.seed)
        self.objective = NNCLR.from_pretrained(
            config.model,
            predictor_hidden_dim=config.predictor_hidden_dim,
            queue_size=config.queue_size,
            temperature=config.temperature,
            topk=config.topk,
        )
        encoder = self.objective.encoder
        check_layout(data.train.layout, encoder.config)
        if config.freeze_encoder:
            freeze_encoder(encoder)
        else:
            depth, blocks = encoder.config.depth, config.trainable_blocks
            train_upper_blocks(encoder, depth - depth // 2 if blocks is None else blocks)
        if config.micro_batch_size is not None:
            encode_in_chunks(encoder, config.micro_batch_size)
        self.groups = subject_numbers(data.train) if config.other_subjects else None
        if config.freeze_encoder and can_cache(config, encoder):
            self.cache = FeatureCache(len(data.train), encoder.config.embed_dim)
            encode_once(encoder, self.cache)

    def loss(self, model: nn.Module, batch: Batch, *, epoch: int) -> Tensor:
        """The contrast of a whole batch; there is nothing random in it but the choice among `topk`."""
        if self.cache is not None:
            self.cache.ids = batch.ids
        groups = None if self.groups is None else self.groups[batch.ids.cpu()].to(batch.ids.device)
        loss: Tensor = model(batch.x, batch.ids, batch.x_second, groups=groups)
        return loss

    def describe(self, objective: Any, x: Tensor) -> Tensor:
        """z, or p where the heads alone are trained."""
        features: Tensor = objective.predict(x) if self.config.freeze_encoder else objective.project(x)
        return features


def subject_numbers(store: SkeletonStore) -> Tensor:
    """Number the subjects of recordings; one of unknown subject is the only one of its own.

    Returns:
        int64 (N,).

    Raises:
        ConfigError: fewer than two subjects are known.
    """
    known = store.known_subjects
    if len(known) < 2:
        raise ConfigError("other_subjects needs recordings whose subjects are known, of two at least")
    subjects = store.subjects.astype(str)
    alone = len(known) + np.arange(len(store))
    return torch.from_numpy(np.where(np.isin(subjects, known), np.searchsorted(known, subjects), alone))
