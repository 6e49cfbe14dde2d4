"""The demonstration, with a tiny encoder: its numbers, its words, alone and with the base install."""

import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from stars_hub import EncoderConfig, STARSEncoder
from stars_hub.classifiers import PrototypeClassifier
from stars_hub.cli import main
from stars_hub.demo import CLIPS, EXAMPLES, HONESTY, Demo, run_demo
from stars_hub.skeletons.synthetic import SYNTHETIC_ACTIONS, synthetic_dataset


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    encoder = STARSEncoder(EncoderConfig(num_frames=16, embed_dim=16, depth=1, num_heads=2))
    return encoder.save_pretrained(tmp_path_factory.mktemp("demo") / "tiny")


@pytest.fixture(scope="module")
def base_install() -> Iterator[None]:
    """No optional package, and no network."""
    with pytest.MonkeyPatch.context() as patch:
        for package in ("matplotlib", "sklearn"):
            patch.setitem(sys.modules, package, None)

        def refuse(*_: object) -> None:
            raise AssertionError("something was contacted")

        patch.setattr(socket.socket, "connect", refuse)
        yield


@pytest.fixture(scope="module")
def demo(model: Path, base_install: None) -> Demo:
    return run_demo(model.parent / "first", model=model, tell=lambda _: None)


def features_in(path: Path) -> np.ndarray:
    with np.load(path) as saved:
        return saved["features"]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["demo", *map(str, arguments)])


def test_the_numbers_are_those_of_plain_arithmetic(demo: Demo, model: Path) -> None:
    encoder = STARSEncoder.from_pretrained(model)
    examples = synthetic_dataset(EXAMPLES, num_subjects=EXAMPLES, seed=0)
    clips = synthetic_dataset(CLIPS, num_subjects=CLIPS, seed=1)
    known, asked = (encoder.encode([each.joints for each in made]) for made in (examples, clips))
    np.testing.assert_array_equal(features_in(demo.features), asked)
    known, asked = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (known, asked))
    labels, truth = (np.array([each.label for each in made]) for made in (examples, clips))
    nearest = labels[(asked @ known.T).argmax(axis=1)]
    np.testing.assert_array_equal(demo.nearest.predictions, nearest)
    assert demo.nearest.metrics["accuracy"] == pytest.approx(100 * np.mean(nearest == truth))
    classifier = PrototypeClassifier(encoder)
    classifier.fit([each.joints for each in examples], [each.columns["action"] for each in examples])
    names = classifier.predict([each.joints for each in clips])
    assert [SYNTHETIC_ACTIONS[guess] for guess in demo.few_shot.predictions] == names


def test_the_table_counts_clips(demo: Demo) -> None:
    lines = [re.split(r"  +", line) for line in demo.table().splitlines()]
    assert [line[0] for line in lines] == ["clips recognised", *SYNTHETIC_ACTIONS, "all", "(chance: 6.2 %)"]
    for column, found in ((1, demo.nearest), (2, demo.few_shot)):
        hits = [int(line[column].removesuffix(f" of {CLIPS}")) for line in lines[1:-2]]
        assert lines[-2][column] == f"{sum(hits)} of {CLIPS * len(SYNTHETIC_ACTIONS)}"
        assert lines[-1][column] == f"{found.metrics['accuracy']:.1f} %"


def test_the_report_moves_and_is_honest(demo: Demo) -> None:
    page = demo.report.read_text()
    assert HONESTY in page
    assert page.count("data-motion=") >= 12
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_each_step_is_timed(demo: Demo) -> None:
    assert list(demo.seconds) == [
        "load the encoder", "make up motions", "encode", "find neighbours", "classify", "write the report",
    ]  # fmt: skip
    assert all(seconds >= 0 for seconds in demo.seconds.values())


@pytest.mark.usefixtures("base_install")
def test_the_command_tells_all_and_repeats_itself(demo: Demo, model: Path, tmp_path: Path) -> None:
    result = run("--output", tmp_path / "new" / "place", "--model", model)
    assert result.exit_code == 0, result.stderr
    assert demo.table() in result.output
    assert HONESTY in result.output
    assert f"{tmp_path / 'new' / 'place' / 'report.html'}: open it" in result.output
    for step in [*demo.seconds, "altogether"]:
        assert re.search(rf"^{step} +\d+\.\d\d s", result.output, re.MULTILINE)
    assert re.search(r"[\d.]+ sequences a second, features of width 16$", result.output, re.MULTILINE)
    again = features_in(tmp_path / "new" / "place" / "features.npz")
    np.testing.assert_array_equal(again, features_in(demo.features))


def test_a_missing_model_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    result = run("--output", tmp_path / "demo", "--model", "stars-absent")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "there is no bundled model and no folder 'stars-absent'" in result.stderr
    assert not (tmp_path / "demo").exists()


def test_a_file_in_the_way_is_one_line(model: Path, tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("mine")
    result = run("--output", tmp_path / "demo", "--model", model)
    assert result.exit_code == 2
    assert "demo cannot be made: File exists" in result.stderr
