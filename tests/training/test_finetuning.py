"""Fine-tuning: what is trained at which rate, on which recordings, how a run is judged and when it ends."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from stars_hub import STARSEncoder
from stars_hub.errors import ConfigError, LayoutError
from stars_hub.objectives import Classification
from stars_hub.skeletons.store import SkeletonStore
from stars_hub.training.data import TrainData, class_names, open_labelled_data
from stars_hub.training.finetuning import FinetuneStage, balanced_weights
from stars_hub.training.monitor import AccuracyMonitor
from stars_hub.training.session import Session
from stars_hub.training.subset import stratified_subset
from stars_hub.transforms.loader import Batch
from tests.motions import drifting
from tests.training.conftest import ENCODER, finetune_config
from tests.training.helpers import assert_close, assert_same, run, tensors_of
from tests.training.test_runs import kill_in_step


def stage_of(config: Any) -> FinetuneStage:
    return FinetuneStage(config, open_labelled_data(config))


def labelled_store(folder: Path, labels: list[int], **settings: Any) -> Path:
    """Recordings with these labels, of subjects 0, 1, 2, 0, …"""
    numbers = range(len(labels))
    columns = {"labels": labels, "subjects": [n % 3 for n in numbers], "names": [str(n) for n in numbers]}
    sequences = [drifting(12, 1, n) for n in numbers]
    SkeletonStore.create(folder, sequences, layout="ntu25", **{**columns, **settings})
    return folder


def test_rates_and_decay_are_the_golden_ones(golden_dir: Path, prepared: Path) -> None:
    golden = json.loads((golden_dir / "layer_decay_finetune.json").read_text())
    config = finetune_config(prepared, model="", encoder=replace(ENCODER, depth=golden["depth"]))
    groups = stage_of(config).parameter_groups()
    ours = {name: [group["lr_scale"], group["weight_decay"]] for group in groups for name in group["names"]}
    for theirs, values in golden["lr_scale_and_weight_decay"].items():
        name = theirs.replace("joints_embed.proj", "patch_embed").replace("head.bn", "head.norm")
        assert ours.pop(name if name.startswith("head") else f"encoder.{name}") == pytest.approx(values), name
    assert not ours


def test_paths_are_dropped_in_training_only_and_no_model_carries_that_on(
    prepared: Path, tmp_path: Path
) -> None:
    config = finetune_config(prepared, output=str(tmp_path / "run"), epochs=1, drop_path_rate=0.4)
    encoder = stage_of(config).objective.encoder
    assert [block.drop_path.drop_rate for block in encoder.blocks] == pytest.approx([0.0, 0.4])
    x = torch.randn(64, 3, 8, 25, 1)
    assert not torch.equal(encoder.train()(x), encoder(x))
    assert torch.equal(encoder.eval()(x), encoder(x))
    saved = STARSEncoder.from_pretrained(run(config).last)
    assert saved.config.drop_path_rate == 0
    assert torch.equal(saved.train()(x), saved(x))


def test_dropped_paths_are_drawn_for_every_row_of_identical_persons() -> None:
    encoder = STARSEncoder(ENCODER).train()
    encoder.set_drop_path_rate(0.5)
    features = encoder(torch.randn(1, 3, 8, 25, 1).expand(32, -1, -1, -1, -1))
    assert len(features.unique(dim=0)) > 1


def test_head_alone_leaves_the_encoder_as_in_evaluation(prepared: Path, tmp_path: Path) -> None:
    config = finetune_config(prepared, output=str(tmp_path / "run"), trainable_blocks=0, drop_path_rate=0.4)
    stage = stage_of(config)
    assert {name.split(".")[0] for group in stage.parameter_groups() for name in group["names"]} == {"head"}
    x = torch.randn(64, 3, 8, 25, 1)
    assert stage.objective.train().head.training
    assert torch.equal(stage.objective.encoder(x), stage.objective.encoder(x))
    result = run(config)
    before, after = (STARSEncoder.from_pretrained(f).state_dict() for f in (prepared / "model", result.last))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_upper_blocks_alone(prepared: Path) -> None:
    groups = stage_of(finetune_config(prepared, trainable_blocks=1)).parameter_groups()
    names = {name for group in groups for name in group["names"] if name.startswith("encoder.")}
    assert {".".join(name.split(".")[1:3]) for name in names} == {"blocks.1", "norm.weight", "norm.bias"}
    with pytest.raises(ConfigError, match="at most 2, the encoder's depth, got 3"):
        stage_of(finetune_config(prepared, trainable_blocks=3))


def test_head_of_a_classifier_of_the_same_classes_is_kept(prepared: Path, tmp_path: Path) -> None:
    result = run(
        finetune_config(prepared, output=str(tmp_path / "run"), epochs=1, warmup_epochs=0, trainable_blocks=0)
    )
    trained = Classification.from_pretrained(result.last).state_dict()
    again = stage_of(finetune_config(prepared, model=str(result.last))).objective
    assert all(torch.equal(trained[name], tensor) for name, tensor in again.state_dict().items())
    other = stage_of(finetune_config(prepared, model=str(result.last), hidden_dim=10)).objective
    assert other.settings["hidden_dim"] == 10
    linear = {"head": "linear", "trainable_blocks": 0, "epochs": 1}
    kept = run(finetune_config(prepared, output=str(tmp_path / "linear"), **linear)).last
    trained_head = Classification.from_pretrained(kept).head.state_dict()
    again = stage_of(finetune_config(prepared, model=str(kept), hidden_dim=10, **linear)).objective
    assert all(torch.equal(trained_head[name], value) for name, value in again.head.state_dict().items())
    assert torch.equal(trained["encoder.norm.bias"], other.encoder.norm.bias)


def test_trained_encoder_is_adapted_to_another_layout_a_new_one_is_not(
    prepared: Path, tmp_path: Path
) -> None:
    store = SkeletonStore.open(prepared / "store").copy(tmp_path / "store", layout="kinect20")
    encoder = stage_of(finetune_config(prepared, data=str(tmp_path / "store"))).objective.encoder
    assert (encoder.config.layout, encoder.config.num_joints) == (store.layout.name, 20)
    before = STARSEncoder.from_pretrained(prepared / "model")
    assert torch.equal(encoder.blocks[0].attn.qkv.weight, before.blocks[0].attn.qkv.weight)
    with pytest.raises(LayoutError, match="'ntu25'"):
        stage_of(finetune_config(prepared, data=str(tmp_path / "store"), model="", encoder=ENCODER))


def test_loss_by_hand(tmp_path: Path) -> None:
    store = labelled_store(tmp_path / "store", [0, 0, 0, 1])
    settings = {"model": "", "encoder": ENCODER, "batch_size": 2, "monitor_every": 0, "label_smoothing": 0.2}
    stage = stage_of(finetune_config(tmp_path, data=str(store), head_drop_rate=0.25, **settings))
    assert stage.objective.head.drop.p == 0.25
    logits = torch.tensor([[0.8, 0.2], [0.5, 0.5]]).log()
    batch = Batch(torch.empty(2, 3, 8, 25, 2), torch.tensor([0, 1]), torch.arange(2))
    few, many = 2.0, 2 / 3  # 4 recordings, half of the weight for each class
    first = 0.9 * many * -np.log(0.8) + 0.1 * few * -np.log(0.2)
    second = 0.1 * many * -np.log(0.5) + 0.9 * few * -np.log(0.5)
    found = stage.loss(Constant(logits), batch, epoch=0)
    assert found.item() == pytest.approx((first + second) / (many + few))


class Constant(torch.nn.Module):
    """Always gives the same logits."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, x: Tensor) -> Tensor:
        return self.logits


# Validation and subsets


def test_recordings_of_the_validated_subjects_and_those_without_label_are_left_out(tmp_path: Path) -> None:
    store = labelled_store(tmp_path / "store", [0, 1, 0, 1, -1, -1, 0, 0, 1, 0, 1, 1])
    data = open_labelled_data(finetune_config(tmp_path, data=str(store), monitor_subjects=("2",)))
    assert data.queries is not None
    assert data.queries.names.tolist() == ["2", "8", "11"]
    assert data.train.names.tolist() == ["0", "1", "3", "6", "7", "9", "10"]
    everything = open_labelled_data(finetune_config(tmp_path, data=str(store), monitor_every=0))
    assert everything.queries is None
    assert len(everything.train) == 10


def test_validation_on_a_store_of_its_own_takes_all_of_it(prepared: Path, tmp_path: Path) -> None:
    other = labelled_store(tmp_path / "other", [0, 1, -1, 1], names=["a", "b", "c", "d"])
    data = open_labelled_data(finetune_config(prepared, monitor_data=str(other)))
    assert data.queries is not None
    assert (len(data.train), len(data.queries)) == (22, 3)
    named = labelled_store(tmp_path / "named", [0, 1], label_names=["wave", "sit"])
    with pytest.raises(ConfigError, match=r"classes of data, 0, 1; it has wave, sit"):
        open_labelled_data(finetune_config(prepared, monitor_data=str(named)))


def test_only_the_recordings_that_validate_are_kept_out_of_training(tmp_path: Path) -> None:
    def kept_out(data: Path, validation: Path, **changes: Any) -> int:
        config = finetune_config(tmp_path, data=str(data), monitor_data=str(validation), **changes)
        opened = open_labelled_data(config)
        assert len(opened.train) + opened.num_kept_out == len(SkeletonStore.open(data))
        return opened.num_kept_out

    unknown: dict[str, Any] = {"subjects": None, "names": None}
    store = labelled_store(tmp_path / "store", [0, 1, 0, 1, 0, 1], **unknown)
    assert kept_out(store, labelled_store(tmp_path / "other", [1, 0, 1, 0, 1], **unknown)) == 0
    text = labelled_store(tmp_path / "text", [0, 1, 0], subjects=["", "a", "b"])
    assert kept_out(labelled_store(tmp_path / "texts", [1, 0, 0], subjects=["", "a", "c"]), text) == 1

    known = labelled_store(tmp_path / "known", [0, 1, 0, 1, 0, 1])
    SkeletonStore.open(known).select(subject=1).copy(tmp_path / "part", dtype="float16")
    assert kept_out(known, tmp_path / "part") == 2  # copies, by name
    both = (str(store), str(known))
    joined = open_labelled_data(finetune_config(tmp_path, data=both, monitor_data=str(store)))
    assert (len(joined.train), joined.num_kept_out) == (6, 6)  # the same store, by place
    with pytest.raises(ConfigError, match="none left to train on"):
        kept_out(store, store)


def test_nothing_to_learn_from(tmp_path: Path) -> None:
    unlabelled = labelled_store(tmp_path / "unlabelled", [-1] * 6)
    with pytest.raises(ConfigError, match=r"none of 6 recordings of .*unlabelled has a label"):
        open_labelled_data(finetune_config(tmp_path, data=str(unlabelled)))
    single = labelled_store(tmp_path / "single", [1] * 6)
    with pytest.raises(ConfigError, match="two classes, there are 6 of one"):
        stage_of(finetune_config(tmp_path, data=str(single), monitor_every=0))
    with pytest.raises(ConfigError, match="data must name"):
        open_labelled_data(finetune_config(tmp_path, data=()))


def test_where_subjects_are_unknown_a_part_of_each_class_validates(tmp_path: Path) -> None:
    labels = [0, 1] * 11 + [2]
    store = labelled_store(tmp_path / "store", labels, subjects=None)
    data = open_labelled_data(finetune_config(tmp_path, data=str(store), monitor_fraction=0.3))
    assert data.queries is not None
    assert np.bincount(data.queries.labels, minlength=3).tolist() == [3, 3, 0]  # a third class of one stays
    names = np.concatenate([data.train.names, data.queries.names]).tolist()
    assert sorted(names, key=int) == [str(number) for number in range(len(labels))]
    with pytest.raises(ConfigError, match=r"monitor_subjects names 7; .* of nobody who is known"):
        open_labelled_data(finetune_config(tmp_path, data=str(store), monitor_subjects=("7",)))

    single = labelled_store(tmp_path / "single", [0, 1], subjects=None)
    assert open_labelled_data(finetune_config(tmp_path, data=str(single))).queries is None
    with pytest.raises(ConfigError, match="validation needs"):
        open_labelled_data(finetune_config(tmp_path, data=str(single), patience=1))


def test_whoever_alone_shows_a_class_is_not_drawn_to_validate(tmp_path: Path) -> None:
    # Subject 0 alone shows class 2; each of the others shows 0 and 1.
    labels, subjects = [2, 0, 1, 0, 1, 0, 1, 2], [0, 1, 1, 2, 2, 3, 3, 0]
    store = labelled_store(tmp_path / "store", labels, subjects=subjects, label_names=["sit", "walk", "wave"])
    drawn = set()
    for seed in range(12):
        data = open_labelled_data(finetune_config(tmp_path, data=str(store), seed=seed))
        assert data.queries is not None
        assert set(data.train.labels) == {0, 1, 2}
        assert not set(data.train.subjects) & set(data.queries.subjects)
        drawn |= set(data.queries.subjects)
    assert drawn == {1, 2, 3}
    for changes in ({}, {"monitor_data": str(store)}):
        config = finetune_config(tmp_path, data=str(store), monitor_subjects=(0, 1), **changes)
        with pytest.raises(
            ConfigError, match="monitor_subjects names all that shows wave: none of it is left"
        ):
            open_labelled_data(config)
    SkeletonStore.open(store).select(label="sit").copy(tmp_path / "sitting")
    with pytest.raises(ConfigError, match="monitor_data holds all that shows sit"):
        open_labelled_data(finetune_config(tmp_path, data=str(store), monitor_data=str(tmp_path / "sitting")))


def test_where_each_subject_shows_a_class_alone_a_part_of_each_class_validates(tmp_path: Path) -> None:
    store = labelled_store(tmp_path / "store", [0, 1] * 6, subjects=[0, 1] * 6)
    data = open_labelled_data(finetune_config(tmp_path, data=str(store), monitor_fraction=0.4))
    assert data.queries is not None
    assert np.bincount(data.train.labels).tolist() == [4, 4]
    assert np.bincount(data.queries.labels).tolist() == [2, 2]


def test_classes_are_those_of_the_store_or_numbers(tmp_path: Path) -> None:
    plain = SkeletonStore.open(labelled_store(tmp_path / "plain", [0, 2, 0, 1]))
    assert class_names(plain) == class_names(plain.select([0]), plain, None) == ["0", "1", "2"]
    named = labelled_store(tmp_path / "named", [0, 1], label_names=["wave", "sit", "run"])
    assert class_names(SkeletonStore.open(named)) == ["wave", "sit", "run"]


def test_part_by_hand() -> None:
    labels = np.array([0] * 90 + [1] * 10 + [2])
    for seed in range(5):
        counts = np.bincount(labels[stratified_subset(labels, 0.1, seed=seed)])
        assert counts.tolist() == [8, 1, 1]  # 10 of 101 recordings, of which the single one is one
        assert np.bincount(labels[stratified_subset(labels, 0.01, seed=seed)]).tolist() == [1, 1, 1]
    assert np.bincount(labels[:100][stratified_subset(labels[:100], 0.5, seed=0)]).tolist() == [45, 5]


@given(
    labels=st.lists(st.integers(0, 5), min_size=1, max_size=60),
    fraction=st.floats(0.01, 1.0),
    seed=st.integers(0, 3),
)
def test_part_holds_every_class_and_as_many_as_asked_for(
    labels: list[int], fraction: float, seed: int
) -> None:
    classes = np.array(labels)
    chosen = stratified_subset(classes, fraction, seed=seed)
    assert (np.diff(chosen) > 0).all()
    assert set(classes[chosen]) == set(labels)
    assert len(chosen) == max(len(set(labels)), round(fraction * len(labels)))
    assert np.array_equal(chosen, stratified_subset(classes, fraction, seed=seed))


def test_part_is_drawn_by_its_seed_from_what_is_not_validated(prepared: Path) -> None:
    parts = {
        seed: open_labelled_data(finetune_config(prepared, fraction=0.5, subset_seed=seed)) for seed in (0, 1)
    }
    for data in parts.values():
        assert data.queries is not None
        assert len(data.train) == 8  # of 16
        assert not set(data.train.subjects) & set(data.queries.subjects)
    assert set(parts[0].train.names) != set(parts[1].train.names)
    with pytest.raises(ConfigError, match="fraction"):
        stratified_subset(np.zeros(3, dtype=np.int64), 1.5, seed=0)


def test_balanced_weights_are_scikit_learns() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    labels = np.array([0, 0, 0, 2, 2, 3])
    weights = balanced_weights(labels, 5)
    expected = compute_class_weight("balanced", classes=np.array([0, 2, 3]), y=labels)
    assert weights[[0, 2, 3]].tolist() == pytest.approx(expected.tolist())
    assert weights[[1, 4]].tolist() == [0, 0]


# The run


def test_accuracy_by_hand(tmp_path: Path) -> None:
    queries = SkeletonStore.open(labelled_store(tmp_path / "store", [0, 1, 2, 1, 0]))
    monitor = AccuracyMonitor(TrainData(queries, queries=queries), ENCODER, batch_size=2)
    logits = torch.eye(3)[torch.tensor([0, 1, 1, 0, 0])]  # the third and the fourth are wrong
    answers = iter(logits.split(2))

    def describe(x: Tensor) -> Tensor:
        return next(answers)

    assert monitor(describe, device=torch.device("cpu"), dtype=torch.float32) == {"validation": 60.0}


@pytest.mark.parametrize("head", ["joints", "linear"])
@pytest.mark.parametrize("size", [1, 3])
def test_chunks_of_a_batch_equal_the_batch(prepared: Path, tmp_path: Path, head: str, size: int) -> None:
    settings = {"precision": "float64", "head": head, "class_weights": "balanced", "monitor_every": 0}
    whole = run(finetune_config(prepared, output=str(tmp_path / "whole"), **settings))
    parts = run(finetune_config(prepared, output=str(tmp_path / "parts"), micro_batch_size=size, **settings))
    assert_close(tensors_of(whole), tensors_of(parts), atol=1e-7)


def test_dropout_and_chunks_are_the_same_in_a_resumed_run(prepared: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"head_drop_rate": 0.3, "drop_path_rate": 0.3, "micro_batch_size": 3}
    whole = run(finetune_config(prepared, output=str(tmp_path / "whole"), **settings))
    cut = finetune_config(prepared, output=str(tmp_path / "cut"), checkpoint_steps=1, **settings)
    kill_in_step(cut, 3)
    assert_same(tensors_of(run(cut)), tensors_of(whole))


def test_last_batch_of_one_is_refused(prepared: Path) -> None:
    with pytest.raises(ConfigError, match="drop_last"):
        stage_of(finetune_config(prepared, batch_size=5, drop_last=False))  # of 16
    assert stage_of(finetune_config(prepared, batch_size=5)).objective.label_names == ["0", "1"]


def with_accuracies(monkeypatch: pytest.MonkeyPatch, values: list[float]) -> None:
    """Let the looks after epochs 0, 1, … find these; what comes next depends on the epoch, as it would."""
    looks: Iterator[float] = iter(values)
    monkeypatch.setattr(Session, "evaluate", lambda self: {"validation": next(looks)})


def test_run_stops_when_it_does_not_get_better(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def config(name: str, **changes: Any) -> Any:
        return finetune_config(
            prepared,
            output=str(tmp_path / name),
            **{"epochs": 9, "patience": 2, "warmup_epochs": 0, **changes},
        )

    with_accuracies(monkeypatch, [90.0, 10.0, 30.0, 30.0, 20.0])
    whole = run(config("whole"))
    assert [record["epoch"] for record in whole.history] == [0, 1, 2, 3, 4]
    assert "stopped after epoch 4: no better accuracy since epoch 2" in capsys.readouterr().out

    with_accuracies(monkeypatch, [90.0, 10.0, 5.0])
    rare = run(config("rare", monitor_every=3, patience=1))  # looks after epochs 3 and 6
    assert [record["epoch"] for record in rare.history] == [0, 1, 2, 3, 4, 5, 6]

    with_accuracies(monkeypatch, [90.0, 10.0, 30.0, 30.0])
    cut = config("cut")
    kill_in_step(cut, 6)  # in epoch 4
    with_accuracies(monkeypatch, [20.0])
    resumed = run(cut)
    assert_same(tensors_of(resumed), tensors_of(whole))
    with_accuracies(monkeypatch, [])
    assert run(cut).history == resumed.history  # it is finished, and stays so
    assert "cut: finished, epoch 4" in capsys.readouterr().out


def test_saved_classifier_scores_as_the_run_says(prepared: Path, tmp_path: Path) -> None:
    result = run(finetune_config(prepared, output=str(tmp_path / "run"), lr=1e-2, min_lr=None))
    data = open_labelled_data(finetune_config(prepared))
    classifier = Classification.from_pretrained(result.last).eval()
    assert data.queries is not None
    monitor = AccuracyMonitor(data, ENCODER, batch_size=3)
    found = torch.cat([classifier(batch.x).argmax(1) for batch in monitor.loader(data.queries)])
    expected = 100 * np.mean(found.numpy() == data.queries.labels)
    assert result.history[-1]["validation"] == pytest.approx(expected)
    for folder in (result.best, result.last):
        assert folder is not None
        card = (folder / "README.md").read_text()
        assert f'STARSClassifier.from_pretrained("run/{folder.name}")' in card
        assert "## Classes\n\n0. 0\n1. 1" in card
        assert "STARSEncoder" not in card


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fraction": 0.0}, "fraction"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"drop_path_rate": 1.0}, "drop_path_rate"),
        ({"head": "mlp"}, "head must be one of joints, linear"),
        ({"batch_size": 1}, "batch_size must be at least 2"),
        ({"monitor_held_out": False}, "chooses no model"),
        ({"patience": 3, "monitor_every": 0}, "patience needs"),
    ],
)
def test_bad_values(prepared: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        finetune_config(prepared, **changes)
