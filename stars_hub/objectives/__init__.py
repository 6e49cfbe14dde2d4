"""What an encoder is trained on: masked motion prediction, then nearest neighbours, then labels.

Each objective is functions of tensors and a thin module around them: a batch in, a loss out. It holds its
encoder, and is saved as the encoder's model folder with `objective.safetensors` beside.
"""

from stars_hub.objectives.classification import Classification, classification_loss
from stars_hub.objectives.mamp import MAMP, MAMPOutput
from stars_hub.objectives.nnclr import NNCLR
from stars_hub.objectives.queue import NeighbourQueue

__all__ = ["MAMP", "NNCLR", "Classification", "MAMPOutput", "NeighbourQueue", "classification_loss"]
