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
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from index.errors import TurtleidxError
from index.naming import account
from retrieval.cli import options, printing
from retrieval.cli.exit_codes import ExitCode


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command is: the module of `retrieval.cli.commands` whose `add_to` adds it.

    Attributes
    ----------
    summary : str
        The command's line in the list of all, as its own help text begins: the list imports no command.
    """

    module: str
    summary: str


PLACES: Mapping[str, Place] = {
    "init": Place("enroll", "Make an empty catalogue."),
    "enroll": Place(
        "enroll",
        "Add photos to the gallery; what is there already stays as it is, unless --update is given.",
    ),
    "fit": Place("fit", "Learn from the catalogue's own photos how right and wrong turtles score."),
    "query": Place("query", "Which enrolled turtle does a photo show, or is it new?"),
    "identify": Place(
        "identify",
        "Group unidentified encounters that show one turtle, and say which turtle each group is.",
    ),
    "evaluate": Place(
        "evaluate",
        "How often are the answers right? On a manifest of known truth, or on the catalogue's own photos.",
    ),
    "info": Place("history", "Counts, models, sizes on disk and health of the catalogue."),
    "turtles": Place("turtles", "The turtles of the catalogue."),
    "photos": Place("photos", "The photos of the catalogue."),
    "encounters": Place("encounters", "The encounters of the catalogue."),
    "history": Place("history", "What was changed, by whom, when and why."),
    "undo": Place("history", "Take an event back; undoing an undo brings it back."),
    "queries": Place("review", "Queries kept with `turtleidx query --keep`, and the newest decision on each."),
    "decide": Place(
        "review",
        "Record what a person decided about a kept query; --enroll gives the turtle its photo too.",
    ),
    "review": Place("review", "Open the page where photos are looked at and decided; Ctrl-C ends it."),
    "audit": Place("review", "Find ids that are probably wrong, each with the command that mends it."),
    "check": Place(
        "maintenance",
        "Compare the three stores, repair what can be repaired; exit code 3 when problems remain.",
    ),
    "compact": Place("maintenance", "Delete the bytes of removed photos for good, and give disk space back."),
    "backup": Place("maintenance", "Write the whole catalogue into one file."),
    "restore": Place("maintenance", "Unpack a backup into a new catalogue; --catalog is not touched."),
    "reindex": Place(
        "maintenance",
        "Read the originals again: with another extractor or encoder, or where records are missing or damaged.",
    ),
    "shard": Place(
        "cluster",
        "Divide the catalogue's features and index into shards of whole turtles, or bring shards up to date.",
    ),
    "serve": Place("cluster", "Answer queries of many users over HTTP from a Ray cluster; Ctrl-C ends it."),
    "export": Place(
        "exchange",
        "Write tables for colleagues and their programs; importing a photo table loses nothing of it.",
    ),
    "import": Place(
        "exchange",
        "Set what a table says about photos of the catalogue; exit code 3 when some of its rows cannot be used.",
    ),
    "join": Place(
        "exchange",
        "Add the photos and turtles of a field copy; differences are shown, and this catalogue keeps what it has.",
    ),
    "train": Place("train", "Train networks on the catalogue's own photos."),
    "weights": Place(
        "fit",
        "Networks that are bundled or can be downloaded, their licences, and whether they are at hand.",
    ),
}
"""Commands in the order of the help text."""


class Commands(TyperGroup):
    """The commands of `PLACES`, each imported when it is asked for; typer's own classes in between are private."""

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        del ctx
        return list(PLACES)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self._listing = True
        super().format_help(ctx, formatter)
        self._listing = False

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        del ctx
        if cmd_name not in PLACES:  # whoever mistyped a name is told which are near
            self.commands.update({name: TyperCommand(name) for name in PLACES})
            return None
        if self._listing:
            return TyperCommand(cmd_name, help=PLACES[cmd_name].summary)
        only = typer.Typer()
        import_module(f"retrieval.cli.commands.{PLACES[cmd_name].module}").add_to(only)
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
