"""What every benchmark shares: fair timing, the machine it ran on, and a results file.

Ratios are what counts: baseline and candidates run in one process, taking turns, so that whatever else
the machine does falls on all of them.
"""

import argparse
import json
import math
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from stars_hub.model.layers import Attention

RESULTS = Path(__file__).parent / "results"


def arguments(description: str | None, *, repeats: int) -> argparse.Namespace:
    """What every benchmark of the model can be told; sets the number of threads and the seed."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, formatter_class=form)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=repeats)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    return options


@contextmanager
def explicit_attention() -> Iterator[None]:
    """The plain way: the (L, L) matrix of every head is made, held, and gone through by softmax."""
    fused, Attention.forward = Attention.forward, _plain_attention
    try:
        yield
    finally:
        Attention.forward = fused


def _plain_attention(attention: Attention, x: Tensor) -> Tensor:
    q, k, v = rearrange(attention.qkv(x), "r l (three h d) -> three r h l d", three=3, h=attention.num_heads)
    weights = torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), dim=-1)
    return attention.proj(rearrange(weights @ v, "r h l d -> r l (h d)"))


def take_turns(
    candidates: Mapping[str, Callable[[], Any]], *, repeats: int = 7, device: str = "cpu"
) -> dict[str, float]:
    """Median seconds of each candidate; all run once to warm up, then one after another, `repeats` times."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(repeats + 1):
        for name, run in candidates.items():
            synchronize(device)
            start = time.perf_counter()
            run()
            synchronize(device)
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


def synchronize(device: str) -> None:
    """Wait for the device, where it runs ahead of Python."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def environment(device: str = "cpu") -> dict[str, Any]:
    """The machine and the versions that a figure depends on."""
    processor = torch.cuda.get_device_name() if device.startswith("cuda") else _cpu_name()
    return {
        "processor": processor,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
    }


def report(name: str, rows: list[dict[str, Any]], *, note: str, device: str = "cpu") -> None:
    """Print rows as a table and write them, with the environment, to results/NAME.json."""
    columns = list(rows[0])
    cells = [[_cell(row[column]) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in [columns, *cells]) for i in range(len(columns))]
    for line in [columns, *cells]:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    RESULTS.mkdir(exist_ok=True)
    content = {"benchmark": name, "note": note, "environment": environment(device), "rows": rows}
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()
