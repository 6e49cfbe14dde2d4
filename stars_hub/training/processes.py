"""The processes of a run: started by `torchrun` or just this one, and asked to stop by SIGTERM."""

import gc
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist

from stars_hub.distributed import all_sum

EXIT_CODE = 128 + signal.SIGTERM  # what a shell reports of a process that SIGTERM ended


@contextmanager
def processes(device: str | None) -> Iterator[torch.device]:
    """Join the other processes that `torchrun` started, if it did; gives this process's device.

    Args:
        device: None: a GPU if there is one. Of several GPUs, `torchrun`'s processes take one each.
    """
    kind = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if kind.type == "cuda" and kind.index is None:
        kind = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(kind)
    joins = int(os.environ.get("WORLD_SIZE", 1)) > 1 and not dist.is_initialized()
    if joins:
        dist.init_process_group("nccl" if kind.type == "cuda" else "gloo")
    try:
        yield kind
    finally:
        if joins:
            # A wrapped model lives on in cycles of references, and with it the group's threads: a process
            # that ends before them is aborted.
            gc.collect()
            dist.destroy_process_group()


def is_first() -> bool:
    """Whether this process speaks for those that `torchrun` started, also before they join and after."""
    return int(os.environ.get("RANK", 0)) == 0


def barrier(device: torch.device) -> None:
    """Wait for the other processes."""
    all_sum(torch.zeros((), device=device)).item()


class StopRequest:
    """Whether SIGTERM came, to this process or any other."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.here = False

    def __bool__(self) -> bool:
        return bool(all_sum(torch.tensor(float(self.here), device=self.device)) > 0)


@contextmanager
def stop_request(device: torch.device) -> Iterator[StopRequest]:
    """Take note of SIGTERM instead of dying of it, where signals can be handled: in the main thread."""
    request = StopRequest(device)

    def note(*_: Any) -> None:
        request.here = True

    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = signal.signal(signal.SIGTERM, note)
    try:
        yield request
    finally:
        signal.signal(signal.SIGTERM, before)
