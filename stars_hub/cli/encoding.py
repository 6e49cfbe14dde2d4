"""The options of all commands that encode recordings: how these were made, and where to compute."""

from collections.abc import Callable
from typing import Any

import click

_OPTIONS = [
    click.option("--layout", help="Joint layout of the recordings; the model's own if not given."),
    click.option("--units", type=click.Choice(["m", "cm", "mm", "pixels"]), default="m", show_default=True),
    click.option(
        "--up-axis", help="Axis that points up (x, y, z, -x, -y, -z); that of the layout if not given."
    ),
    click.option("--batch-size", type=click.IntRange(min=1), default=64, show_default=True),
    click.option("--device", help="Such as cuda or cuda:1; the CPU if not given."),
    click.option(
        "--dtype",
        type=click.Choice(["float32", "bfloat16", "float16"]),
        default="float32",
        show_default=True,
        help="Of the computation.",
    ),
]


def encoding_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command these options, in this order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
