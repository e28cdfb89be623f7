"""`turtleidx audit`: ids that are probably wrong."""

from __future__ import annotations

from typing import Annotated

import typer

from index.reviews import dismiss
from retrieval import console, console_review, options
from retrieval.cli_changes import opened
from retrieval.limits import AUDIT_BUDGET, SHORTLIST
from retrieval.scoring import Score


def add_to(app: typer.Typer) -> None:
    """Add the command to `turtleidx`."""
    app.command("audit")(audit_command)


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
            console.print_json({"event": event, "dismissed": dismissed})
        else:
            console.out.print(f"event {event}; `turtleidx undo {event}` takes it back")
        return
    from retrieval.auditing import audit  # what compares photos takes a second to import
    from retrieval.loading import Choices, load_instruments

    choices = Choices(None, None, encoder_weights, matcher, verify, common.device, score, SHORTLIST)
    instruments = load_instruments(choices, catalog.recipe)
    with console.progress_bar("comparing", None) as advance:
        found = audit(catalog, instruments, budget, advance)
    for suspicion in found.suspicions[:limit]:
        if as_json:
            console.print_json(console_review.suspicion_record(suspicion))
        else:
            console_review.print_suspicion(suspicion)
    if found.missing:
        console.say(f"There are no probabilities, only an order: {found.missing}")
    rest = "" if found.complete else "; the budget is used up, the next audit goes on"
    console.say(
        f"{len(found.suspicions)} findings, {min(limit, len(found.suspicions))} shown, from {found.pairs} pairs of "
        f"{found.turtles} turtles ({found.compared} compared now{rest})."
    )
