"""Stage 2, nearest-neighbour contrastive tuning: the trainer's call, then the same in a loop.

Needs a store and a model, such as the folder `last` of a pretraining run; without them it makes up motions
and starts from an untrained encoder, which shows the steps and no more. Half a minute on two CPU cores.

    python examples/tune.py                               # made-up motions
    python examples/tune.py STORE runs/pretrain/last runs/tune
"""

import sys
import tempfile
from pathlib import Path

from stars_hub import EncoderConfig, SkeletonStore, STARSEncoder
from stars_hub.objectives import NNCLR
from stars_hub.skeletons.synthetic import synthetic_dataset
from stars_hub.training import TuneConfig, tune
from stars_hub.training.freezing import freeze_below
from stars_hub.training.optimizer import build_optimizer, clip_each_gradient, parameter_groups
from stars_hub.transforms.loader import BatchLoader

EPOCHS, BATCH_SIZE, LR = 4, 16, 1e-3


def with_the_trainer(store: Path, model: Path, output: Path) -> Path:
    """Two stages; for three, call it first with freeze_encoder=True, and tune what that leaves."""
    config = TuneConfig(
        data=(str(store),),
        model=str(model),
        output=str(output),
        queue_size=256,
        predictor_hidden_dim=256,
        epochs=EPOCHS,
        batch_size=BATCH_SIZE,
        lr=LR,
    )
    return tune(config).last


def with_a_loop(store: Path, model: Path, output: Path) -> Path:
    """Every step visible, on one process."""
    nnclr = NNCLR.from_pretrained(model, queue_size=256, predictor_hidden_dim=256)
    config = nnclr.encoder.config
    loader = BatchLoader(
        SkeletonStore.open(store),
        batch_size=BATCH_SIZE,
        num_frames=config.num_frames,
        crop=1.0,  # all frames, and no augmentation: a neighbour is another view already
        rotation=0.0,
    )
    freeze_below(nnclr.encoder, config.depth // 2)
    groups = parameter_groups(
        nnclr, nnclr.encoder, base_lr=LR, layer_decay=0.45, weight_decay=0.01, exempt="none"
    )
    optimizer = build_optimizer(groups)
    for epoch in range(EPOCHS):
        loader.set_epoch(epoch)
        losses = []
        for batch in loader:  # batch.ids: a sample is never its own neighbour
            loss = nnclr(batch.x, batch.ids)
            loss.backward()
            clip_each_gradient(nnclr.parameters(), max_norm=3.0)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        print(f"epoch {epoch + 1}  loss {sum(losses) / len(losses):.4f}")
    return nnclr.save_pretrained(output)


def main() -> None:
    """Do both, on the store, the model and in the folder that were named."""
    with tempfile.TemporaryDirectory() as temporary:
        store, model, output = (Path(temporary, name) for name in ("store", "model", "run"))
        if len(sys.argv) == 4:
            store, model, output = map(Path, sys.argv[1:])
        else:
            SkeletonStore.create(store, synthetic_dataset(8), layout="ntu25")
            STARSEncoder(EncoderConfig(num_frames=32, embed_dim=64, depth=4, num_heads=4)).save_pretrained(
                model
            )
        loop_output = output.with_name(f"{output.name}-loop")
        trained = with_the_trainer(store, model, output), with_a_loop(store, model, loop_output)
        for folder in trained:
            print(folder.name, STARSEncoder.from_pretrained(folder).encode(SkeletonStore.open(store)).shape)


if __name__ == "__main__":
    main()
