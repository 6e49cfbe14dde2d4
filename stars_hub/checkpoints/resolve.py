"""From the name of a model to a folder on this machine: a path, a bundled name, a repository on the Hub."""

import difflib
import re
from pathlib import Path, PurePosixPath

from stars_hub.checkpoints.download import Source, download
from stars_hub.checkpoints.names import CONFIG_NAME, OBJECTIVE_NAME, WEIGHTS_NAME, listing
from stars_hub.errors import CheckpointError

BUNDLED = Path(__file__).parent / "bundled"


def resolve_model(
    name: str | Path,
    *,
    revision: str | None = None,
    subfolder: str | None = None,
    cache_dir: str | Path | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
    force_download: bool = False,
    objective: bool = False,
) -> Path:
    """Find a model and give the local folder that holds it.

    A name is, in this order: a folder that exists; a name without a slash, of a model that comes with this
    package (`list_models`); a repository on the Hugging Face Hub, `owner/name` or `owner/name@revision`,
    which is downloaded into the Hub's cache.

    Args:
        name: as above. A Path is never taken for anything but a folder.
        revision: a branch, a tag or a commit on the Hub; by default main.
        subfolder: the model lies in this folder of the folder or repository.
        cache_dir: in place of the Hub's usual cache.
        token: for private and gated repositories; True: the one stored by `hf auth login`.
        local_files_only: do not ask the Hub; only what was downloaded before.
        force_download: download again even if the files are in the cache.
        objective: the objective's tensors are needed as well.

    Returns:
        A folder with `config.json` and `model.safetensors`, with `layout.json` and `README.md` where the
        model has them, and with `objective.safetensors` if asked for.

    Raises:
        CheckpointError: there is no such model or it cannot be had; the message says what to do.
    """
    text = str(name)
    _check_subfolder(subfolder)
    folder = _local_folder(name)
    if folder is None and "/" not in text:
        folder = _bundled_folder(text)
    if folder is not None:
        if revision is not None:
            raise CheckpointError(
                f"revision={revision!r} is for repositories on the Hub; {folder} is a folder"
            )
        return _check_folder(folder / subfolder if subfolder else folder, objective=objective)
    repo_id, revision = _split_revision(text, revision)
    if local_files_only and force_download:
        raise CheckpointError("local_files_only=True and force_download=True contradict each other")
    source = Source(
        repo_id=repo_id,
        revision=revision,
        subfolder=subfolder,
        cache_dir=cache_dir,
        token=token,
        local_files_only=local_files_only,
        force_download=force_download,
    )
    return download(source, objective=objective)


def list_models() -> list[str]:
    """List the names of the models that come with this package."""
    return sorted(path.parent.name for path in BUNDLED.glob(f"*/{CONFIG_NAME}"))


def _local_folder(name: str | Path) -> Path | None:
    """The folder that `name` is or looks like; None if it can only be another kind of name."""
    if not isinstance(name, str | Path):
        raise CheckpointError(f"the name of a model is text or a path, got {name!r}")
    text = str(name)
    if not text.strip():
        raise CheckpointError("the name of the model is empty: give a folder, a bundled name or owner/name")
    if re.match(r"https?://", text):
        raise CheckpointError(f"{text} is a URL: give a repository as owner/name, a folder or a bundled name")
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    if path.is_file():
        hint = "; authors' checkpoints: stars-hub convert" if path.suffix in {".pt", ".pth"} else ""
        raise CheckpointError(f"{path} is a file: give the model folder that holds it{hint}")
    looks_local = (
        text.startswith((".", "/", "~")) or text.endswith("/") or "\\" in text or text.count("/") > 1
    )
    if isinstance(name, Path) or looks_local or path.is_absolute():
        raise CheckpointError(f"there is no folder {text}")
    return None


def _bundled_folder(name: str) -> Path:
    names = list_models()
    if name in names:
        return BUNDLED / name
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"; the closest name is {close[0]!r}" if close else ""
    raise CheckpointError(
        f"there is no bundled model and no folder {name!r} (bundled: {listing(names) or 'none yet'}){hint}. "
        "A repository on the Hub is named owner/name"
    )


def _split_revision(text: str, revision: str | None) -> tuple[str, str | None]:
    repo_id, at, inline = text.partition("@")
    if not at:
        return repo_id, revision
    if not inline:
        raise CheckpointError(f"{text!r} ends in @ without a revision")
    if revision not in (None, inline):
        raise CheckpointError(f"{text!r} and revision={revision!r} name two revisions: give one")
    return repo_id, inline


def _check_subfolder(subfolder: str | None) -> None:
    if subfolder is None:
        return
    path = PurePosixPath(subfolder)
    if not path.parts or path.is_absolute() or ".." in path.parts or "\\" in subfolder:
        raise CheckpointError(f"subfolder should be a relative path inside the model, not {subfolder!r}")


def _check_folder(folder: Path, *, objective: bool) -> Path:
    if not folder.is_dir():
        raise CheckpointError(f"there is no folder {folder}")
    for name in (CONFIG_NAME, WEIGHTS_NAME):
        if not (folder / name).is_file():
            raise CheckpointError(
                f"the folder {folder} is no model: it holds no {name} "
                "(a folder goes before a repository of the same name on the Hub)"
            )
    if objective and not (folder / OBJECTIVE_NAME).is_file():
        raise CheckpointError(f"{folder} holds an encoder only: it was saved without {OBJECTIVE_NAME}")
    return folder
