"""A model folder to the Hugging Face Hub."""

from pathlib import Path

from stars_hub._version import __version__
from stars_hub.checkpoints.download import Source, explain
from stars_hub.checkpoints.folder import read_config
from stars_hub.checkpoints.names import CARD_NAME, CONFIG_NAME, LAYOUT_NAME, OBJECTIVE_NAME, WEIGHTS_NAME
from stars_hub.checkpoints.tensors import read_tensors
from stars_hub.errors import CheckpointError


def push_folder(
    folder: str | Path,
    repo_id: str,
    *,
    revision: str | None = None,
    private: bool | None = None,
    token: str | bool | None = None,
    commit_message: str | None = None,
    create_pr: bool = False,
    objective: bool = False,
) -> str:
    """Upload a model folder in one commit, whole or not at all; repository and branch are made if need be.

    Only the model's own files go up. The repository's `layout.json` and `objective.safetensors` are deleted
    if none goes up, since they belonged to the model that is replaced; its other files stay.

    Args:
        folder: the model folder; it is read and checked first.
        repo_id: `owner/name`, or `name` in the account of the token.
        revision: the branch; by default main.
        private: whether a new repository is private; None: the account's default.
        token: with the right to write; None: the one stored by `hf auth login`.
        commit_message: by default one that names the version of this package.
        create_pr: open a pull request instead of writing to the branch.
        objective: upload `objective.safetensors` too (tens of megabytes that only further training needs).

    Returns:
        The URL of the repository, or of the pull request.

    Raises:
        CheckpointError: the folder is no sound model folder, `create_pr` and `revision` are both given, or
            the Hub refuses.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    folder = Path(folder).expanduser()
    names = upload_names(folder, objective=objective)
    if create_pr and revision is not None:
        raise CheckpointError(
            "a pull request is made to the main branch: give create_pr or revision, not both"
        )
    api = HfApi(token=token, library_name="stars-hub", library_version=__version__)
    try:
        repo = api.create_repo(repo_id, private=private, exist_ok=True)
        if revision is not None:
            api.create_branch(repo.repo_id, branch=revision, exist_ok=True)
        there = api.list_repo_files(repo.repo_id, revision=revision)
        stale = [name for name in (LAYOUT_NAME, OBJECTIVE_NAME) if name in there and name not in names]
        commit = api.create_commit(  # the client's upload_folder may split a commit that fails into several
            repo.repo_id,
            operations=[
                *(CommitOperationAdd(name, folder / name) for name in names),
                *(CommitOperationDelete(name) for name in stale),
            ],
            commit_message=commit_message or f"Upload model with stars-hub {__version__}",
            revision=revision,
            create_pr=create_pr,
        )
    except Exception as error:
        raise CheckpointError(f"not pushed: {explain(error, Source(repo_id, revision))}") from error
    return str(commit.pr_url) if create_pr else str(repo)


def upload_names(folder: Path, *, objective: bool) -> list[str]:
    """The names of the files to upload, after the files were read.

    Raises:
        CheckpointError: a file is missing or damaged, or a tensor is not finite.
    """
    read_config(folder)
    read_tensors(folder / WEIGHTS_NAME)
    if objective:
        read_tensors(folder / OBJECTIVE_NAME)
    optional = [name for name in (CARD_NAME, LAYOUT_NAME) if (folder / name).is_file()]
    return [CONFIG_NAME, WEIGHTS_NAME, *([OBJECTIVE_NAME] if objective else []), *optional]
