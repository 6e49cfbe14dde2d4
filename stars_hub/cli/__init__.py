"""The command line: parse, call, print; nothing else. Each file holds the commands of one kind."""

from stars_hub.cli import classify, evaluate, models, plot, publish, recordings, training
from stars_hub.cli.group import main

__all__ = ["classify", "evaluate", "main", "models", "plot", "publish", "recordings", "training"]
