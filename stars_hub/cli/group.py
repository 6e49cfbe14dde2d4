"""The group that all commands belong to, and how errors are told."""

import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from stars_hub._version import __version__


class _OneLineErrors(click.Group):
    """A group whose errors are one line on stderr and exit code 2, with a traceback only for --debug."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> NoReturn:
        """Run the command and exit; see `click.Command.main`."""
        given = list(sys.argv[1:] if args is None else args)
        try:
            code = super().main(
                given, *rest, **({"prog_name": "stars-hub"} | options | {"standalone_mode": False})
            )
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.Abort:
            click.echo("stars-hub: aborted", err=True)
            sys.exit(1)
        except Exception as error:
            if "--debug" in given and not isinstance(error, click.ClickException):
                raise
            click.echo(f"stars-hub: error: {_one_line(error)}", err=True)
            sys.exit(2)
        sys.exit(code if isinstance(code, int) else 0)


def _one_line(error: Exception) -> str:
    if isinstance(error, click.ClickException):
        text = error.format_message()
    else:
        kind = "" if isinstance(error, ValueError | OSError) else f"{type(error).__name__}: "
        text = f"{kind}{error}"
    return " ".join(text.split())


@click.group(cls=_OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="stars-hub")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:
    """Pretrained encoders for 3D skeleton recordings."""
    warnings.showwarning = lambda message, *_, **__: click.echo(f"stars-hub: warning: {message}", err=True)
