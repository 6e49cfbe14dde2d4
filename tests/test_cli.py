"""The command line, run as a user runs it."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from safetensors import safe_open

from stars_hub import EncoderConfig, STARSEncoder, __version__
from stars_hub.cli import main
from stars_hub.objectives import Classification
from stars_hub.skeletons import SkeletonStore
from stars_hub.skeletons.prepare import PREPARATIONS
from stars_hub.skeletons.synthetic import synthetic_dataset
from tests.motions import drifting


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def model(tmp_path: Path) -> Path:
    encoder = STARSEncoder(EncoderConfig(num_frames=8, embed_dim=16, depth=1, num_heads=2))
    return encoder.save_pretrained(tmp_path / "model")


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name, frames in (("b", 30), ("a", 12)):
        np.save(folder / f"{name}.npy", drifting(frames, seed=frames))
    return folder


def test_version() -> None:
    assert run("--version").output.strip() == f"stars-hub, version {__version__}"


def test_encode_writes_names_beside_features(model: Path, recordings: Path, tmp_path: Path) -> None:
    paths = [tmp_path / f"features{suffix}" for suffix in (".npz", ".csv", ".safetensors")]
    for path in paths:
        result = run("encode", recordings, "--model", model, "--output", path)
        assert result.exit_code == 0, result.stderr
        assert "2 features of width 16" in result.output
    expected = STARSEncoder.from_pretrained(model).encode([recordings / "a.npy", recordings / "b.npy"])

    with np.load(paths[0]) as saved:
        assert saved["names"].tolist() == ["a", "b"]
        np.testing.assert_array_equal(saved["features"], expected)
    with paths[1].open() as file:
        rows = list(csv.DictReader(file))
    assert [row.pop("name") for row in rows] == ["a", "b"]
    np.testing.assert_array_equal(np.array([list(row.values()) for row in rows], dtype=np.float32), expected)
    with safe_open(paths[2], "np") as saved:
        assert json.loads(saved.metadata()["names"]) == ["a", "b"]
        np.testing.assert_array_equal(saved.get_tensor("features"), expected)


def test_encode_passes_its_options_on(model: Path, recordings: Path, tmp_path: Path) -> None:
    result = run(
        "encode", recordings / "a.npy", "--model", model, "--output", tmp_path / "f.npz",
        "--up-axis", "z", "--normalize", "--num-frames", "16", "--batch-size", "1", "--dtype", "bfloat16",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    with np.load(tmp_path / "f.npz") as saved:
        assert np.linalg.norm(saved["features"]) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["encode", "absent.npy", "--model", "MODEL", "--output", "f.npz"], "absent.npy"),
        (["encode", "DATA", "--model", "absent-model", "--output", "f.npz"], "absent-model"),
        (["encode", "DATA", "--model", "MODEL", "--output", "f.txt"], ".npz, .csv, .safetensors"),
        (["encode", "DATA", "--model", "MODEL", "--output", "f.npz", "--layout", "octopus8"], "octopus8"),
        (["info", "absent-model"], "absent-model"),
        (["convert", "absent.pth", "out"], "absent.pth"),
        (["encode", "DATA", "--model", "MODEL"], "Missing option '--output'"),
        (
            ["encode", "DATA", "--model", "MODEL", "--output", "f.npz", "--device", "abacus"],
            "device 'abacus'",
        ),
        (["encode", "DATA", "--model", "MODEL", "--output", "nowhere/f.npz"], "there is no folder nowhere"),
        (["info", "MODEL", "--verify"], "--verify is for stores"),
        (["frobnicate"], "No such command 'frobnicate'"),
        (["--frobnicate"], "No such option"),
    ],
)
def test_errors_are_one_line_and_exit_code_2(
    arguments: list[str],
    message: str,
    model: Path,
    recordings: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    places = {"MODEL": str(model), "DATA": str(recordings)}
    result = run(*(places.get(argument, argument) for argument in arguments))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert message in result.stderr
    assert not Path("f.npz").exists()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    sequences = synthetic_dataset(3, actions=["walking", "waving", "squatting"], num_subjects=3)
    SkeletonStore.create(tmp_path / "store", sequences, layout="ntu25")
    return tmp_path / "store"


SMALL = [
    "--num-frames",
    "8",
    "--embed-dim",
    "16",
    "--depth",
    "2",
    "--num-heads",
    "2",
    "--decoder-depth",
    "1",
    "--warmup-epochs",
    "0",
]


def test_pretrain_then_tune_then_encode(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = ["--data", store, "--recipe", "small-data", "--epochs", "1", "--batch-size", "4"]
    dry = run("pretrain", *data, "--output", tmp_path / "mamp", *SMALL, "--dry-run")
    assert dry.exit_code == 0, dry.stderr
    assert "9 recordings to train on" in dry.output
    assert not (tmp_path / "mamp").exists()
    with monkeypatch.context() as patch:
        patch.setenv("RANK", "1")  # as torchrun numbers the processes
        assert run("pretrain", *data, "--output", tmp_path / "mamp", *SMALL, "--dry-run").output == ""
    for command in (
        ["pretrain", *data, "--output", tmp_path / "mamp", *SMALL],
        ["tune", *data, "--output", tmp_path / "stars", "--model", tmp_path / "mamp" / "last"],
        ["encode", store, "--model", tmp_path / "stars" / "last", "--output", tmp_path / "f.npz"],
    ):
        result = run(*command)
        assert result.exit_code == 0, result.stderr
    with np.load(tmp_path / "f.npz") as saved:
        assert saved["features"].shape == (9, 16)


def test_finetune_from_a_model_or_from_scratch(store: Path, tmp_path: Path) -> None:
    STARSEncoder(EncoderConfig(num_frames=8, embed_dim=16, depth=2, num_heads=2)).save_pretrained(
        tmp_path / "model"
    )
    data = ["--data", store, "--epochs", "1", "--batch-size", "3", "--warmup-epochs", "0"]
    dry = run("finetune", *data, "--model", tmp_path / "model", "--dry-run")
    assert dry.exit_code == 0, dry.stderr
    assert "6 recordings to train on" in dry.output
    assert "validation: 3 recordings of subjects" in dry.output
    small = [*SMALL[: SMALL.index("--decoder-depth")], "--drop-path-rate", "0.2"]
    for name, start in (
        ("tuned", ["--model", tmp_path / "model"]),
        ("new", ["--recipe", "small-data-scratch", *small]),
    ):
        result = run("finetune", *data, "--output", tmp_path / name, *start)
        assert result.exit_code == 0, result.stderr
        assert f"{tmp_path / name / 'best'}: that of the epoch with the highest accuracy" in result.output
        classifier = Classification.from_pretrained(tmp_path / name / "last")
        assert classifier.label_names == ["0", "1", "2"]
    assert "take recipe small-data-scratch" in run("finetune", *data, "--output", tmp_path / "x").stderr


def test_every_kind_of_preparation_can_be_asked_for() -> None:
    (kind, *_) = main.commands["prepare"].params
    assert list(kind.type.choices) == list(PREPARATIONS)


def test_prepare_then_info(golden_dir: Path, tmp_path: Path) -> None:
    result = run("prepare", "ntu120", golden_dir / "ntu_raw", tmp_path / "store")
    assert result.exit_code == 0, result.stderr
    assert "samples  20" in result.output
    shown = run("info", tmp_path / "store", "--verify").output
    assert "layout    ntu25 (25 joints, float32)" in shown
    assert "verified" in shown


def test_no_command_is_help() -> None:
    result = run()
    assert result.exit_code == 2
    assert "Commands:" in result.stderr


def test_debug_shows_the_traceback() -> None:
    result = run("--debug", "info", "absent-model")
    assert isinstance(result.exception, ValueError)


def test_info_shows_configuration_parameters_tensors_and_card(model: Path) -> None:
    output = run("info", model).output
    parameters = sum(parameter.numel() for parameter in STARSEncoder.from_pretrained(model).parameters())
    for expected in (
        "embed_dim: 16",
        f"Parameters: {parameters:,}",
        "blocks.0.attn.qkv.weight",
        "library_name",
    ):
        assert expected in output


def test_info_counts_blocks(tmp_path: Path) -> None:
    encoder = STARSEncoder(EncoderConfig(num_frames=8, embed_dim=4, depth=11, num_heads=2))
    output = run("info", encoder.save_pretrained(tmp_path)).output
    places = [output.index(f"blocks.{block}.norm1.weight") for block in range(11)]
    assert places == sorted(places)


def test_the_package_is_a_command_too() -> None:
    done = subprocess.run([sys.executable, "-m", "stars_hub", "--version"], capture_output=True, text=True)
    assert done.stdout == f"stars-hub, version {__version__}\n"


def test_a_misplaced_debug_is_told_in_one_line() -> None:
    done = run("models", "--debug")
    assert done.exit_code == 2
    assert done.stderr == "stars-hub: error: No such option '--debug'.\n"
