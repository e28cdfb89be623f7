"""`turtleidx queries` and `decide`: kept queries, and what people decided about them."""

from __future__ import annotations

from typing import Annotated

import typer

from index.decisions import Decisions
from index.records import Answer
from retrieval import console_registry, options
from retrieval.cli_changes import form_of, opened


def add_to(app: typer.Typer) -> None:
    """Add these commands to `turtleidx`."""
    app.command("queries")(queries_command)
    app.command("decide")(decide_command)


def queries_command(
    context: typer.Context,
    undecided: Annotated[bool, typer.Option("--undecided", help="Only those that nobody has settled.")] = False,
    as_json: options.Json = False,
    as_csv: options.Csv = False,
) -> None:
    """Queries kept with `turtleidx query --keep`, and the newest decision on each."""
    form = form_of(as_json, as_csv)
    found = Decisions(opened(context)).queries(undecided=undecided)
    records = [console_registry.query_record(query) for query in found]
    console_registry.print_records(records, console_registry.QUERIES, form)


def decide_command(
    context: typer.Context,
    query: Annotated[int, typer.Argument(help="Its number, as `turtleidx queries` shows it.")],
    turtle: Annotated[str | None, typer.Option("--is", metavar="TURTLE", help="The photo shows this turtle.")] = None,
    new: Annotated[bool, typer.Option("--new", help="The photo shows a turtle that is not in the catalogue.")] = False,
    unsure: Annotated[bool, typer.Option("--unsure", help="Nobody can say.")] = False,
    why: options.Why = "",
    as_json: options.Json = False,
) -> None:
    """Record what a person decided about a kept query; it enrolls nothing."""
    if (turtle is not None) + new + unsure != 1:
        raise typer.BadParameter("give one of --is, --new and --unsure.")
    common: options.Common = context.obj
    answer = Answer.NEW if new else Answer.UNSURE if unsure else Answer.IS
    decided = Decisions(opened(context)).decide(query, answer, common.who, turtle=turtle, why=why)
    record = console_registry.query_record(decided)
    console_registry.print_records([record], console_registry.QUERIES, form_of(as_json, False))
