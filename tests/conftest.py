"""Fixtures for all tests: golden files and, where they are at hand, real recordings."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gloo import GlooPool


@pytest.fixture(scope="session")
def golden_dir() -> Path:
    """The folder of golden numbers (origin: tests/golden/README.md)."""
    return Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def recordings_dir() -> Path:
    """The folder of real recordings, named by the environment variable STARS_HUB_TEST_DATA."""
    folder = os.environ.get("STARS_HUB_TEST_DATA")
    if not folder:
        pytest.skip("STARS_HUB_TEST_DATA names no folder of real recordings")
    return Path(folder)


@pytest.fixture(scope="session")
def gloo() -> Iterator[GlooPool]:
    """Two processes that are each other's world; tests that use them bear the marker ddp."""
    with GlooPool() as pool:
        yield pool
