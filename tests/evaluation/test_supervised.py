"""Protocols that train on recordings: that the test is prepared alike, and mistakes are noticed before."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stars_hub.errors import ConfigError, LayoutError
from stars_hub.evaluation import evaluate, linear_probe
from stars_hub.evaluation import probe as probe_module
from stars_hub.evaluation import supervised as supervised_module
from stars_hub.evaluation.inputs import labelled
from stars_hub.model import STARSEncoder
from stars_hub.objectives import Classification
from stars_hub.skeletons import SkeletonStore
from stars_hub.skeletons.sequence import Sequence
from stars_hub.transforms import BatchLoader
from tests.evaluation.conftest import ENCODER
from tests.motions import drifting

TINY: dict[str, Any] = {
    "epochs": 1, "warmup_epochs": 0, "hidden_dim": 8, "batch_size": 6, "head_drop_rate": 0.0,
    "progress": False,
}  # fmt: skip
NEW = {"num_frames": 16, "embed_dim": 16, "depth": 1, "num_heads": 2}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> SkeletonStore:
    """12 recordings in which nobody is in the first person's place, and two others in the places behind."""
    made = []
    for number in range(12):
        joints = drifting(24, persons=3, seed=number)
        joints[:, 0] = 0
        made.append(Sequence(joints, name=f"r{number}", label=number % 2, subject=number // 6))
    return SkeletonStore.create(tmp_path_factory.mktemp("odd") / "store", made, layout="ntu25")


def test_the_linear_protocol_asks_about_persons_where_it_learned_them(odd: SkeletonStore) -> None:
    torch.manual_seed(0)
    encoder = STARSEncoder(ENCODER).eval()
    seen: list[torch.Tensor] = []
    encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    linear_probe(encoder, *odd.split(subjects=[0]), epochs=1, batch_size=6, progress=False)
    assert len(seen) == 2  # the test, and one batch to learn from
    for x in seen:
        assert x[..., 0].any()
        assert x[..., 1].any()


def test_fine_tuning_asks_about_persons_where_it_learned_them(odd: SkeletonStore, tmp_path: Path) -> None:
    result = evaluate(
        "finetune", "", odd, subjects=[1], device="cpu", encoder=NEW, runs_folder=tmp_path, **TINY
    )
    classifier = Classification.from_pretrained(tmp_path / "finetune" / "last").eval()
    test = odd.split(subjects=[0])[1]
    loader = BatchLoader(
        test, batch_size=6, num_frames=16, crop=0.95, rotation=0, shuffle=False, drop_last=False
    )
    with torch.no_grad():
        expected = classifier(next(iter(loader)).x).numpy()
    np.testing.assert_allclose(result.scores, expected, atol=1e-5)


def test_from_scratch_every_layer_learns_alike(actions: SkeletonStore, stars_model: Path) -> None:
    def decay(model: str, **settings: Any) -> Any:
        result = evaluate("finetune", model, actions, split="cross", encoder=NEW, **TINY, **settings)
        return result.settings["layer_decay"]

    assert decay("") == 1.0
    assert decay("", layer_decay=0.7) == 0.7
    assert decay(str(stars_model)) == 0.8


def test_semi_says_how_its_part_is_drawn(actions: SkeletonStore, stars_model: Path) -> None:
    result = evaluate("semi", str(stars_model), actions, split="cross", fraction=0.5, runs=1, **TINY)
    assert result.settings["subset"] == "stratified, at least one of each class"


def test_several_processes_need_a_folder_in_common(
    actions: SkeletonStore, stars_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    for protocol in ("finetune", "semi"):
        with pytest.raises(ConfigError, match="runs_folder"):
            evaluate(protocol, str(stars_model), actions, split="cross", **TINY)


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Encoding and training fail, so that only what is noticed before passes."""

    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("work began before the mistake was noticed")

    monkeypatch.setattr(STARSEncoder, "forward", fail)
    monkeypatch.setattr(supervised_module, "train", fail)
    monkeypatch.setattr(probe_module, "train_head", fail)


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    ("protocol", "settings", "message"),
    [
        ("linear", {"epochs": 0}, "epochs must be at least 1"),
        ("linear", {"batch_size": 1}, "batch_size of at least 2"),
        ("linear", {"class_weights": [1.0, 2.0]}, r"each of 3 classes, got \(2,\)"),
        ("linear", {"stream": "sound"}, "stream must be one of"),
        ("linear", {"augment": False, "epochs": 0}, "epochs must be at least 1"),
        ("knn", {"stream": "sound"}, "stream must be one of"),
        ("knn", {"features": "sideways"}, "features must be one of"),
        ("knn", {"features": "whitened", "shrinkage": 2.0}, "shrinkage must lie"),
        ("ensemble", {"streams": ["joint", "sound"]}, "stream must be one of"),
        ("ensemble", {"streams": ["joint", "joint"]}, "two or more"),
        ("ensemble", {"weights": [1, 2]}, "a weight of at least 0 for each, got 3"),
        ("ensemble", {"streams": ["joint", "bone"], "models": {"motion": "m"}}, "models names motion"),
        ("finetune", {"batch_size": 1}, "batch_size"),
        ("finetune", {"encoder": {"height": 3}}, "encoder has no setting height"),
    ],
)
def test_mistakes_are_noticed_before_the_work(
    protocol: str, settings: dict[str, Any], message: str, actions: SkeletonStore, stars_model: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        evaluate(protocol, str(stars_model), actions, split="cross", progress=False, **settings)


@pytest.mark.usefixtures("no_work")
def test_a_model_without_z_is_noticed_before_the_work(actions: SkeletonStore, tmp_path: Path) -> None:
    plain = STARSEncoder(ENCODER).save_pretrained(tmp_path / "plain")
    for model in (plain, "raw", STARSEncoder(ENCODER)):
        with pytest.raises(ConfigError, match="tuned by STARS"):
            evaluate("knn", model, actions, split="cross", features="z", progress=False)


@pytest.mark.usefixtures("no_work")
def test_a_test_that_does_not_fit_is_noticed_before_the_work(
    actions: SkeletonStore, odd: SkeletonStore, stars_model: Path, tmp_path: Path
) -> None:
    train, test = actions.split("cross")
    other = test.copy(tmp_path / "other", layout="kinect20")
    for protocol in ("linear", "finetune"):
        with pytest.raises(LayoutError, match="kinect20"):
            evaluate(protocol, str(stars_model), train, test=other, progress=False)
    unnamed = labelled(odd.select(label=0), odd)
    with pytest.raises(ConfigError, match="classes that the training recordings have not"):
        supervised_module.evaluate_finetuning(str(stars_model), unnamed, progress=False)


def test_few_epochs_warm_up_for_half_of_them(actions: SkeletonStore, stars_model: Path) -> None:
    settings = {name: value for name, value in TINY.items() if name != "warmup_epochs"}
    result = evaluate("finetune", str(stars_model), actions, split="cross", **settings)
    assert result.settings["warmup_epochs"] == 0.5
