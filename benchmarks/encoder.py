"""How much less work the encoder does than a plain one, for the same features.

Baseline: explicit softmax attention, a pass for every person of every sample, float32; it shares the weights.
Both run in one process, taking turns.

    python benchmarks/encoder.py [--device cuda] [--batch-size 8] [--threads 2]
"""

import argparse
import math

import torch
from common import report, take_turns
from einops import rearrange
from torch import Tensor

from stars_hub.model import EncoderConfig, STARSEncoder
from stars_hub.model.layers import Attention, Block


def plain_attention(attention: Attention, x: Tensor) -> Tensor:
    q, k, v = rearrange(attention.qkv(x), "r l (three h d) -> three r h l d", three=3, h=attention.num_heads)
    weights = torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), dim=-1)
    return attention.proj(rearrange(weights @ v, "r h l d -> r l (h d)"))


def plain_block(block: Block, x: Tensor) -> Tensor:
    x = x + plain_attention(block.attn, block.norm1(x))
    return x + block.mlp(block.norm2(x))


def plain_features(encoder: STARSEncoder, x: Tensor) -> Tensor:
    tokens = rearrange(encoder.embed(rearrange(x, "n c t v m -> (n m) c t v")), "r t v d -> r (t v) d")
    for block in encoder.blocks:
        tokens = plain_block(block, tokens)
    return rearrange(encoder.norm(tokens), "(n m) l d -> n (m l) d", n=len(x)).mean(dim=1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    device = options.device
    encoder = STARSEncoder(EncoderConfig()).eval().to(device)
    two = torch.randn(options.batch_size, 3, 120, 25, 2, device=device)
    one = two.clone()
    one[..., 1] = 0

    def reduced(x: Tensor) -> Tensor:
        with torch.autocast(device.split(":")[0], torch.bfloat16):
            return encoder(x)

    with torch.inference_mode():
        rows = []
        for persons, x in (("one", one), ("two", two)):
            baseline = plain_features(encoder, x)
            ways = {
                "plain float32": lambda x=x: plain_features(encoder, x),
                "encoder float32": lambda x=x: encoder(x),
                "encoder bfloat16": lambda x=x: reduced(x),
            }
            seconds = take_turns(ways, repeats=options.repeats, device=device)
            rows += [
                {
                    "persons": persons,
                    "way": way,
                    "milliseconds": 1e3 * seconds[way],
                    "times faster": seconds["plain float32"] / seconds[way],
                    "largest difference": (run() - baseline).abs().max().item(),
                }
                for way, run in ways.items()
            ]
    name = "encoder" if device == "cpu" else "encoder_cuda"
    report(name, rows, note=f"base configuration, batch {options.batch_size}", device=device)


if __name__ == "__main__":
    main()
