"""Stage 1: pretrain an encoder by masked motion prediction.

Reference: MAMP (arXiv 2308.07092); STARS (arXiv 2407.10935) section 3.1.
"""

from typing import Any

import torch
from einops import rearrange, reduce
from torch import Tensor, nn

from stars_hub.distributed import all_sum
from stars_hub.objectives import MAMP
from stars_hub.training.config import PretrainConfig
from stars_hub.training.data import TrainData, check_layout, open_data
from stars_hub.training.loop import train
from stars_hub.training.run import TrainResult
from stars_hub.training.stage import Stage, split_batch
from stars_hub.training.start import new_encoder, with_encoder
from stars_hub.transforms.keyed import keyed_uniform
from stars_hub.transforms.loader import Batch

_MASKING = 2  # the purpose of keyed randomness


def pretrain(config: PretrainConfig) -> TrainResult:
    """Pretrain an encoder, or go on with a run that was interrupted.

    Under `torchrun`, every process calls this with the same configuration.

    Args:
        config: the run; `config.output` is its folder.

    Returns:
        What the finished run left.

    Raises:
        ConfigError: the folder holds another run, or a value does not fit the data.
        NotFiniteError: the loss is NaN or infinite; the last checkpoint is kept.
        SystemExit: SIGTERM came; a checkpoint was written. The code is 143.
    """
    data = open_data(config)
    return train(PretrainStage(config, data), data)


class PretrainStage(Stage[PretrainConfig]):
    """MAMP as the loop sees it.

    Args:
        config: of the run.
        data: the recordings to train on.
    """

    objective: MAMP
    summary = "An encoder of 3D skeleton recordings, pretrained by masked motion prediction (MAMP)."

    def __init__(self, config: PretrainConfig, data: TrainData) -> None:
        super().__init__(config)
        layout = data.train.layout
        settings: dict[str, Any] = {
            "decoder_depth": config.decoder_depth,
            "mask_ratio": config.mask_ratio,
            "motion_stride": config.motion_stride,
            "motion_aware_tau": config.motion_aware_tau,
            "target": config.target,
            "skip_absent_persons": config.skip_absent_persons,
        }
        torch.manual_seed(config.seed)
        self.objective = (
            MAMP.from_pretrained(config.model, **settings)
            if config.model
            else MAMP(new_encoder(config.encoder, layout), **settings)
        )
        check_layout(layout, self.objective.encoder.config)
        self.config = with_encoder(config, self.objective.encoder.config)

    def parts(self, batch: Batch, count: int) -> list[tuple[Batch, float]]:
        """Parts weigh as many persons as they hold that count in the loss."""
        if count == 1:
            return [(batch, 1.0)]
        parts = split_batch(batch, count)
        persons = all_sum(torch.stack([self._num_persons(part) for part in parts]).double())
        shares = persons / persons.sum().clamp(min=1)
        return list(zip(parts, shares.tolist(), strict=True))

    def _num_persons(self, batch: Batch) -> Tensor:
        rows = rearrange(batch.x, "n c t v m -> (n m) (c t v)")
        if not self.config.skip_absent_persons:
            return torch.tensor(len(rows), device=rows.device)
        return reduce(rows != 0, "r k -> r", "any").sum()

    def loss(self, model: nn.Module, batch: Batch, *, epoch: int) -> Tensor:
        """The error of the predicted motion, under masks that seed, epoch and sample decide."""
        config = self.objective.encoder.config
        size = batch.x.shape[-1] * config.num_tokens
        uniform = keyed_uniform(self.config.seed, epoch, batch.ids.cpu().numpy(), size, purpose=_MASKING)
        noise = rearrange(torch.from_numpy(uniform), "n (m l) -> (n m) l", l=config.num_tokens)
        loss: Tensor = model(batch.x, noise.to(batch.x)).loss
        return loss
