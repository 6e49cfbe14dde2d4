"""Both stages against the numbers of the authors' code (origin: tests/golden/README.md)."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from stars_hub.model.encoder import STARSEncoder
from stars_hub.objectives import MAMP, NNCLR
from stars_hub.training.freezing import freeze_below, freeze_encoder
from stars_hub.training.optimizer import build_optimizer, clip_each_gradient, parameter_groups
from tests.objectives.conftest import GOLDEN_CONFIG, Golden

Load = Callable[[str], Golden]


def relative(ours: Tensor, theirs: Tensor) -> float:
    return ((ours - theirs).norm() / theirs.norm()).item()


@pytest.mark.parametrize("name", ["mamp_motion_aware", "mamp_random"])
def test_mamp_loss_mask_prediction_and_every_gradient(name: str, golden: Load) -> None:
    expected = golden(name)
    # mamp_random was recorded with the other file's weights and noise.
    source = expected if any(key.startswith("state.") for key in expected) else golden("mamp_motion_aware")
    objective = MAMP(
        STARSEncoder(GOLDEN_CONFIG), decoder_depth=2, motion_aware_tau=float(expected.meta["tau"])
    )
    objective.load_state_dict(source.part("state."))
    output = objective(source["input"], noise=source["uniform_noise"])
    output.loss.backward()
    torch.testing.assert_close(output.loss, expected["loss"].squeeze(), atol=1e-5, rtol=0)
    assert torch.equal(output.mask, expected["mask"])
    torch.testing.assert_close(output.prediction, expected["pred"], atol=1e-5, rtol=0)
    gradients = expected.part("grad.")
    assert set(gradients) == {key for key, _ in objective.named_parameters()}
    for key, parameter in objective.named_parameters():
        assert parameter.grad is not None
        assert relative(parameter.grad, gradients[key]) < 1e-4, key


def test_mamp_motion_stride_two(golden: Load) -> None:
    source = golden("mamp_motion_aware")
    objective = MAMP(STARSEncoder(GOLDEN_CONFIG), decoder_depth=2, motion_stride=2)
    objective.load_state_dict(source.part("state."))
    loss = objective(source["input"], noise=source["uniform_noise"]).loss
    expected = golden("encoder")["loss_motion_stride_2"].squeeze()
    torch.testing.assert_close(loss, expected, atol=1e-5, rtol=0)


def nnclr_of(golden: Golden) -> NNCLR:
    objective = NNCLR(STARSEncoder(GOLDEN_CONFIG), predictor_hidden_dim=48, queue_size=20).double()
    objective.load_state_dict(golden.part("state."))
    return objective


@pytest.mark.parametrize("name", ["nnclr_partial", "nnclr_head_only"])
def test_nnclr_three_steps_in_float64(name: str, golden: Load) -> None:
    expected = golden(name)
    meta = expected.meta
    objective = nnclr_of(expected)
    start = {key: value.clone() for key, value in objective.state_dict().items()}
    if name == "nnclr_partial":
        freeze_below(objective.encoder, GOLDEN_CONFIG.depth // 2)
    else:
        freeze_encoder(objective.encoder)
    groups = parameter_groups(
        objective,
        objective.encoder,
        base_lr=meta["base_lr"],
        layer_decay=meta.get("layer_decay", 1.0),
        weight_decay=meta["weight_decay"],
        exempt="none",
    )
    optimizer = build_optimizer(groups, betas=tuple(meta["betas"]))
    for step in range(3):
        optimizer.zero_grad()
        loss = objective(expected[f"input.{step}"], expected[f"ids.{step}"])
        loss.backward()
        clip_each_gradient(objective.parameters(), max_norm=meta["clip_grad"])
        torch.testing.assert_close(loss, expected["losses"][step], atol=1e-10, rtol=0)
        if step == 0:
            check_gradients(objective, expected.part("grad0."))
        optimizer.step()
    check_state(objective, start, expected)


def check_gradients(objective: NNCLR, gradients: dict[str, Tensor]) -> None:
    trained = {key for key, parameter in objective.named_parameters() if parameter.grad is not None}
    assert trained == set(gradients)
    for key, parameter in objective.named_parameters():
        if key in gradients:
            torch.testing.assert_close(parameter.grad, gradients[key], atol=1e-9, rtol=1e-8)


def check_state(objective: NNCLR, start: dict[str, Tensor], expected: Golden) -> None:
    ours = objective.state_dict()
    after = expected.part("after.")
    for key, value in after.items():
        if key.endswith("num_batches_tracked"):  # theirs counts both views
            assert 2 * (ours[key] - start[key]) == value - start[key] == 6
        else:
            torch.testing.assert_close(
                ours[key], value, atol=1e-8, rtol=0, msg=lambda text, k=key: f"{k}: {text}"
            )
    assert set(ours) - set(after) == {"queue.features", "queue.ids", "queue.pointer"}
    torch.testing.assert_close(ours["queue.features"], expected["queue_after"], atol=1e-8, rtol=0)
    assert torch.equal(ours["queue.ids"], expected["queue_ids_after"])
    assert ours["queue.pointer"] == expected["queue_ptr_after"]
    objective.eval()
    with torch.no_grad():
        p, z = objective.predict(expected["input.0"]), objective.project(expected["input.0"])
    torch.testing.assert_close(p, expected["eval_predict"], atol=1e-8, rtol=0)
    torch.testing.assert_close(z, expected["eval_project"], atol=1e-8, rtol=0)


def test_learning_rates_are_those_listed(golden: Load) -> None:
    for name in ("nnclr_partial", "nnclr_head_only"):
        expected = golden(name)
        objective = nnclr_of(expected)
        if name == "nnclr_partial":
            freeze_below(objective.encoder, GOLDEN_CONFIG.depth // 2)
        else:
            freeze_encoder(objective.encoder)
        groups = parameter_groups(
            objective, objective.encoder, base_lr=1e-3, layer_decay=expected.meta.get("layer_decay", 1.0)
        )
        of_parameter = {id(p): group["lr"] for group in groups for p in group["params"]}
        listed = {key: torch.tensor(value) for key, value in expected.meta["learning_rates"].items()}
        listed = {
            key.replace("head.projector.0", "projector").replace("head.", ""): v for key, v in listed.items()
        }
        ours = {
            key.removeprefix("encoder."): torch.tensor(of_parameter[id(parameter)])
            for key, parameter in objective.named_parameters()
            if parameter.requires_grad
        }
        assert ours.keys() == listed.keys()
        for key, rate in listed.items():
            torch.testing.assert_close(ours[key], rate)
