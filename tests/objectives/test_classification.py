import pytest
import torch
from torch import Tensor

from stars_hub.errors import ConfigError
from stars_hub.model.encoder import STARSEncoder
from stars_hub.objectives import Classification, classification_loss


def test_loss_by_hand() -> None:
    logits = torch.tensor([[0.0, 0.0], [2.0, 0.0]])
    labels = torch.tensor([0, 1])
    log2, right, wrong = torch.tensor(2.0).log(), torch.tensor(2.0).exp(), torch.tensor(0.0).exp()
    second = -(wrong / (right + wrong)).log()
    torch.testing.assert_close(classification_loss(logits, labels), (log2 + second) / 2)

    weighted = classification_loss(logits, labels, class_weights=torch.tensor([1.0, 3.0]))
    torch.testing.assert_close(weighted, (log2 + 3 * second) / 4)

    other = -(right / (right + wrong)).log()
    smooth = classification_loss(logits, labels, label_smoothing=0.2)
    torch.testing.assert_close(smooth, (log2 + 0.9 * second + 0.1 * other) / 2)


def test_weights_below_one_in_all_leave_a_mean() -> None:
    logits, labels = torch.tensor([[0.3, -1.0, 2.0]]), torch.tensor([1])
    weighted = classification_loss(logits, labels, class_weights=torch.tensor([1.0, 0.25, 1.0]))
    torch.testing.assert_close(weighted, classification_loss(logits, labels))
    nothing = classification_loss(logits[:0], labels[:0], class_weights=torch.ones(3), label_smoothing=0.1)
    assert nothing == 0


def test_loss_of_bfloat16_is_float32() -> None:
    assert (
        classification_loss(torch.zeros(2, 3, dtype=torch.bfloat16), torch.tensor([0, 2])).dtype
        == torch.float32
    )


def test_linear_head_sees_the_pooled_feature(small_encoder: STARSEncoder, persons: Tensor) -> None:
    classifier = Classification(small_encoder, label_names=["a", "b"], head="linear").eval()
    torch.testing.assert_close(classifier(persons), classifier.head(small_encoder(persons)))


@pytest.mark.parametrize(
    "settings",
    [
        {"label_names": ["a"]},
        {"label_names": "aa"},
        {"label_names": "ab", "head": "x"},
        {"label_names": "ab", "head_drop_rate": float("nan")},
    ],
)
def test_bad_settings(small_encoder: STARSEncoder, settings: dict) -> None:
    with pytest.raises(ConfigError):
        Classification(small_encoder, **settings)
