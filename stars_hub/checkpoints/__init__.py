"""Model folders and Hub repositories: found, read, written, strict and whole.

A model folder holds `config.json` and `model.safetensors`; where there is something to say also `README.md`
(the model card), `layout.json` (a skeleton layout of one's own) and `objective.safetensors` (the part of a
pretraining objective that encoding does not need). This room knows files, not networks.
"""

from stars_hub.checkpoints.card import ModelCard, Result, classifier_card
from stars_hub.checkpoints.folder import read_config, write_model
from stars_hub.checkpoints.names import (
    CARD_NAME,
    CONFIG_NAME,
    FORMAT_VERSION,
    LAYOUT_NAME,
    MODEL_TYPE,
    OBJECTIVE_NAME,
    WEIGHTS_NAME,
)
from stars_hub.checkpoints.push import push_folder
from stars_hub.checkpoints.resolve import list_models, resolve_model
from stars_hub.checkpoints.tensors import load_strict, read_tensors

__all__ = [
    "CARD_NAME",
    "CONFIG_NAME",
    "FORMAT_VERSION",
    "LAYOUT_NAME",
    "MODEL_TYPE",
    "OBJECTIVE_NAME",
    "WEIGHTS_NAME",
    "ModelCard",
    "Result",
    "classifier_card",
    "list_models",
    "load_strict",
    "push_folder",
    "read_config",
    "read_tensors",
    "resolve_model",
    "write_model",
]
