"""A model's files from the Hugging Face Hub through its own client, each failure one clear error."""

import inspect
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stars_hub._version import __version__
from stars_hub.checkpoints.names import CARD_NAME, CONFIG_NAME, LAYOUT_NAME, OBJECTIVE_NAME, WEIGHTS_NAME
from stars_hub.checkpoints.watch import StalledError, Watch, run_watched
from stars_hub.errors import CheckpointError

logger = logging.getLogger(__name__)

STALL_SECONDS = 20.0
REQUEST_SECONDS = 10.0
PAUSES = (0.5, 1.0)  # before asking again a Hub that answered with a 5xx


@dataclass(frozen=True)
class Source:
    """A repository on the Hub, and how it may be reached."""

    repo_id: str
    revision: str | None = None
    subfolder: str | None = None
    cache_dir: str | Path | None = None
    token: str | bool | None = None
    local_files_only: bool = False
    force_download: bool = False

    def inside(self, name: str) -> str:
        """Give the path of a file of the model in the repository."""
        return f"{self.subfolder}/{name}" if self.subfolder else name

    def __str__(self) -> str:
        at = f"@{self.revision}" if self.revision else ""
        return f"{self.repo_id}{at}" + (f" (subfolder {self.subfolder})" if self.subfolder else "")


def download(source: Source, *, objective: bool = False) -> Path:
    """Bring a model's files into the Hub's cache and give the folder there that holds them.

    The files all come from one commit. Without the Hub (no connection, offline mode, an error there), the
    files of an earlier download serve.

    Args:
        source: the repository.
        objective: whether `objective.safetensors` is needed.

    Raises:
        CheckpointError: for every failure; it says what to do. The wait in silence is limited.
    """
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    cache = Path(source.cache_dir or constants.HF_HUB_CACHE).expanduser()
    watch = Watch(cache / repo_folder_name(repo_id=source.repo_id, repo_type="model") / "blobs")
    try:
        return run_watched(lambda: _fetch(source, watch, objective=objective), watch, limit=STALL_SECONDS)
    except CheckpointError:
        raise
    except Exception as error:
        raise CheckpointError(explain(error, source)) from error


def _fetch(source: Source, watch: Watch, *, objective: bool) -> Path:
    required = [CONFIG_NAME, WEIGHTS_NAME, *([OBJECTIVE_NAME] if objective else [])]
    available = None if source.local_files_only else _ask_hub(source)
    if available is None:
        return _from_cache(source, required)
    if missing := [name for name in required if source.inside(name) not in available]:
        raise CheckpointError(_missing_text(source, missing, available))
    # The first file, asked for by the branch's name, makes the cache note which commit that is; the others
    # come from this commit, whatever is pushed meanwhile.
    first = _fetch_file(source, watch, required[0], revision=source.revision)
    commit = _commit_of(first, source)
    optional = [name for name in (LAYOUT_NAME, CARD_NAME) if source.inside(name) in available]
    for name in required[1:] + optional:
        _fetch_file(source, watch, name, revision=commit)
    return first.parent


def _ask_hub(source: Source) -> set[str] | None:
    """The repository's files at the revision, or None if the Hub cannot say and the cache has to do."""
    from huggingface_hub.errors import OfflineModeIsEnabled, RevisionNotFoundError

    fallback = not source.force_download and _cached(source, CONFIG_NAME) is not None
    try:
        return _list_files(source, () if fallback else PAUSES)
    except RevisionNotFoundError:
        raise
    except Exception as error:
        if not fallback:
            raise
        if not isinstance(error, OfflineModeIsEnabled):
            logger.warning("%s; using the copy in the cache", explain(error, source))
        return None


def _list_files(source: Source, pauses: Sequence[float]) -> set[str]:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    api = HfApi(token=source.token, library_name="stars-hub", library_version=__version__)
    try:
        info = api.model_info(source.repo_id, revision=source.revision, timeout=REQUEST_SECONDS)
        return {file.rfilename for file in info.siblings or []}
    except HfHubHTTPError as error:
        if error.response.status_code < 500 or not pauses:
            raise
    time.sleep(pauses[0])
    return _list_files(source, pauses[1:])


def _from_cache(source: Source, required: Sequence[str]) -> Path:
    if missing := [name for name in required if _cached(source, name) is None]:
        raise CheckpointError(
            f"{source}: {' and '.join(missing)} not in the cache, and the Hub may not be asked or does not "
            "answer: load it once with a connection (no local_files_only=True, no HF_HUB_OFFLINE=1)"
        )
    return Path(str(_cached(source, CONFIG_NAME))).parent


def _cached(source: Source, name: str) -> str | None:
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(
        source.repo_id, source.inside(name), cache_dir=source.cache_dir, revision=source.revision
    )
    return path if isinstance(path, str) else None  # neither None nor the mark of a file known not to exist


def _fetch_file(source: Source, watch: Watch, name: str, *, revision: str | None) -> Path:
    from huggingface_hub import hf_hub_download

    options: dict[str, Any] = {}
    if "tqdm_class" in inspect.signature(hf_hub_download).parameters:  # not in the earliest 1.x
        options["tqdm_class"] = watch.bar_class()
    path = hf_hub_download(
        source.repo_id,
        source.inside(name),
        revision=revision,
        cache_dir=source.cache_dir,
        token=source.token,
        library_name="stars-hub",
        library_version=__version__,
        etag_timeout=REQUEST_SECONDS,
        force_download=source.force_download,
        **options,
    )
    watch.alive()
    return Path(path)


def _commit_of(path: Path, source: Source) -> str:
    depth = len(Path(source.subfolder).parts) if source.subfolder else 0
    return path.parents[depth].name  # …/snapshots/COMMIT[/SUBFOLDER]/config.json


def _missing_text(source: Source, missing: Sequence[str], available: set[str]) -> str:
    if missing == [OBJECTIVE_NAME]:
        return f"{source} holds an encoder only: it was published without {OBJECTIVE_NAME}"
    homes = sorted(name.rpartition("/")[0] for name in available if name.endswith(f"/{CONFIG_NAME}"))
    hint = (
        f"; its subfolders with a model: {', '.join(homes)} (subfolder=)"
        if homes and not source.subfolder
        else ""
    )
    return f"{source} is no stars-hub model: it holds no {' and no '.join(missing)}{hint}"


def explain(error: BaseException, source: Source) -> str:
    """Say in one line what went wrong with the Hub, and what to do about it."""
    from huggingface_hub import constants, errors

    log_in = "pass token=... or run `hf auth login`"
    page = f"{constants.ENDPOINT}/{source.repo_id}"
    status = error.response.status_code if isinstance(error, errors.HfHubHTTPError) else None
    if isinstance(error, errors.HFValidationError):
        return f"{source.repo_id!r} is no repository id of the form owner/name"
    wraps = status is None and isinstance(error, errors.LocalEntryNotFoundError | ValueError)
    if wraps and isinstance(error.__cause__, Exception):  # the client's words around the first error
        return explain(error.__cause__, source)
    if isinstance(error, StalledError):
        return f"{source}: {error} from {constants.ENDPOINT}; check the connection and try again"
    if isinstance(error, errors.GatedRepoError):
        return f"{source} is gated: ask for access on {page}, then {log_in}"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{source}: the repository has no revision {source.revision!r}; see {page}/tree/main"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"there is no repository {source.repo_id} on {constants.ENDPOINT}, or it is private: {log_in}"
    if isinstance(error, errors.OfflineModeIsEnabled):
        return f"{source} is not in the cache and offline mode is on: unset HF_HUB_OFFLINE and load it once"
    if isinstance(error, errors.RemoteEntryNotFoundError):
        return f"{source}: a file of the model is missing in the repository; see {page}/tree/main"
    if status in (401, 403):
        return f"{source}: the Hub refuses access ({status}): {log_in}, with a token that may read {page}"
    if status is not None:
        return f"{source}: the Hub answered with error {status}; try again later"
    if isinstance(error, errors.LocalEntryNotFoundError):
        return f"{source} is not in the cache and {constants.ENDPOINT} does not answer: check the connection"
    detail = " ".join(str(error).split())
    if isinstance(error, OSError):
        return f"{source}: the download failed: {detail}; try again, with force_download=True if this stays"
    reason = f"{type(error).__name__}: {detail}"
    return f"{source}: no connection to {constants.ENDPOINT} ({reason}); check the network"
