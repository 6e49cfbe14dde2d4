"""Two gloo processes that wait for functions to run: started once, as each start costs seconds."""

import os
import tempfile
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


class GlooPool:
    """A pool of processes that are each other's `torch.distributed` world."""

    def __init__(self, size: int = 2) -> None:
        self._folder = tempfile.TemporaryDirectory()
        context = mp.get_context("spawn")
        self._connections: list[Connection] = []
        self._processes = []
        for rank in range(size):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_serve,
                args=(theirs, rank, size, str(Path(self._folder.name) / "meeting")),
                daemon=True,
            )
            process.start()
            self._connections.append(ours)
            self._processes.append(process)

    def run(self, function: Callable[..., Any], *args: Any) -> list[Any]:
        """Call `function(rank, *args)` in every process, and give the results by rank."""
        for connection in self._connections:
            connection.send((function, args))
        answers = [
            connection.recv() if connection.poll(60) else "no answer" for connection in self._connections
        ]
        failures = [answer for answer in answers if isinstance(answer, str)]
        if failures:
            raise AssertionError("\n".join(failures))
        return [value for (value,) in answers]

    def __enter__(self) -> "GlooPool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._connections:
            connection.send(None)
        for process in self._processes:
            process.join(10)
            if process.is_alive():
                process.kill()
        self._folder.cleanup()


def _serve(connection: Connection, rank: int, size: int, meeting: str) -> None:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=size)
    while (job := connection.recv()) is not None:
        function, args = job
        try:
            connection.send((function(rank, *args),))
        except Exception:
            connection.send(f"process {rank}:\n{traceback.format_exc()}")
    dist.destroy_process_group()
