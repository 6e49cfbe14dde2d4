"""How much less work a training step is than a plain one, for the same loss and gradients.

The baselines do explicit softmax attention and a pass for both persons of every sample; in tuning also two
forward passes, of which the second is detached, and gradients in all blocks, though only the upper half is
trained. They share weights, optimizer and clipping with the library, run in the same process and take turns
with it. Samples hold one person.

    python benchmarks/objectives.py [--device cuda] [--batch-size 8] [--threads 2]
"""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from common import arguments, explicit_attention, report, take_turns
from einops import rearrange, repeat
from torch import Tensor

from stars_hub.model import EncoderConfig, SkeletonTransformer
from stars_hub.objectives import MAMP, NNCLR
from stars_hub.objectives.masking import masking_scores, motion_intensity, split_tokens
from stars_hub.training.freezing import freeze_below
from stars_hub.training.optimizer import build_optimizer, clip_each_gradient, parameter_groups


def plain_nnclr(objective: NNCLR, x: Tensor, ids: Tensor) -> Tensor:
    """Both views through the whole encoder, the second without gradient."""

    def view() -> tuple[Tensor, Tensor]:
        tokens = objective.encoder.encode_rows(rearrange(x, "n c t v m -> (n m) c t v"))
        z = objective.projector(rearrange(tokens, "(n m) t v d -> n (m t v) d", n=len(x)).mean(dim=1))
        return F.normalize(z.detach()), F.normalize(objective.predictor(z))

    for norm in (objective.projector, objective.predictor[1]):
        norm.momentum = 0.1
    (z_first, p_first), (z_second, p_second) = view(), view()
    targets = torch.arange(len(x), device=x.device)
    terms = [
        F.cross_entropy(objective.queue.nearest(z, ids) @ p.T / objective.temperature, targets)
        for z, p in ((z_second, p_first), (z_first, p_second.detach()))
    ]
    objective.queue.enqueue(z_first, ids)
    return sum(terms) / 2


def plain_mamp(objective: MAMP, x: Tensor, noise: Tensor) -> Tensor:
    """Every person, masked as in MAE: embed all, gather, append mask tokens, gather back."""
    encoder, decoder = objective.encoder, objective.decoder
    rows = rearrange(x, "n c t v m -> (n m) c t v")
    scores = masking_scores(motion_intensity(encoder.patchify(rows)), noise, tau=objective.motion_aware_tau)
    ids_keep, mask = split_tokens(scores, num_visible=objective.num_visible)
    ids_restore = scores.argsort(dim=1, stable=True).argsort(dim=1)
    tokens = rearrange(encoder.embed(rows), "r t v d -> r (t v) d")
    dim = tokens.shape[-1]
    tokens = encoder.encode_tokens(tokens.gather(1, repeat(ids_keep, "r k -> r k d", d=dim)))
    tokens = decoder.embed(tokens)
    masked = decoder.mask_token.expand(len(rows), mask.shape[1] - tokens.shape[1], dim)
    tokens = torch.cat([tokens, masked], dim=1).gather(1, repeat(ids_restore, "r l -> r l d", d=dim))
    tokens = tokens + rearrange(decoder.temp_embed + decoder.pos_embed, "1 t v d -> 1 (t v) d")
    for block in decoder.blocks:
        tokens = block(tokens)
    error = (decoder.pred(decoder.norm(tokens)) - objective._target(rows)).square().mean(dim=-1)
    return (error * mask).sum() / mask.sum()


def tuning(x: Tensor) -> dict[str, Callable[[], float]]:
    ids = torch.arange(len(x), device=x.device)

    def make(loss: Callable[[NNCLR], Tensor], *, frozen: bool, dtype: torch.dtype) -> Callable[[], float]:
        torch.manual_seed(0)
        objective = NNCLR(SkeletonTransformer(EncoderConfig())).to(x.device)
        half = objective.encoder.config.depth // 2
        freeze_below(objective.encoder, half)
        groups = parameter_groups(
            objective, objective.encoder, base_lr=1e-3, layer_decay=0.45, weight_decay=0.01, exempt="none"
        )
        optimizer = build_optimizer(groups)
        if not frozen:
            objective.requires_grad_(True)
        return partial(step, lambda: loss(objective), optimizer, dtype, clip=3.0)

    def plain(objective: NNCLR) -> Tensor:
        with explicit_attention():
            return plain_nnclr(objective, x, ids)

    return {
        "plain float32": make(plain, frozen=False, dtype=torch.float32),
        "NNCLR float32": make(lambda objective: objective(x, ids), frozen=True, dtype=torch.float32),
        "NNCLR bfloat16": make(lambda objective: objective(x, ids), frozen=True, dtype=torch.bfloat16),
    }


def pretraining(x: Tensor) -> dict[str, Callable[[], float]]:
    noise = torch.rand(2 * len(x), EncoderConfig().num_tokens, device=x.device)

    def make(
        loss: Callable[[MAMP], Tensor], *, skip: bool = False, dtype: torch.dtype = torch.float32
    ) -> Callable[[], float]:
        torch.manual_seed(0)
        objective = MAMP(SkeletonTransformer(EncoderConfig()), skip_absent_persons=skip).to(x.device)
        groups = parameter_groups(objective, objective.encoder, base_lr=1e-3, weight_decay=0.05)
        return partial(step, lambda: loss(objective), build_optimizer(groups), dtype)

    def plain(objective: MAMP) -> Tensor:
        with explicit_attention():
            return plain_mamp(objective, x, noise)

    def ours(objective: MAMP) -> Tensor:
        return objective(x, noise).loss

    return {
        "plain float32": make(plain),
        "MAMP float32": make(ours),
        "MAMP bfloat16": make(ours, dtype=torch.bfloat16),
        "MAMP float32, absent left out": make(ours, skip=True),
        "MAMP bfloat16, absent left out": make(ours, skip=True, dtype=torch.bfloat16),
    }


def step(
    loss_of: Callable[[], Tensor],
    optimizer: torch.optim.Optimizer,
    dtype: torch.dtype,
    clip: float | None = None,
) -> float:
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    optimizer.zero_grad()
    with torch.autocast(parameters[0].device.type, dtype=dtype, enabled=dtype != torch.float32):
        loss = loss_of()
    loss.backward()
    if clip is not None:
        clip_each_gradient(parameters, max_norm=clip)
    optimizer.step()
    return loss.item()


def main() -> None:
    options = arguments(__doc__, repeats=5)
    device = options.device
    x = torch.randn(options.batch_size, 3, 120, 25, 2, device=device)
    x[..., 1] = 0
    rows = []
    for stage, ways in (("tuning", tuning(x)), ("pretraining", pretraining(x))):
        first_loss = {way: run() for way, run in ways.items()}
        seconds = take_turns(ways, repeats=options.repeats, device=device)
        rows += [
            {
                "stage": stage,
                "way": way,
                "milliseconds": 1e3 * seconds[way],
                "times faster": seconds["plain float32"] / seconds[way],
                "first loss": first_loss[way],
            }
            for way in ways
        ]
    name = "objectives" if device == "cpu" else "objectives_cuda"
    note = (
        f"base configuration, batch {options.batch_size}, one person a sample, step with clipping and AdamW"
    )
    report(name, rows, note=note, device=device)


if __name__ == "__main__":
    main()
