"""The authors' parameter names and ours, in one table: what a converted tensor is called and looks like.

A row is (their name, our name, shape). `#` stands for a block's number. A shape is either a list of sizes
or an einops pattern from their shape to ours; its letters, besides the legend of `stars_hub.model`, are

    c  coordinates            q  rows of the qkv matrix, 3·d      f  hidden width of the predictor
    t  frame patches, T'      h  hidden width of a block          o  numbers that a token predicts, c·u·p
    v  joint patches, V'      k  rows of the queue

Reference: the authors' code of STARS (arXiv 2407.10935) and of MAMP (arXiv 2308.07092).
"""

import re
from dataclasses import dataclass

Row = tuple[str, str, str]

_BLOCK = {
    "norm1.weight": "d",
    "norm1.bias": "d",
    "attn.qkv.weight": "q d",
    "attn.qkv.bias": "q",
    "attn.proj.weight": "d d",
    "attn.proj.bias": "d",
    "norm2.weight": "d",
    "norm2.bias": "d",
    "mlp.fc1.weight": "h d",
    "mlp.fc1.bias": "h",
    "mlp.fc2.weight": "d h",
    "mlp.fc2.bias": "d",
}


def _blocks(theirs: str, ours: str) -> tuple[Row, ...]:
    return tuple((f"{theirs}.#.{name}", f"{ours}.#.{name}", shape) for name, shape in _BLOCK.items())


def _batch_norm(theirs: str, ours: str, width: str) -> tuple[Row, ...]:
    vectors = ("weight", "bias", "running_mean", "running_var")
    rows = tuple((f"{theirs}.{name}", f"{ours}.{name}", width) for name in vectors)
    return (*rows, (f"{theirs}.num_batches_tracked", f"{ours}.num_batches_tracked", ""))


ENCODER: tuple[Row, ...] = (
    ("joints_embed.proj.weight", "patch_embed.weight", "d c u p -> d (c u p)"),
    ("joints_embed.proj.bias", "patch_embed.bias", "d"),
    ("temp_embed", "temp_embed", "1 t 1 d"),
    ("pos_embed", "pos_embed", "1 1 v d"),
    *_blocks("blocks", "blocks"),
    ("norm.weight", "norm.weight", "d"),
    ("norm.bias", "norm.bias", "d"),
)
DECODER: tuple[Row, ...] = (
    ("decoder_embed.weight", "decoder.embed.weight", "d d"),
    ("decoder_embed.bias", "decoder.embed.bias", "d"),
    ("mask_token", "decoder.mask_token", "1 1 d"),
    ("decoder_temp_embed", "decoder.temp_embed", "1 t 1 d"),
    ("decoder_pos_embed", "decoder.pos_embed", "1 1 v d"),
    *_blocks("decoder_blocks", "decoder.blocks"),
    ("decoder_norm.weight", "decoder.norm.weight", "d"),
    ("decoder_norm.bias", "decoder.norm.bias", "d"),
    ("decoder_pred.weight", "decoder.pred.weight", "o d"),
    ("decoder_pred.bias", "decoder.pred.bias", "o"),
)
HEADS: tuple[Row, ...] = (
    *_batch_norm("head.projector.0", "projector", "d"),
    ("head.predictor.0.weight", "predictor.0.weight", "f d"),
    *_batch_norm("head.predictor.1", "predictor.1", "f"),
    ("head.predictor.3.weight", "predictor.3.weight", "d f"),
    ("head.predictor.3.bias", "predictor.3.bias", "d"),
)
QUEUE: tuple[Row, ...] = (
    ("queue", "queue.features", "d k -> k d"),
    ("queue_id", "queue.ids", "k"),
    ("queue_ptr", "queue.pointer", "1 ->"),
)

# Counted, not measured: these stay integers, everything else is stored as float32.
INTEGERS = {"projector.num_batches_tracked", "predictor.1.num_batches_tracked", "queue.ids", "queue.pointer"}


@dataclass(frozen=True)
class Source:
    """Whose checkpoint it is, and what it may hold.

    Args:
        name: the method's short name.
        title: the paper's title.
        arxiv: the paper's number.
        license: as the authors' repository states it, None where it states none.
        parts: the tables whose rows such a file may hold; the encoder's are always there.
    """

    name: str
    title: str
    arxiv: str
    license: str | None
    parts: tuple[tuple[Row, ...], ...]


MAMP = Source(
    name="MAMP",
    title="Masked Motion Predictors are Strong 3D Action Representation Learners",
    arxiv="2308.07092",
    license=None,
    parts=(ENCODER, DECODER),
)
STARS = Source(
    name="STARS",
    title="STARS: Self-supervised Tuning for 3D Action Recognition in Skeleton Sequences",
    arxiv="2407.10935",
    license="mit",
    parts=(ENCODER, HEADS, QUEUE),
)

_PREFIXES = re.compile(r"(?:module\.|encoder_student\.)+")
_BLOCK_NUMBER = re.compile(r"(?<=blocks\.)(?:0|[1-9][0-9]{0,3})(?=\.)")


def strip_prefixes(name: str) -> str:
    """Take off `module.` and `encoder_student.`, in whatever order and number they lead the name."""
    return _PREFIXES.sub("", name, count=1) if _PREFIXES.match(name) else name


def split_block_number(name: str) -> tuple[str, int | None]:
    """Write `#` for the number of a block: `blocks.3.norm1.bias` -> (`blocks.#.norm1.bias`, 3)."""
    found = _BLOCK_NUMBER.search(name)
    if found is None:
        return name, None
    return f"{name[: found.start()]}#{name[found.end() :]}", int(found.group())
