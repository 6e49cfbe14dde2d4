"""A model's files from the Hugging Face Hub through its own client, each failure one clear error."""

import inspect
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from stars_hub._version import __version__
from stars_hub.checkpoints.names import CARD_NAME, CONFIG_NAME, LAYOUT_NAME, OBJECTIVE_NAME, WEIGHTS_NAME
from stars_hub.checkpoints.watch import StalledError, Watch, run_watched
from stars_hub.errors import CheckpointError

logger = logging.getLogger(__name__)

STALL_SECONDS = 20.0
REQUEST_SECONDS = 10.0
PAUSES = (0.5, 1.0)  # before asking again a Hub that answered with a 5xx
LIBRARY: dict[str, Any] = {"library_name": "stars-hub", "library_version": __version__}

T = TypeVar("T")


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
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        OfflineModeIsEnabled,
        RevisionNotFoundError,
    )
    from huggingface_hub.file_download import repo_folder_name

    required = [CONFIG_NAME, WEIGHTS_NAME, *([OBJECTIVE_NAME] if objective else [])]
    cache = Path(source.cache_dir or constants.HF_HUB_CACHE).expanduser()
    try:
        if source.local_files_only:
            return _from_cache(source, required)
        watch = Watch(cache / repo_folder_name(repo_id=source.repo_id, repo_type="model") / "blobs")
        with _fine_progress():
            return run_watched(lambda: _from_hub(source, watch, required), watch, limit=STALL_SECONDS)
    except CheckpointError:
        raise
    except (RevisionNotFoundError, HFValidationError) as error:
        raise CheckpointError(explain(error, source)) from error
    except Exception as error:
        cached = all(_cached(source, name, source.revision) for name in required)
        if source.force_download or not cached:
            answered = isinstance(error, HfHubHTTPError)
            nor_here = "" if answered else f"; nor is there a folder {source.repo_id} here"
            raise CheckpointError(explain(error, source) + nor_here) from error
        if not isinstance(error, OfflineModeIsEnabled):
            logger.warning("%s; using the copy in the cache", explain(error, source))
        return _from_cache(source, required)


@contextmanager
def _fine_progress() -> Iterator[None]:
    """Let the client's progress bars move every 256 kB: its 10 MB would look like a stall on a slow line."""
    from huggingface_hub import constants

    usual = constants.DOWNLOAD_CHUNK_SIZE
    constants.DOWNLOAD_CHUNK_SIZE = min(usual, 2**18)
    try:
        yield
    finally:
        constants.DOWNLOAD_CHUNK_SIZE = usual


def _from_hub(source: Source, watch: Watch, required: Sequence[str]) -> Path:
    from huggingface_hub import HfApi

    api = HfApi(token=source.token, **LIBRARY)
    info = _patiently(
        lambda: api.model_info(source.repo_id, revision=source.revision, timeout=REQUEST_SECONDS)
    )
    available = {file.rfilename for file in info.siblings or []}
    if missing := [name for name in required if source.inside(name) not in available]:
        raise CheckpointError(_missing_text(source, missing, available))
    others = [name for name in (LAYOUT_NAME, CARD_NAME) if source.inside(name) in available]
    others += [name for name in required if name != CONFIG_NAME]
    # The config comes last, by the name of the branch: this is when the cache notes that the branch is now at
    # this commit. If a file fails before, the cache stays at an earlier commit that is whole.
    _fetch_missing(source, watch, others, commit=info.sha)
    config = _fetch_file(source, watch, CONFIG_NAME, revision=source.revision)
    commit = config.parents[source.inside(CONFIG_NAME).count("/")].name  # …/snapshots/COMMIT/config.json
    if commit != info.sha:  # somebody pushed in between
        _fetch_missing(source, watch, others, commit=commit)
    return config.parent


def _fetch_missing(source: Source, watch: Watch, names: Sequence[str], *, commit: str | None) -> None:
    for name in names:
        if source.force_download or _cached(source, name, commit) is None:
            _fetch_file(source, watch, name, revision=commit)


def _fetch_file(source: Source, watch: Watch, name: str, *, revision: str | None) -> Path:
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    # Asked beforehand, because hf_hub_download repeats its own first question for minutes if it fails.
    url = hf_hub_url(source.repo_id, source.inside(name), revision=revision)
    _patiently(lambda: get_hf_file_metadata(url, token=source.token, timeout=REQUEST_SECONDS, **LIBRARY))
    options: dict[str, Any] = {}
    if "tqdm_class" in inspect.signature(hf_hub_download).parameters:  # not in the earliest 1.x
        options["tqdm_class"] = watch.bar_class()
    path = hf_hub_download(
        source.repo_id,
        source.inside(name),
        revision=revision,
        cache_dir=source.cache_dir,
        token=source.token,
        etag_timeout=REQUEST_SECONDS,
        force_download=source.force_download,
        **LIBRARY,
        **options,
    )
    watch.alive()
    return Path(path)


def _patiently(request: Callable[[], T], pauses: Sequence[float] | None = None) -> T:
    """Make a request; ask again after each pause while the Hub answers with a server error."""
    from huggingface_hub.errors import HfHubHTTPError

    pauses = PAUSES if pauses is None else pauses
    try:
        return request()
    except HfHubHTTPError as error:
        if error.response.status_code < 500 or not pauses:
            raise
    time.sleep(pauses[0])
    return _patiently(request, pauses[1:])


def _from_cache(source: Source, required: Sequence[str]) -> Path:
    paths = [_cached(source, name, source.revision) for name in required]
    if missing := [name for name, path in zip(required, paths, strict=True) if path is None]:
        raise CheckpointError(
            f"{source}: {' and '.join(missing)} not in the cache: load it once without local_files_only=True"
        )
    return Path(str(paths[0])).parent


def _cached(source: Source, name: str, revision: str | None) -> str | None:
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(
        source.repo_id, source.inside(name), cache_dir=source.cache_dir, revision=revision
    )
    return path if isinstance(path, str) else None  # neither None nor the mark of a file known not to exist


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
        where = (
            f"neither a repository {source.repo_id} on {constants.ENDPOINT} nor a folder of this name here"
        )
        return f"there is {where}, or it is private: {log_in}"
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
    return (
        f"{source}: the connection to {constants.ENDPOINT} failed ({reason}); check the network and try again"
    )
