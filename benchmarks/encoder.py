"""How much less work the encoder does than a plain one, for the same features.

Baseline: explicit softmax attention, a pass for every person of every sample, float32; it shares the weights.
Both run in one process, taking turns.

    python benchmarks/encoder.py [--device cuda] [--batch-size 8] [--threads 2]
"""

import torch
from common import arguments, explicit_attention, report, take_turns
from einops import rearrange
from torch import Tensor

from stars_hub.model import EncoderConfig, STARSEncoder


def plain_features(encoder: STARSEncoder, x: Tensor) -> Tensor:
    tokens = rearrange(encoder.embed(rearrange(x, "n c t v m -> (n m) c t v")), "r t v d -> r (t v) d")
    with explicit_attention():
        tokens = encoder.encode_tokens(tokens)
    return rearrange(tokens, "(n m) l d -> n (m l) d", n=len(x)).mean(dim=1)


def main() -> None:
    options = arguments(__doc__, repeats=7)
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
