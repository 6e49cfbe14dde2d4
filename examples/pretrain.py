"""Stage 1, masked motion prediction: the trainer's call, then the same in a loop that you can change.

Needs nothing: without a store it makes up motions of a few actions. Half a minute on two CPU cores.

    python examples/pretrain.py                      # made-up motions
    python examples/pretrain.py STORE runs/pretrain  # a store of yours: stars-hub prepare
"""

import sys
import tempfile
from pathlib import Path

import torch

from stars_hub import EncoderConfig, SkeletonStore, STARSEncoder
from stars_hub.objectives import MAMP
from stars_hub.skeletons.synthetic import synthetic_dataset
from stars_hub.training import PretrainConfig, pretrain
from stars_hub.training.optimizer import CosineSchedule, build_optimizer, parameter_groups, set_learning_rate
from stars_hub.transforms.loader import BatchLoader

ENCODER = EncoderConfig(num_frames=32, embed_dim=64, depth=3, num_heads=4)
EPOCHS, BATCH_SIZE, LR = 4, 16, 1e-3


def with_the_trainer(store: Path, output: Path) -> Path:
    """Resumable, monitored, on one process or many: `torchrun --nproc-per-node 4 …` calls it as it is."""
    config = PretrainConfig(
        data=(str(store),),
        output=str(output),
        encoder=ENCODER,
        decoder_depth=1,
        skip_absent_persons=True,
        epochs=EPOCHS,
        warmup_epochs=1,
        batch_size=BATCH_SIZE,
        lr=LR,
        monitor_every=1,
    )
    return pretrain(config).last


def with_a_loop(store: Path, output: Path) -> Path:
    """Every step visible, on one process."""
    torch.manual_seed(0)
    recordings = SkeletonStore.open(store)
    loader = BatchLoader(recordings, batch_size=BATCH_SIZE, num_frames=32, crop=(0.5, 1.0), rotation=0.3)
    mamp = MAMP(STARSEncoder(ENCODER), decoder_depth=1, skip_absent_persons=True).train()
    groups = parameter_groups(mamp, mamp.encoder, base_lr=LR, weight_decay=0.05)
    optimizer = build_optimizer(groups)
    schedule = CosineSchedule(lr=LR, min_lr=5e-4, epochs=EPOCHS, warmup_epochs=1)
    for epoch in range(EPOCHS):
        loader.set_epoch(epoch)
        losses = []
        for step, batch in enumerate(loader):  # batch.x: (N, C, T, V, M), metres
            set_learning_rate(optimizer, schedule(epoch + step / len(loader)))
            loss = mamp(batch.x).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        print(f"epoch {epoch + 1}  loss {sum(losses) / len(losses):.4f}")
    return mamp.save_pretrained(output)


def main() -> None:
    """Do both, on the store and in the folder that were named."""
    with tempfile.TemporaryDirectory() as temporary:
        store, output = Path(temporary, "store"), Path(temporary, "run")
        if len(sys.argv) == 3:
            store, output = Path(sys.argv[1]), Path(sys.argv[2])
        else:
            SkeletonStore.create(store, synthetic_dataset(8), layout="ntu25")
        trained = with_the_trainer(store, output), with_a_loop(store, output.with_name(f"{output.name}-loop"))
        for folder in trained:
            print(folder.name, STARSEncoder.from_pretrained(folder).encode(SkeletonStore.open(store)).shape)


if __name__ == "__main__":
    main()
