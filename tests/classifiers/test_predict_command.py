"""From labelled files to named recordings: what a newcomer types, in three commands."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from stars_hub.classifiers import PrototypeClassifier, STARSClassifier
from stars_hub.cli import main
from stars_hub.model.encoder import STARSEncoder
from tests.classifiers.conftest import clip, clips


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder of .npy files, without labels."""
    folder = tmp_path / "new"
    folder.mkdir()
    for action in ("wave", "kick"):
        np.save(folder / f"{action}.npy", clip(action, 99))
    return folder


def test_predict_prints_and_writes(encoder: STARSEncoder, files: Path, tmp_path: Path) -> None:
    classifier = STARSClassifier(encoder).fit(clips(4), mode="linear", validation=0)
    model = classifier.save_pretrained(tmp_path / "model")
    expected = classifier.predict_topk(sorted(files.iterdir()), k=2)

    printed = run("predict", files, "--model", model, "--topk", "2")
    assert printed.exit_code == 0, printed.stderr
    lines = printed.output.splitlines()
    assert [line.split()[0] for line in lines] == ["kick", "wave"]
    assert [line.split()[1] for line in lines] == [guesses[0].label for guesses in expected]
    assert f"{100 * expected[0][1].probability:.1f} %" in lines[0]

    result = run("predict", files, "--model", model, "--topk", "2", "--output", tmp_path / "p.csv")
    assert result.exit_code == 0, result.stderr
    with (tmp_path / "p.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["kick", "wave"]
    assert [(row["label"], row["label2"]) for row in rows] == [
        (first.label, second.label) for first, second in expected
    ]
    assert [float(row["probability"]) for row in rows] == [guesses[0].probability for guesses in expected]

    assert run("predict", files, "--model", model, "--output", tmp_path / "p.json").exit_code == 0
    content = json.loads((tmp_path / "p.json").read_text())
    assert content[1]["name"] == "wave"
    assert content[1]["guesses"][0] == expected[1][0]._asdict()
    assert len(content[1]["guesses"]) == 3


def test_predict_with_prototypes(encoder: STARSEncoder, files: Path, tmp_path: Path) -> None:
    model = PrototypeClassifier(encoder).fit(clips(2)).save_pretrained(tmp_path / "model")
    result = run("predict", files, "--model", model, "--topk", "1")
    assert result.exit_code == 0, result.stderr
    assert [line.split()[:2] for line in result.output.splitlines()] == [["kick"] * 2, ["wave"] * 2]


def test_predict_says_what_is_wrong(encoder: STARSEncoder, files: Path, tmp_path: Path) -> None:
    plain = encoder.save_pretrained(tmp_path / "plain")
    for arguments, message in (
        (["--model", plain], "stars-hub finetune"),
        (["--model", plain, "--output", "p.txt"], ".csv or .json"),
        (["--model", plain, "--topk", "0"], "topk"),
        (["--model", tmp_path / "absent"], "absent"),
    ):
        result = run("predict", files, *arguments)
        assert result.exit_code == 2
        assert message in result.stderr
        assert len(result.stderr.splitlines()) == 1


def test_three_commands_from_files_to_names(encoder: STARSEncoder, files: Path, tmp_path: Path) -> None:
    model, raw = encoder.save_pretrained(tmp_path / "model"), tmp_path / "raw"
    raw.mkdir()
    examples = clips(8)
    for example in examples:
        np.save(raw / f"{example.name}.npy", example.joints)
    rows = [f"{example.name}.npy,{example.label},{example.subject}" for example in examples]
    (raw / "labels.csv").write_text("\n".join(["file,label,subject", *rows]))

    for arguments in (
        ["prepare", "folder", raw, tmp_path / "store", "--workers", "1"],
        ["finetune", "--data", tmp_path / "store", "--model", model, "--output", tmp_path / "run",
         "--epochs", "2", "--warmup-epochs", "0", "--hidden-dim", "16", "--device", "cpu"],
        ["predict", files, "--model", tmp_path / "run" / "best", "--output", tmp_path / "p.json"],
    ):  # fmt: skip
        result = run(*arguments)
        assert result.exit_code == 0, result.stderr
    guesses = {row["name"]: row["guesses"] for row in json.loads((tmp_path / "p.json").read_text())}
    assert {guess["label"] for guess in guesses["kick"]} == {"kick", "rest", "wave"}
    expected = STARSClassifier.from_pretrained(tmp_path / "run" / "best").predict_topk(files, k=3)
    assert [guesses[name] for name in ("kick", "wave")] == [
        [guess._asdict() for guess in row] for row in expected
    ]
