"""The command line: parse, call, print; nothing else. Each file holds the commands of one kind."""

from stars_hub.cli import classify, demo, evaluate, models, plot, publish, recordings, training
from stars_hub.cli.group import main

__all__ = ["classify", "demo", "evaluate", "main", "models", "plot", "publish", "recordings", "training"]
