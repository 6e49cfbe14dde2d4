"""Every stage gives the same compiled, and on CUDA in every precision, as plainly on the CPU."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._dynamo.utils import counters

from tests.training.helpers import assert_close, run, tensors_of

Make = Callable[..., Any]
pytestmark = pytest.mark.filterwarnings("ignore")  # torch.compile warns of torch itself


def losses(config: Any) -> list[float]:
    return [record["loss"] for record in run(config).history if "loss" in record]


@pytest.mark.slow
def test_compiled_blocks_train_the_same(config: Make, tmp_path: Path) -> None:
    plain = tensors_of(run(config(precision="float64")))
    torch.compiler.reset()
    counters.clear()
    compiled = run(config(precision="float64", compile=True, output=str(tmp_path / "compiled")))
    assert counters["frames"]["ok"]
    assert_close(plain, tensors_of(compiled), atol=1e-7)


@pytest.mark.gpu
@pytest.mark.parametrize(
    ("precision", "rtol"), [("float64", 1e-6), ("float32", 1e-3), ("bfloat16", 5e-2), ("float16", 5e-2)]
)
@pytest.mark.parametrize("compiled", [False, True])
def test_cuda_trains_as_the_cpu(
    config: Make, tmp_path: Path, precision: str, rtol: float, compiled: bool
) -> None:
    """Nothing random depends on the device, so that losses stay together over all steps."""
    expected = losses(config(precision="float64"))
    how = {"device": "cuda", "precision": precision, "compile": compiled, "output": str(tmp_path / "cuda")}
    assert losses(config(**how)) == pytest.approx(expected, rel=rtol)
