"""Fine-tuning into a classifier: the trainer's call, then the same in a loop.

Needs a store with labels and subjects, and a model, such as the folder `last` of a pretraining run; without
them it makes up motions and starts from an untrained encoder. A minute on two CPU cores.

    python examples/finetune.py                               # made-up motions
    python examples/finetune.py STORE runs/stars/last runs/classifier
"""

import sys
import tempfile
from pathlib import Path

import torch

from stars_hub import EncoderConfig, FinetuneConfig, SkeletonStore, STARSEncoder, finetune
from stars_hub.objectives import Classification, classification_loss
from stars_hub.skeletons.synthetic import synthetic_dataset
from stars_hub.training.data import class_names
from stars_hub.training.optimizer import CosineSchedule, build_optimizer, parameter_groups, set_learning_rate
from stars_hub.transforms.loader import BatchLoader

ENCODER = EncoderConfig(num_frames=32, embed_dim=64, depth=2, num_heads=4)
EPOCHS, BATCH_SIZE, LR = 8, 16, 3e-3


def with_the_trainer(store: Path, model: Path, output: Path, subject: str) -> Path:
    """Recordings of one subject are kept out of training, and choose the epoch whose model is `best`."""
    config = FinetuneConfig(
        data=(str(store),),
        model=str(model),
        output=str(output),
        monitor_subjects=(subject,),
        hidden_dim=128,
        drop_path_rate=0.1,
        epochs=EPOCHS,
        warmup_epochs=1,
        batch_size=BATCH_SIZE,
        lr=LR,
    )
    result = finetune(config)
    return result.best or result.last


def with_a_loop(train: SkeletonStore, model: Path, output: Path) -> Path:
    """Every step visible, on one process."""
    encoder = STARSEncoder.from_pretrained(model)
    encoder.set_drop_path_rate(0.1)
    classifier = Classification(encoder, label_names=class_names(train), hidden_dim=128).train()
    frames = encoder.config.num_frames
    loader = BatchLoader(train, batch_size=BATCH_SIZE, num_frames=frames, crop=(0.5, 1.0), rotation=0.3)
    groups = parameter_groups(classifier, encoder, base_lr=LR, layer_decay=0.8, weight_decay=0.05)
    optimizer = build_optimizer(groups, betas=(0.9, 0.999))
    schedule = CosineSchedule(lr=LR, min_lr=1e-5, epochs=EPOCHS, warmup_epochs=1)
    for epoch in range(EPOCHS):
        loader.set_epoch(epoch)
        losses = []
        for step, batch in enumerate(loader):
            set_learning_rate(optimizer, schedule(epoch + step / len(loader)))
            loss = classification_loss(classifier(batch.x), batch.labels, label_smoothing=0.1)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        print(f"epoch {epoch + 1}  loss {sum(losses) / len(losses):.4f}")
    return classifier.save_pretrained(output)


@torch.no_grad()
def accuracy(folder: Path, test: SkeletonStore) -> float:
    """Percent of the recordings whose class is found."""
    classifier = Classification.from_pretrained(folder).eval()
    frames = classifier.encoder.config.num_frames
    loader = BatchLoader(test, batch_size=1, num_frames=frames, crop=0.95, rotation=0.0, shuffle=False)
    return 100 * sum(int(classifier(batch.x).argmax() == batch.labels) for batch in loader) / len(test)


def main() -> None:
    """Do both, on the store, the model and in the folder that were named."""
    with tempfile.TemporaryDirectory() as temporary:
        folder, model, output = (Path(temporary, name) for name in ("store", "model", "run"))
        if len(sys.argv) == 4:
            folder, model, output = map(Path, sys.argv[1:])
        else:
            SkeletonStore.create(folder, synthetic_dataset(10, num_subjects=5), layout="ntu25")
            STARSEncoder(ENCODER).save_pretrained(model)
        store = SkeletonStore.open(folder)
        subject = store.subjects[0]
        train, test = store.select(store.subjects != subject), store.select(store.subjects == subject)
        trained = (
            with_the_trainer(folder, model, output, str(subject)),
            with_a_loop(train, model, output.with_name(f"{output.name}-loop")),
        )
        for classifier in trained:
            print(classifier.name, f"{accuracy(classifier, test):.1f} % of subject {subject}")


if __name__ == "__main__":
    main()
