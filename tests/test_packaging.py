"""What a release holds: the archive everything that the tests need, the wheel the package and its models."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from stars_hub import EncoderConfig, STARSEncoder, __version__

ROOT = Path(__file__).parents[1]
TOP = [".ci", "benchmarks", "docs", "examples", "stars_hub", "tests"]
FILES = [
    "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "MANIFEST.in", "README.md",
    "pyproject.toml", "setup.cfg",
]  # fmt: skip
BUNDLED = "stars_hub/checkpoints/bundled/tiny"

ENCODE = """
import numpy as np, stars_hub
from stars_hub import STARSEncoder, list_models
assert "tiny" in list_models(), list_models()
features = STARSEncoder.from_pretrained("tiny").encode(np.random.default_rng(0).normal(size=(20, 25, 3)))
print(stars_hub.__file__, features.shape)
"""


def test_the_citation_names_this_version() -> None:
    assert re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)[1] == __version__


def names_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source tree, as it would be in a fresh clone, with one more bundled model."""
    tree = tmp_path_factory.mktemp("release") / "tree"
    ignore = shutil.ignore_patterns("__pycache__", ".*_cache", "*.pyc")
    for name in TOP:
        shutil.copytree(ROOT / name, tree / name, ignore=ignore)
    for name in FILES:
        shutil.copy(ROOT / name, tree)
    config = EncoderConfig(num_frames=8, embed_dim=16, depth=1, num_heads=2)
    STARSEncoder(config).save_pretrained(tree / BUNDLED)
    return tree


@pytest.fixture(scope="module")
def built(tree: Path) -> Path:
    """A folder with the sdist, and the wheel made of it."""
    pytest.importorskip("build")
    pytest.importorskip("setuptools")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tree.parent / "dist")]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "would be ignored" not in done.stdout + done.stderr
    return tree.parent / "dist"


@pytest.mark.slow
def test_the_archive_holds_the_whole_tree(built: Path, tree: Path) -> None:
    name = f"stars_hub-{__version__}"
    with tarfile.open(built / f"{name}.tar.gz") as archive:
        held = {member.name.removeprefix(f"{name}/") for member in archive if member.isfile()}
    made = {file for file in held if file.startswith("stars_hub.egg-info/")} | {"PKG-INFO"}
    source = {file for file in names_in(tree) if not file.startswith(("build/", "stars_hub.egg-info/"))}
    assert held - made == source


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_its_models(built: Path, tree: Path) -> None:
    with zipfile.ZipFile(built / f"stars_hub-{__version__}-py3-none-any.whl") as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == {f"stars_hub/{name}" for name in names_in(tree / "stars_hub")}
    assert {"stars_hub/py.typed", f"{BUNDLED}/config.json", f"{BUNDLED}/model.safetensors"} <= held


@pytest.mark.slow
def test_the_wheel_encodes_offline_and_outside_the_source_tree(built: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(built / f"stars_hub-{__version__}-py3-none-any.whl") as wheel:
        wheel.extractall(tmp_path / "installed")
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "installed"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", ENCODE],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "installed") in done.stdout
    assert "(1, 16)" in done.stdout
