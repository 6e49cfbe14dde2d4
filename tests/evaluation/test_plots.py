"""Figures: what they hold, told by their artists; that files come out whole."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from stars_hub import EncoderConfig, STARSEncoder
from stars_hub.cli import main
from stars_hub.errors import CheckpointError, ConfigError, MissingExtraError
from stars_hub.evaluation import Evaluation, plots, write_features
from stars_hub.evaluation.embedding import PAPER_CLASSES, choose_samples
from stars_hub.evaluation.reconstruction import load_mamp, reconstruct
from stars_hub.objectives import MAMP
from stars_hub.skeletons import SkeletonStore, get_layout
from stars_hub.skeletons.splits import SplitRule
from stars_hub.skeletons.synthetic import synthetic_dataset, synthetic_motion

pytest.importorskip("matplotlib")


def write_run(folder: Path, *, depth: int, accuracies: list[float], loss: float = 1.0) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"lr": 1e-3, "encoder": {"depth": depth}}))
    records = [
        {"epoch": epoch, "loss": loss / (epoch + 1), "lr": 0.1, "seconds": 30.0, "knn_10": value}
        for epoch, value in enumerate(accuracies)
    ]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (folder / "metrics.jsonl").write_text(lines + '{"epoch": 99, "lo')  # the next line is being written
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    return [
        write_run(tmp_path / "deep", depth=8, accuracies=[30.0, 60.0, 80.0]),
        write_run(tmp_path / "flat", depth=2, accuracies=[20.0, 50.0]),
    ]


def test_curves(runs: list[Path]) -> None:
    loss, accuracy = plots.plot_curves(runs).axes
    assert [line.get_label() for line in loss.lines] == ["deep", "flat"]
    np.testing.assert_allclose(loss.lines[0].get_ydata(), [1, 1 / 2, 1 / 3])
    assert list(accuracy.lines[1].get_ydata()) == [20, 50]


def test_sweep_sorts_by_the_value_and_takes_the_last_accuracy(runs: list[Path]) -> None:
    (axes,) = plots.plot_sweep("encoder.depth", runs).axes
    assert list(axes.lines[0].get_xdata()) == [2, 8]
    assert list(axes.lines[0].get_ydata()) == [50, 80]
    with pytest.raises(ConfigError, match=r"run deep has no field 'encoder\.width'"):
        plots.plot_sweep("encoder.width", runs)
    with pytest.raises(ConfigError, match="no accuracy knn_20"):
        plots.plot_sweep("lr", runs, metric="knn_20")


def test_time_adds_up_in_minutes(runs: list[Path]) -> None:
    (axes,) = plots.plot_time(runs).axes
    assert list(axes.lines[0].get_xdata()) == [0.5, 1.0, 1.5]


def test_folders_that_hold_no_run(tmp_path: Path, runs: list[Path]) -> None:
    with pytest.raises(ConfigError, match="holds no run"):
        plots.plot_curves([tmp_path])
    (runs[0] / "config.json").write_text("{")
    with pytest.raises(ConfigError, match="damaged"):
        plots.plot_curves(runs)


def test_confusion_is_in_percent_of_the_row() -> None:
    figure = plots.plot_confusion([[3, 1], [0, 0]], ["walk", "run"])
    image = figure.axes[0].images[0].get_array()
    np.testing.assert_array_equal(np.ma.filled(image, np.nan), [[75, 25], [np.nan, np.nan]])
    assert [text.get_text() for text in figure.axes[0].texts] == ["75", "25"]
    with pytest.raises(ConfigError, match=r"expected a confusion matrix \(1, 1\)"):
        plots.plot_confusion([[3, 1], [0, 2]], ["walk"])


def test_tsne_shows_the_same_samples_before_and_after() -> None:
    features, labels = np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 3
    by_name = {"before": features, "after": 2 * features}
    options = {"classes": [0, 2], "per_class": 7, "method": "pca"}
    figure = plots.plot_tsne(by_name, labels, ["a", "b", "c"], **options)
    assert [axes.get_title() for axes in figure.axes] == ["before", "after"]
    for axes in figure.axes:
        assert [len(group.get_offsets()) for group in axes.collections] == [7, 7]
        assert [group.get_label() for group in axes.collections] == ["a", "c"]
    with pytest.raises(ConfigError, match="expected 59 features"):
        plots.plot_tsne(features, labels[:59], ["a", "b", "c"])


def test_a_strip_shows_evenly_spread_frames() -> None:
    figure = plots.plot_strip(synthetic_motion("shaking_hands", num_frames=31), "ntu25", count=4)
    assert [axes.get_title() for axes in figure.axes] == ["0.0 s", "0.3 s", "0.7 s", "1.0 s"]
    assert len(figure.axes[0].lines) == 2 * (24 + 3)  # for each person the bones, and joints by side


def test_animations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    joints = synthetic_motion("waving", num_frames=8)
    with Image.open(plots.write_animation(tmp_path / "a.gif", joints, "ntu25")) as gif:
        assert gif.n_frames == 4
    page = plots.write_animation(tmp_path / "a.html", joints, "ntu25", title="<b>").read_text()
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    monkeypatch.setattr("matplotlib.animation.FFMpegWriter.isAvailable", lambda: False)
    with pytest.raises(ConfigError, match=r"ffmpeg, which is not found: write \.gif or \.html"):
        plots.write_animation(tmp_path / "a.mp4", joints, "ntu25")
    with pytest.raises(ConfigError, match=r"got '\.avi'"):
        plots.write_animation(tmp_path / "a.avi", joints, "ntu25")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.gif", "a.html"]


def small_mamp(**settings: object) -> MAMP:
    torch.manual_seed(0)
    encoder = STARSEncoder(EncoderConfig(num_frames=8, embed_dim=16, depth=1, num_heads=2))
    return MAMP(encoder, decoder_depth=1, mask_ratio=0.5, **settings)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_perfect_prediction_reconstructs_the_recording(
    stride: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small_mamp(motion_stride=stride)
    forward = MAMP.forward

    def perfect(self: MAMP, x: torch.Tensor, noise: torch.Tensor) -> object:
        rows = x.permute(0, 4, 1, 2, 3).flatten(0, 1)
        return forward(self, x, noise)._replace(prediction=self._target(rows))

    joints = synthetic_motion("waving", num_frames=20)
    honest = reconstruct(model, joints)
    monkeypatch.setattr(MAMP, "forward", perfect)
    result = reconstruct(model, joints)
    assert result.masked.mean() == pytest.approx(0.5, abs=0.01)
    np.testing.assert_allclose(result.predicted, result.original, atol=1e-4)
    np.testing.assert_array_equal(honest.masked, result.masked)
    assert np.abs(honest.predicted - honest.original).max() > 1e-3


def test_a_model_without_decoder_reconstructs_nothing(tmp_path: Path) -> None:
    folder = STARSEncoder(small_mamp().encoder.config).save_pretrained(tmp_path / "model")
    with pytest.raises(CheckpointError, match="holds no decoder"):
        load_mamp(folder)


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"stars-hub\[plots\]"):
        plots.plot_strip(synthetic_motion("waving"), get_layout("ntu25"))


def test_the_papers_classes_are_taken_only_where_they_are() -> None:
    assert np.unique(choose_samples(np.arange(60))).tolist() == sorted(PAPER_CLASSES)
    new_to_ntu120 = np.arange(60, 120)
    assert len(choose_samples(new_to_ntu120)) == 15


def test_tsne_encodes_no_more_than_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = synthetic_dataset(8, actions=["walking", "waving"], num_subjects=2, num_frames=(8, 10))
    rule = SplitRule("subject", train=(0,))
    SkeletonStore.create(tmp_path / "store", made, layout="ntu25", splits={"cross": rule})
    encoder = STARSEncoder(EncoderConfig(num_frames=8, embed_dim=16, depth=1, num_heads=2))
    encoder.save_pretrained(tmp_path / "model")
    seen: list[SkeletonStore] = []
    encode = STARSEncoder.encode
    monkeypatch.setattr(
        STARSEncoder, "encode", lambda self, store: (seen.append(store), encode(self, store))[1]
    )
    arguments = [
        "plot", "tsne", tmp_path / "store", "--model", tmp_path / "model", "--split", "cross",
        "--device", "cpu", "--per-class", 3, "--method", "pca", "--output", tmp_path / "tsne.svg",
    ]  # fmt: skip
    told = CliRunner().invoke(main, list(map(str, arguments)))
    assert told.exit_code == 0, told.stderr
    assert seen[0].labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert set(seen[0].subjects.tolist()) == {1}


def test_every_kind_from_the_command_line(tmp_path: Path, runs: list[Path]) -> None:
    sequences = synthetic_dataset(4, actions=["walking", "waving"], num_frames=(8, 10))
    names = ["walk", "wave"]
    store = SkeletonStore.create(tmp_path / "store", sequences, layout="ntu25", label_names=names)
    features = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
    write_features(tmp_path / "f.npz", store.names.tolist()[::-1], features)
    model = small_mamp().save_pretrained(tmp_path / "mamp")
    parts = {"settings": {}, "provenance": {}, "label_names": names}
    result = Evaluation(protocol="knn", metrics={}, truth=store.labels, predictions=store.labels, **parts)
    result.to_json(tmp_path / "result.json")
    commands = {
        "curves.svg": ["curves", *runs],
        "sweep.svg": ["sweep", "encoder.depth", *runs],
        "time.svg": ["time", *runs],
        "tsne.svg": ["tsne", store.folder, "--features", tmp_path / "f.npz", "--method", "pca"],
        "confusion.svg": ["confusion", tmp_path / "result.json"],
        "animation.html": ["animation", store.folder, "--index", "3"],
        "reconstruction.svg": ["reconstruction", model, store.folder],
    }
    assert {command[0] for command in commands.values()} == set(main.commands["plot"].commands)
    for file, command in commands.items():
        arguments = ["plot", *map(str, command), "--output", str(tmp_path / file)]
        told = CliRunner().invoke(main, arguments)
        assert told.exit_code == 0, told.stderr
        assert (tmp_path / file).stat().st_size > 5000
    refused = CliRunner().invoke(main, ["plot", "curves", str(runs[0]), "--output", "curves.bmp"])
    assert refused.exit_code == 2
    assert "'.bmp'" in refused.stderr
