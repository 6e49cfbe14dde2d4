"""The linear protocol: its recipe step by step, and that it learns what can be learned."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from stars_hub.errors import ConfigError, LayoutError
from stars_hub.evaluation import fit_linear, linear_probe
from stars_hub.evaluation.results import score_metrics
from stars_hub.model import EncoderConfig, STARSEncoder
from stars_hub.skeletons import SkeletonStore
from stars_hub.skeletons.synthetic import synthetic_dataset

ENCODER = EncoderConfig(num_frames=16, embed_dim=16, depth=1, num_heads=2)


def blobs(count: int, seed: int, spread: float = 0.3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    centres = 2 * torch.eye(3, 6)
    labels = torch.arange(count) % 3
    return centres[labels] + spread * torch.randn(count, 6, generator=generator), labels


def test_three_steps_by_hand() -> None:
    """SGD with momentum 0.9 written out, the learning rate on half a cosine, step by step."""
    features, labels = blobs(6, 0)
    head = fit_linear(features, labels, 3, epochs=3, lr=0.1, batch_size=6, seed=4)

    torch.manual_seed(4)
    reference = torch.nn.Linear(6, 3)
    torch.nn.init.trunc_normal_(reference.weight, std=0.01, a=-2, b=2)
    weight, bias = reference.weight.detach(), torch.zeros(3)
    normal = (features - features.mean(0)) / (features.var(0, unbiased=False) + 1e-6).sqrt()
    velocity = [torch.zeros_like(weight), torch.zeros_like(bias)]
    for epoch in range(3):
        lr = 0.1 * 0.5 * (1 + math.cos(math.pi * epoch / 3))
        slope = ((normal @ weight.T + bias).softmax(1) - F.one_hot(labels, 3)) / 6
        velocity = [0.9 * velocity[0] + slope.T @ normal, 0.9 * velocity[1] + slope.sum(0)]
        weight, bias = weight - lr * velocity[0], bias - lr * velocity[1]
    torch.testing.assert_close(head.fc.weight.detach(), weight, rtol=0, atol=1e-6)
    torch.testing.assert_close(head.fc.bias.detach(), bias, rtol=0, atol=1e-6)
    assert not head.training


def test_separable_features_are_separated_and_the_curve_says_so() -> None:
    features, labels = blobs(90, 0)
    asked, truth = blobs(60, 1)
    told = []
    head = fit_linear(
        features, labels, 3, epochs=8, batch_size=32, validation=(asked, truth),
        on_epoch=lambda epoch, numbers: told.append((epoch, numbers)),
    )  # fmt: skip
    assert (head(asked).argmax(1) == truth).float().mean() == 1
    assert [epoch for epoch, _ in told] == list(range(8))
    assert told[-1][1]["accuracy"] == 100
    assert told[-1][1]["loss"] < told[0][1]["loss"]


def test_a_seed_decides_the_head() -> None:
    features, labels = blobs(20, 0)
    before = torch.get_rng_state()
    one, same, other = (
        fit_linear(features, labels, 3, epochs=2, batch_size=8, seed=seed).fc.weight for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_class_weights_move_the_border() -> None:
    features, labels = blobs(90, 0, spread=2.0)
    plain, tilted = (
        fit_linear(features, labels, 3, epochs=5, batch_size=90, class_weights=weights)(features).argmax(1)
        for weights in (None, torch.tensor([1.0, 1.0, 50.0]))
    )
    assert (tilted == 2).sum() > (plain == 2).sum() + 20
    with pytest.raises(ConfigError, match=r"each of 3 classes, got \(2,\)"):
        fit_linear(features, labels, 3, class_weights=torch.ones(2))


@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        (torch.ones(1, 2), torch.zeros(1, dtype=torch.int64), "N >= 2"),
        (torch.ones(3, 2), torch.zeros(2, dtype=torch.int64), r"got \(3, 2\) and \(2,\)"),
        (torch.full((3, 2), torch.nan), torch.zeros(3, dtype=torch.int64), "NaN"),
        (torch.ones(3, 2), torch.tensor([0, 1, 5]), r"\[0, 5\)"),
    ],
)
def test_what_cannot_be_is_refused(features: Tensor, labels: Tensor, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        fit_linear(features, labels, 5)


def test_a_batch_of_one_cannot_be_normalised() -> None:
    with pytest.raises(ConfigError, match="batch_size of at least 2"):
        fit_linear(*blobs(6, 0), 3, batch_size=1)


def test_top_5_by_hand() -> None:
    scores = np.array([[6.0, 5, 4, 3, 2, 1], [6, 5, 4, 3, 2, 1], [0, 0, 0, 0, 0, 9]])
    assert score_metrics(scores, np.array([0, 5, 5])) == pytest.approx(
        {"accuracy": 200 / 3, "top-5": 200 / 3}
    )
    assert list(score_metrics(scores[:, :3], np.array([0, 0, 0]))) == ["accuracy"]


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[SkeletonStore, SkeletonStore]:
    folder = tmp_path_factory.mktemp("linear")
    actions = ["walking", "squatting", "waving"]
    made = synthetic_dataset(8, actions=actions, num_subjects=4, num_frames=(20, 30))
    store = SkeletonStore.create(folder / "store", made, layout="ntu25", label_names=actions)
    return store.split(subjects=[0, 1, 2])


@pytest.mark.parametrize("augment", [True, False])
def test_probe_of_recordings(augment: bool, stores: tuple[SkeletonStore, SkeletonStore]) -> None:
    torch.manual_seed(0)
    encoder = STARSEncoder(ENCODER).eval()
    weights = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    result = linear_probe(encoder, *stores, augment=augment, epochs=6, batch_size=6, progress=False)
    assert result.metrics["accuracy"] > 50  # three classes: a guess finds a third
    assert result.curves["accuracy"][-1] == result.metrics["accuracy"]
    assert len(result.curves["loss"]) == 6
    assert result.scores is not None
    assert result.scores.shape == (6, 3)
    assert result.label_names == ["walking", "squatting", "waving"]
    assert result.names == stores[1].names.tolist()
    assert result.provenance["counts"]["training recordings"] == 18
    assert all(torch.equal(weights[name], tensor) for name, tensor in encoder.state_dict().items())


def test_cached_probe_is_fit_linear_on_the_features(stores: tuple[SkeletonStore, SkeletonStore]) -> None:
    torch.manual_seed(0)
    encoder = STARSEncoder(ENCODER).eval()
    result = linear_probe(encoder, *stores, augment=False, epochs=2, batch_size=6, seed=3, progress=False)
    train, test = (torch.from_numpy(encoder.encode(store, progress=False)) for store in stores)
    head = fit_linear(train, torch.from_numpy(stores[0].labels), 3, epochs=2, batch_size=6, seed=3)
    assert result.scores is not None
    torch.testing.assert_close(torch.from_numpy(result.scores), head(test).detach(), rtol=0, atol=1e-6)


def test_augmented_probe_needs_the_encoders_layout(
    stores: tuple[SkeletonStore, SkeletonStore], tmp_path: Path
) -> None:
    others = [
        store.copy(tmp_path / role, layout="kinect20") for role, store in zip("ab", stores, strict=True)
    ]
    encoder = STARSEncoder(ENCODER)
    with pytest.raises(LayoutError, match="kinect20"):
        linear_probe(encoder, *others, epochs=1, progress=False)
    result = linear_probe(encoder, *others, epochs=1, batch_size=6, augment=False, progress=False)
    assert result.provenance["data"] == {"train": others[0].fingerprint, "test": others[1].fingerprint}
