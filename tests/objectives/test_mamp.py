import copy

import pytest
import torch
from einops import rearrange
from torch import Tensor

from stars_hub.errors import ConfigError, SequenceError
from stars_hub.model.config import EncoderConfig
from stars_hub.model.network import SkeletonTransformer
from stars_hub.objectives import MAMP
from stars_hub.objectives.motion import normalize_patches, target_patches


def noise_for(x: Tensor, objective: MAMP) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    shape = (x.shape[0] * x.shape[-1], objective.encoder.config.num_tokens)
    return torch.rand(shape, generator=generator, dtype=x.dtype)


def gradients(objective: MAMP, loss: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(objective.parameters())))


def test_loss_is_the_mean_error_of_masked_tokens(small_encoder: SkeletonTransformer, persons: Tensor) -> None:
    objective = MAMP(small_encoder, target="position", motion_aware_tau=0, mask_ratio=0.5)
    output = objective(persons)
    rows = rearrange(persons, "n c t v m -> (n m) c t v")
    target = normalize_patches(target_patches(rows, frame_patch_size=4, joint_patch_size=1))
    errors = [
        ((output.prediction[r, i] - target[r, i]) ** 2).mean()
        for r in range(len(rows))
        for i in range(10)
        if output.mask[r, i]
    ]
    assert len(errors) == 12 * 5
    torch.testing.assert_close(output.loss, torch.stack(errors).mean())


def test_absent_persons_left_out_is_as_if_they_were_not_in_the_batch(
    small_encoder: SkeletonTransformer, persons: Tensor
) -> None:
    objective = MAMP(small_encoder, mask_ratio=0.5, skip_absent_persons=True).double()
    x = persons.double()
    noise = noise_for(x, objective)
    output = objective(x, noise)
    present = x.flatten(1, 3).ne(0).any(dim=1).flatten()
    rows = rearrange(x, "n c t v m -> (n m) c t v")[present]
    plain = copy.deepcopy(objective)
    plain.skip_absent_persons = False
    expected = plain(rearrange(rows, "r c t v -> r c t v 1"), noise[present])
    assert present.tolist() == [True, True, True, False, True, True, False, False, False, True, True, True]
    torch.testing.assert_close(output.loss, expected.loss)
    torch.testing.assert_close(output.prediction[present], expected.prediction)
    assert torch.equal(output.mask[present], expected.mask)
    assert not output.prediction[~present].any()
    assert not output.mask[~present].any()
    for ours, theirs in zip(gradients(objective, output.loss), gradients(plain, expected.loss), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_batch_of_nobody_has_no_loss(small_encoder: SkeletonTransformer) -> None:
    objective = MAMP(small_encoder, mask_ratio=0.5, skip_absent_persons=True)
    output = objective(torch.zeros(2, 3, 8, 5, 2))
    assert output.loss == 0
    assert output.prediction.shape == (4, 10, 12)
    assert all(not gradient.any() for gradient in gradients(objective, output.loss))


def test_hidden_tokens_are_hidden(small_encoder: SkeletonTransformer, persons: Tensor) -> None:
    objective = MAMP(small_encoder, motion_aware_tau=0, mask_ratio=0.5).eval()
    noise = noise_for(persons, objective)
    before = objective(persons, noise)
    hidden = rearrange(before.mask, "(n m) (t v) -> n 1 t 1 v m", m=2, v=5)
    changed = rearrange(persons, "n c (t u) v m -> n c t u v m", u=4) + 7.0 * hidden
    after = objective(rearrange(changed, "n c t u v m -> n c (t u) v m"), noise)
    torch.testing.assert_close(after.prediction, before.prediction, rtol=0, atol=0)
    shown = rearrange(persons, "n c (t u) v m -> n c t u v m", u=4) + 7.0 * (1 - hidden)
    after = objective(rearrange(shown, "n c t u v m -> n c (t u) v m"), noise)
    assert (after.prediction - before.prediction).abs().max() > 1e-3


def test_noise_comes_from_torchs_generator(small_encoder: SkeletonTransformer, persons: Tensor) -> None:
    objective = MAMP(small_encoder, mask_ratio=0.5)
    masks = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        masks.append(objective(persons).mask)
    assert torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0], masks[2])


def test_loss_stays_float32_under_autocast(small_encoder: SkeletonTransformer, persons: Tensor) -> None:
    objective = MAMP(small_encoder, mask_ratio=0.5)
    noise = noise_for(persons, objective)
    exact = objective(persons, noise)
    with torch.autocast("cpu", torch.bfloat16):
        rough = objective(persons, noise)
    assert rough.loss.dtype == torch.float32
    assert rough.prediction.dtype == torch.bfloat16
    assert torch.equal(rough.mask, exact.mask)
    torch.testing.assert_close(rough.loss, exact.loss, rtol=0.02, atol=0)


def test_gradient_checkpointing_changes_nothing(small_encoder: SkeletonTransformer, persons: Tensor) -> None:
    objective = MAMP(small_encoder, mask_ratio=0.5)
    noise = noise_for(persons, objective)
    plain = gradients(objective, objective(persons, noise).loss)
    objective.set_grad_checkpointing()
    for first, second in zip(plain, gradients(objective, objective(persons, noise).loss), strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_steps_on_two_threads_repeat_bit_for_bit() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        torch.manual_seed(0)
        objective = MAMP(SkeletonTransformer(EncoderConfig(embed_dim=64, depth=1)), decoder_depth=1)
        x = torch.randn(4, 3, 120, 25, 2)
        noise = noise_for(x, objective)
        first = gradients(objective, objective(x, noise).loss)
        for _ in range(2):
            again = gradients(objective, objective(x, noise).loss)
            assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"decoder_depth": 0}, "decoder_depth must be at least 1, got 0"),
        ({"mask_ratio": 0.99}, "mask_ratio must leave some of 10 tokens visible"),
        ({"mask_ratio": 0.0}, "mask_ratio must leave some of 10 tokens visible"),
        ({"mask_ratio": float("nan")}, "mask_ratio must leave some of 10 tokens visible, got nan"),
        ({"mask_ratio": float("-inf")}, "mask_ratio must leave some of 10 tokens visible, got -inf"),
        ({"motion_aware_tau": float("inf")}, "motion_aware_tau must be at least 0 and finite, got inf"),
        ({"motion_aware_tau": float("nan")}, "motion_aware_tau must be at least 0 and finite, got nan"),
        ({"motion_stride": 8}, r"motion_stride must lie in \[1, 8\), got 8"),
        ({"motion_aware_tau": -1.0}, "motion_aware_tau must be at least 0"),
        ({"target": "speed"}, "target must be 'motion' or 'position', got 'speed'"),
    ],
)
def test_impossible_settings_are_refused(
    settings: dict, message: str, small_encoder: SkeletonTransformer
) -> None:
    with pytest.raises(ConfigError, match=message):
        MAMP(small_encoder, **settings)


def test_wrong_shapes_are_refused(small_encoder: SkeletonTransformer, persons: Tensor) -> None:
    objective = MAMP(small_encoder, mask_ratio=0.5)
    with pytest.raises(SequenceError, match="expected x of shape"):
        objective(persons[:, :2])
    with pytest.raises(
        SequenceError, match=r"expected noise of shape \(N·M, L\) = \(12, 10\), got \(6, 10\)"
    ):
        objective(persons, torch.rand(6, 10))
