"""`turtleidx`: parse, call, print; nothing else.

Exit codes: 0 done, whatever the verdict; 1 nothing was done, with a sentence on standard error; 2 wrong usage; 3 done,
but some photos were refused, or problems remain; 130 interrupted.

A command's module is imported when the command is asked for, and what compares photos by the commands that do, because
the others would wait for it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from index.errors import TurtleidxError
from index.naming import account
from retrieval.cli import options, printing
from retrieval.cli.exit_codes import ExitCode

PLACES: Mapping[str, str] = {
    "init": "enroll",
    "enroll": "enroll",
    "fit": "fit",
    "query": "query",
    "identify": "identify",
    "evaluate": "evaluate",
    "info": "history",
    "turtles": "turtles",
    "photos": "photos",
    "encounters": "encounters",
    "history": "history",
    "undo": "history",
    "queries": "review",
    "decide": "review",
    "review": "review",
    "audit": "review",
    "check": "maintenance",
    "compact": "maintenance",
    "backup": "maintenance",
    "restore": "maintenance",
    "reindex": "maintenance",
    "export": "exchange",
    "import": "exchange",
    "join": "exchange",
    "weights": "fit",
}
"""Commands in the order of the help text, and the modules of `retrieval.cli.commands` whose `add_to` adds them."""


class Commands(TyperGroup):
    """The commands of `PLACES`, each imported when it is asked for; typer's own classes in between are private."""

    def list_commands(self, ctx: Any) -> list[str]:
        del ctx
        return list(PLACES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in PLACES:  # whoever mistyped a name is told which are near
            self.commands.update({name: self.get_command(ctx, name) for name in PLACES})
            return None
        only = typer.Typer()
        import_module(f"retrieval.cli.commands.{PLACES[cmd_name]}").add_to(only)
        return get_group(only).commands[cmd_name]


BEGIN = (
    "Begin with `turtleidx enroll FOLDER`, where every turtle has a sub-folder; each answer says what can be done next."
)

app = typer.Typer(
    cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, epilog=BEGIN
)


@app.callback()
def common(
    context: typer.Context,
    catalog: Annotated[Path, typer.Option(envvar="TURTLEIDX_CATALOG", help="The catalogue's folder.")] = Path(
        "turtles.catalog"
    ),
    who: Annotated[str | None, typer.Option(help="Your name, for the history; else your account's name.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or cuda:N; else a GPU where there is one.")] = None,
) -> None:
    """Photo identification of sea turtles: enroll photos, query photos, decide known or new."""
    context.obj = options.Common(catalog, who or account(), device)


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the command: errors become one sentence on standard error and an exit code."""
    logging.captureWarnings(True)  # of image libraries; what matters comes as an error
    printing.replace_unprintable()
    try:
        app(arguments)
    except TurtleidxError as error:
        printing.say(str(error))
        sys.exit(ExitCode.NOTHING_DONE)
    except OSError as error:
        printing.say(f"{error.filename or 'The file'} cannot be used: {error.strerror or error}.")
        sys.exit(ExitCode.NOTHING_DONE)
    except (KeyboardInterrupt, SystemExit) as left:  # typer makes the one into the other, without a word
        if isinstance(left, SystemExit) and left.code != ExitCode.INTERRUPTED:
            raise
        printing.say("Interrupted; what was finished is kept, and the same command continues.")
        sys.exit(ExitCode.INTERRUPTED)
