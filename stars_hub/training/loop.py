"""The loop that all training shares: epochs of steps, a look at the accuracy after each, and checkpoints.

A run may be killed at any moment. What an epoch leaves is written in this order: its line in metrics.jsonl,
the model folder `best`, the state that a resumed run starts from, the model folder `last`. Whatever is cut
off before the state is done again, with the same result, because nothing random depends on what was before;
`last` is made anew from the state.
"""

import math
import time
from contextlib import closing
from typing import Any

from tqdm import tqdm

from stars_hub.distributed import all_gather, is_main
from stars_hub.errors import NotFiniteError
from stars_hub.training.config import TrainConfig
from stars_hub.training.data import TrainData
from stars_hub.training.processes import EXIT_CODE, StopRequest, barrier, processes, stop_request
from stars_hub.training.run import RunFolder, TrainResult
from stars_hub.training.session import Session
from stars_hub.training.stage import Stage
from stars_hub.training.state import Progress, load_state, save_state
from stars_hub.transforms.loader import Batch


def train(stage: Stage[Any], data: TrainData) -> TrainResult:
    """Train a stage to its end, from where its run folder says that it is.

    Args:
        stage: the objective, what of it is trained, and the configuration.
        data: the recordings.

    Returns:
        What the finished run left.

    Raises:
        ConfigError: the folder holds another run.
        NotFiniteError: the loss is NaN or infinite.
        CheckpointError: a checkpoint cannot be written; the one before it is kept.
        SystemExit: SIGTERM came; a checkpoint was written.
    """
    with processes(stage.config.device) as device, stop_request(device) as stop:
        run = RunFolder(stage.config, data=data.fingerprint, writes=is_main())
        with closing(Session(stage, data, device)) as session, run:
            return train_in(run, session, stop=stop)


def train_in(run: RunFolder, session: Session, *, stop: StopRequest) -> TrainResult:
    """Go on from the folder's state to the end."""
    progress = resume(run, session)
    while not is_finished(session.config, progress):
        train_epoch(run, session, progress, stop=stop)
        progress = finish_epoch(run, session, progress)
    barrier(session.device)  # only now has the main process written everything
    return TrainResult(run.folder, run.last, run.best if run.best.exists() else None, run.history())


def is_finished(config: TrainConfig, progress: Progress) -> bool:
    """Whether all epochs are done, or the accuracy has not risen for too long.

    The saved progress alone decides, so that a run that was interrupted stops where it would have.
    """
    waited = progress.epoch - progress.best_epoch
    looked = progress.best is not None and is_look(config, progress.epoch)
    return progress.epoch >= config.epochs or (looked and 0 < config.patience <= waited)


def is_look(config: TrainConfig, epoch: int) -> bool:
    """Whether the accuracy is asked after so many epochs: every few of them, and at the end."""
    return config.monitor_every > 0 and (epoch % config.monitor_every == 0 or epoch == config.epochs)


def resume(run: RunFolder, session: Session) -> Progress:
    """Start a run, or take it up where its state says."""
    config, found = session.config, run.state.exists()
    barrier(session.device)  # before the main process writes one
    if not found:
        run.rewind(None)
        run.say(session.data.summary)
        if accuracies := session.evaluate() if config.monitor_every else {}:
            run.record({"epoch": 0, **accuracies})
        progress = Progress()
        save(run, session, progress)
        return progress
    progress = load_state(run.state, session.modules, session.optimizer)
    session.scaler.load_state_dict(progress.scaler)
    run.rewind(progress.epoch)
    if run.writes:
        session.saved.save_pretrained(run.last, card=session.stage.card(run.name_of(run.last)))
    run.say(f"{run.folder}: {'finished' if is_finished(config, progress) else 'resumed'}, {_place(progress)}")
    return progress


def train_epoch(run: RunFolder, session: Session, progress: Progress, *, stop: StopRequest) -> None:
    """Run the steps of an epoch that are left, with checkpoints in between."""
    config, steps = session.config, session.steps_per_epoch
    saved = started = time.monotonic()
    before = progress.seconds
    hidden = not is_main() or (None if config.progress is None else not config.progress)
    bar = tqdm(
        total=steps, initial=progress.step, desc=f"epoch {progress.epoch + 1}", leave=False, disable=hidden
    )
    with bar:
        for batch in session.batches(progress.epoch, progress.step):
            loss = checked_step(session, batch, progress)
            progress.loss_sum += loss * session.batch_sizes[progress.step]
            progress.samples += session.batch_sizes[progress.step]
            progress.step += 1
            progress.seconds = before + time.monotonic() - started
            bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
            bar.update()
            due = config.checkpoint_steps and progress.step % config.checkpoint_steps == 0
            due = due or time.monotonic() - saved > 60 * config.checkpoint_minutes
            if stop:
                save(run, session, progress)
                run.say(f"SIGTERM: stopped at {_place(progress)}; the same call resumes {run.folder}")
                raise SystemExit(EXIT_CODE)
            if due and progress.step < steps:
                save(run, session, progress)
                saved = time.monotonic()


def checked_step(session: Session, batch: Batch, progress: Progress) -> float:
    """One step, or an error that names the samples whose loss is not finite."""
    try:
        loss = session.train_step(batch, epoch=progress.epoch, step=progress.step)
    except NotFiniteError as error:
        ids, what = error.sample_ids, str(error).split(" sample ")[0]
    else:
        if math.isfinite(loss):
            return loss
        ids, what = all_gather(batch.ids.to(session.device)).tolist(), "the loss of"
    names = [str(session.loader.store.names[sample]) for sample in ids]
    place = f"stopped at {_place(progress)}; the last checkpoint is kept:"
    raise NotFiniteError(f"{place} {what}", names)  # type: ignore[arg-type]


def finish_epoch(run: RunFolder, session: Session, progress: Progress) -> Progress:
    """Measure, record and save what an epoch came to; gives the progress that the next one starts from."""
    config = session.config
    epoch = progress.epoch + 1
    metrics = {
        "epoch": epoch,
        "loss": progress.loss_sum / max(1, progress.samples),
        "lr": session.schedule(epoch - 1 / session.steps_per_epoch),
        "seconds": round(progress.seconds, 3),
    }
    accuracies = session.evaluate() if is_look(config, epoch) else {}
    run.record(metrics | accuracies)
    best, best_epoch = progress.best, progress.best_epoch
    if accuracies and (best is None or max(accuracies.values()) > best):
        best, best_epoch = max(accuracies.values()), epoch
        if run.writes:
            session.saved.save_pretrained(run.best, card=session.stage.card(run.name_of(run.best)))
    progress = Progress(epoch=epoch, best=best, best_epoch=best_epoch)
    save(run, session, progress)
    if epoch < config.epochs and is_finished(config, progress):
        run.say(f"stopped after epoch {epoch}: no better accuracy since epoch {best_epoch}")
    return progress


def save(run: RunFolder, session: Session, progress: Progress) -> None:
    """Write the state that a resumed run starts from, then the model folder `last`."""
    if not run.writes:
        return
    progress.scaler = session.scaler.state_dict()
    save_state(run.state, session.modules, session.optimizer, progress)
    session.saved.save_pretrained(run.last, card=session.stage.card(run.name_of(run.last)))


def _place(progress: Progress) -> str:
    return f"epoch {progress.epoch}, step {progress.step}"
