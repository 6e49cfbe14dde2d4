import dataclasses
import math
from pathlib import Path

import pytest
import torch
from einops import rearrange
from safetensors.torch import load_file
from torch import Tensor

from stars_hub.errors import SequenceError
from stars_hub.model.config import EncoderConfig
from stars_hub.model.network import SkeletonTransformer, resize_temp_embed


def test_golden_tokens_and_features(golden_network: SkeletonTransformer, golden: dict[str, Tensor]) -> None:
    x = golden["input"]
    torch.testing.assert_close(golden_network.forward_features(x), golden["tokens"], atol=1e-5, rtol=0)
    torch.testing.assert_close(golden_network(x), golden["features"], atol=1e-5, rtol=0)


def test_golden_temporal_interpolation(golden_dir: Path) -> None:
    golden = load_file(golden_dir / "temporal_interpolation.safetensors")
    torch.testing.assert_close(resize_temp_embed(golden["from"], 13), golden["to_13"], atol=1e-5, rtol=0)
    assert resize_temp_embed(golden["from"], 6) is golden["from"]


def test_number_of_parameters_is_the_papers() -> None:
    assert (
        sum(parameter.numel() for parameter in SkeletonTransformer(EncoderConfig()).parameters()) == 6_336_000
    )


def test_initialisation() -> None:
    torch.manual_seed(0)
    network = SkeletonTransformer(EncoderConfig())
    bound = 1 / math.sqrt(12)
    for tensor in (network.patch_embed.weight, network.patch_embed.bias):
        assert 0.95 * bound < tensor.abs().max() <= bound
    xavier = math.sqrt(6 / (256 + 1024))
    assert 0.99 * xavier < network.blocks[3].mlp.fc1.weight.abs().max() <= xavier
    assert not network.blocks[3].mlp.fc1.bias.any()
    assert network.temp_embed.std().item() == pytest.approx(0.02, rel=0.05)
    assert network.pos_embed.std().item() == pytest.approx(0.02, rel=0.05)


def test_attention_is_softmax_attention(golden_network: SkeletonTransformer) -> None:
    attention = golden_network.blocks[0].attn
    x = torch.randn(2, 7, 32)
    q, k, v = (attention.qkv(x)[..., i * 32 : (i + 1) * 32] for i in range(3))
    heads = []
    for h in range(4):
        part = slice(8 * h, 8 * (h + 1))
        weights = torch.softmax(q[..., part] @ k[..., part].mT / math.sqrt(8), dim=-1)
        heads.append(weights @ v[..., part])
    torch.testing.assert_close(attention(x), attention.proj(torch.cat(heads, dim=-1)))


def encode_every_row(network: SkeletonTransformer, x: Tensor) -> Tensor:
    """The plain way: each person of each sample in a pass of its own."""
    rows = rearrange(x, "n c t v m -> (n m) c t v")
    tokens = torch.cat([network.encode_rows(row[None]) for row in rows])
    return rearrange(tokens, "(n m) t v d -> n m t v d", m=x.shape[-1])


def test_identical_persons_are_encoded_once_with_equal_values_and_gradients(
    small_config: EncoderConfig, persons: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = SkeletonTransformer(small_config).double()
    x = persons.double()
    target = torch.randn(5, 16, dtype=torch.float64)
    encoded = []
    encode_rows = SkeletonTransformer.encode_rows
    monkeypatch.setattr(
        SkeletonTransformer,
        "encode_rows",
        lambda self, rows: encoded.append(len(rows)) or encode_rows(self, rows),
    )

    def gradients(features: Tensor) -> list[Tensor]:
        return torch.autograd.grad(((features - target) ** 2).sum(), list(network.parameters()))

    ours = network(x)
    ours_gradients = gradients(ours)
    assert encoded == [2 + 1 + 1 + 0 + 1 + 1]  # the last stands for all who are absent
    tokens = encode_every_row(network, x)
    torch.testing.assert_close(network.forward_features(x), tokens)
    plain = tokens.mean(dim=(1, 2, 3))
    torch.testing.assert_close(ours, plain)
    for ours_gradient, plain_gradient in zip(ours_gradients, gradients(plain), strict=True):
        torch.testing.assert_close(ours_gradient, plain_gradient)


def test_gradients_with_respect_to_the_input_are_every_persons_own(
    small_config: EncoderConfig, persons: Tensor
) -> None:
    network = SkeletonTransformer(small_config).double()
    x = persons.double().requires_grad_()
    (ours,) = torch.autograd.grad(network(x).square().sum(), x)
    (plain,) = torch.autograd.grad(encode_every_row(network, x).mean(dim=(1, 2, 3)).square().sum(), x)
    torch.testing.assert_close(ours, plain)


@pytest.mark.parametrize("rate", ["drop_rate", "attn_drop_rate", "drop_path_rate"])
def test_absent_persons_are_apart_where_randomness_could_tell(
    rate: str, small_config: EncoderConfig, persons: Tensor
) -> None:
    network = SkeletonTransformer(dataclasses.replace(small_config, **{rate: 0.5}))
    nobody = persons[3:4].repeat(64, 1, 1, 1, 1)
    assert torch.unique(network.train()(nobody), dim=0).shape[0] > 1
    assert torch.unique(network.eval()(nobody), dim=0).shape[0] == 1


def test_drop_path_grows_over_the_blocks_and_keeps_the_expectation() -> None:
    network = SkeletonTransformer(EncoderConfig(embed_dim=16, num_heads=2, depth=4, drop_path_rate=0.3))
    assert [round(block.drop_path.drop_rate, 6) for block in network.blocks] == [0.0, 0.1, 0.2, 0.3]
    dropped = network.blocks[3].drop_path(torch.ones(20_000, 1, 2))
    assert dropped.unique().tolist() == [0.0, pytest.approx(1 / 0.7)]
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.02)
    assert torch.equal(dropped[..., 0], dropped[..., 1])  # a row as a whole


def test_gradient_checkpointing_changes_nothing(small_config: EncoderConfig, persons: Tensor) -> None:
    network = SkeletonTransformer(small_config)
    plain = torch.autograd.grad(network(persons).square().sum(), list(network.parameters()))
    network.set_grad_checkpointing()
    again = torch.autograd.grad(network(persons).square().sum(), list(network.parameters()))
    for first, second in zip(plain, again, strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=0)


@pytest.mark.parametrize(
    "shape", [(2, 3, 8, 5), (2, 3, 12, 5, 2), (2, 2, 8, 5, 2), (2, 3, 8, 6, 2), (2, 3, 8, 5, 3)]
)
def test_another_shape_is_refused(shape: tuple[int, ...], small_config: EncoderConfig) -> None:
    with pytest.raises(SequenceError, match=r"expected x of shape \(N, C=3, T=8, V=5, M<=2\), got \(2"):
        SkeletonTransformer(small_config)(torch.zeros(shape))


def test_one_person_alone_and_an_empty_batch(small_config: EncoderConfig, persons: Tensor) -> None:
    network = SkeletonTransformer(small_config).eval()
    torch.testing.assert_close(
        network(persons[..., :1]), network.forward_features(persons)[:, 0].mean(dim=(1, 2))
    )
    assert network(persons[:0]).shape == (0, 16)


def test_filled_up_queries_change_no_value_and_no_gradient() -> None:
    torch.manual_seed(0)
    attention = SkeletonTransformer(EncoderConfig(embed_dim=16, num_heads=2, depth=1)).blocks[0].attn.double()
    x = torch.randn(2, 750, 16, dtype=torch.float64, requires_grad=True)
    q, k, v = rearrange(attention.qkv(x), "r l (three h d) -> three r h l d", three=3, h=2)
    plain = torch.softmax(q @ k.mT / math.sqrt(8), dim=-1) @ v
    plain = attention.proj(rearrange(plain, "r h l d -> r l (h d)"))
    ours = attention(x)
    torch.testing.assert_close(ours, plain)
    weights = torch.randn_like(plain)
    parameters = [x, *attention.parameters()]
    for ours_gradient, plain_gradient in zip(
        torch.autograd.grad(ours, parameters, weights),
        torch.autograd.grad(plain, parameters, weights),
        strict=True,
    ):
        torch.testing.assert_close(ours_gradient, plain_gradient)


def test_gradients_on_two_threads_repeat_bit_for_bit() -> None:
    torch.manual_seed(0)
    network = SkeletonTransformer(
        EncoderConfig(num_frames=4, num_joints=1, embed_dim=256, depth=1, num_heads=2)
    )
    x = torch.randn(256, 3, 4, 1, 2)
    x[..., 1] = 0  # one row stands for all who are absent: its gradient is a sum of 256
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        gradients = [
            torch.autograd.grad((network(x) * network(x).detach()).sum(), list(network.parameters()))
            for _ in range(4)
        ]
    finally:
        torch.set_num_threads(threads)
    for again in gradients[1:]:
        assert all(torch.equal(a, b) for a, b in zip(gradients[0], again, strict=True))
