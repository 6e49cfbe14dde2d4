"""The command that publishes a model: push."""

from pathlib import Path
from typing import Any

import click

from stars_hub.cli.group import main


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("repo_id", metavar="REPO_ID")
@click.option("--revision", help="Branch to write to; main if not given.")
@click.option("--private/--public", default=None, help="Of a new repository; the account's default.")
@click.option("--create-pr", is_flag=True, help="Open a pull request rather than commit.")
@click.option("--commit-message", help="What the commit says.")
@click.option("--objective", is_flag=True, help="Upload what only further training needs, too.")
@click.option("--dry-run", is_flag=True, help="Check, and say what would be uploaded; contact nothing.")
def push(folder: Path, repo_id: str, objective: bool, dry_run: bool, **options: Any) -> None:
    """Publish the model in FOLDER as REPO_ID (owner/name) on the Hugging Face Hub.

    The folder is checked first. The token is that of `hf auth login` or of the variable HF_TOKEN.
    """
    from stars_hub.checkpoints import push_folder
    from stars_hub.hub.publishing import prepare_upload

    upload = prepare_upload(folder, repo_id, objective=objective)
    if dry_run:
        options.pop("commit_message")
        click.echo(upload.describe(**options))
        return
    for remark in upload.remarks:
        click.echo(f"stars-hub: warning: {remark}", err=True)
    click.echo(push_folder(upload.folder, repo_id, objective=upload.objective, **options))
