"""`turtleidx audit`: ids that are probably wrong."""

from __future__ import annotations

from typing import Annotated

import typer

from index.curation import Decisions, dismiss
from index.registry import Answer
from retrieval import schemas
from retrieval.cli import options, printing
from retrieval.cli.common import form_of, opened
from retrieval.defaults import AUDIT_BUDGET, SHORTLIST
from retrieval.scoring import Score


def add_to(app: typer.Typer) -> None:
    """Add these commands to `turtleidx`."""
    app.command("audit")(audit_command)
    app.command("queries")(queries_command)
    app.command("decide")(decide_command)


def audit_command(
    context: typer.Context,
    dismissed: Annotated[
        list[str] | None,
        typer.Option(
            "--dismiss",
            metavar="TURTLE",
            help="You looked: these two are two turtles, or this one is one turtle. It does not come again.",
        ),
    ] = None,
    why: options.Why = "",
    limit: Annotated[int, typer.Option(min=1, help="Suspicions to show, what is most worth a look first.")] = 20,
    budget: Annotated[
        int, typer.Option(min=0, help="Photo pairs to compare at most; cached ones are free, the next audit goes on.")
    ] = AUDIT_BUDGET,
    as_json: options.Json = False,
    matcher: options.Matcher = None,
    verify: options.Verify = True,
    score: options.ScoreRecipe = Score.WASSERSTEIN,
    encoder_weights: options.EncoderWeights = None,
) -> None:
    """Find suspected duplicates (two ids that match) and mixed identities (one id whose encounters do not)."""
    common: options.Common = context.obj
    catalog = opened(context)
    if dismissed:
        event = dismiss(catalog, dismissed, common.who, why)
        if as_json:
            printing.print_json({"event": event, "dismissed": dismissed})
        else:
            printing.out.print(f"event {event}; `turtleidx undo {event}` takes it back")
        return
    from retrieval.engine import Engine, EngineOptions
    from retrieval.review import audit  # what compares photos takes a second to import

    choices = EngineOptions(
        encoder_weights=encoder_weights,
        matcher=matcher,
        verify=verify,
        device=common.device,
        score=score,
        shortlist=SHORTLIST,
    )
    engine = Engine.load(catalog.recipe, choices)
    with printing.progress_bar("comparing", None) as advance:
        found = audit(catalog, engine, budget, advance)
    for finding in found.findings[:limit]:
        if as_json:
            printing.print_json(schemas.finding_record(finding))
        else:
            printing.print_finding(finding)
    if found.missing:
        printing.say(f"There are no probabilities, only an order: {found.missing}")
    rest = "" if found.complete else "; the budget is used up, the next audit goes on"
    printing.say(
        f"{len(found.findings)} findings, {min(limit, len(found.findings))} shown, from {found.pairs} pairs of "
        f"{found.turtles} turtles ({found.compared} compared now{rest})."
    )


def queries_command(
    context: typer.Context,
    undecided: Annotated[bool, typer.Option("--undecided", help="Only those that nobody has settled.")] = False,
    as_json: options.Json = False,
    as_csv: options.Csv = False,
) -> None:
    """Queries kept with `turtleidx query --keep`, and the newest decision on each."""
    form = form_of(as_json, as_csv)
    found = Decisions(opened(context)).queries(undecided=undecided)
    records = [schemas.query_record(query) for query in found]
    printing.print_records(records, schemas.QUERIES, form)


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
    record = schemas.query_record(decided)
    printing.print_records([record], schemas.QUERIES, form_of(as_json, False))
