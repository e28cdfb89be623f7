"""`turtleidx review`, `audit`, `queries` and `decide`: what people decide."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from index.catalog import Browser, Catalog
from index.curation import Decisions, dismiss
from index.naming import NEXT_FREE
from index.registry import Answer, KeptQuery
from retrieval import schemas
from retrieval.cli import options, printing
from retrieval.cli.common import form_of, opened, pairs_on, tell_of_waiting
from retrieval.defaults import AUDIT_BUDGET, SHORTLIST
from retrieval.scoring import Score

if TYPE_CHECKING:
    from retrieval.engine import Engine
    from retrieval.review import Finding


def add_to(app: typer.Typer) -> None:
    """Add these commands to `turtleidx`."""
    app.command("review")(review_command)
    app.command("audit")(audit_command)
    app.command("queries")(queries_command)
    app.command("decide")(decide_command)


def review_command(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in your browser.")] = True,
    lan: Annotated[
        bool, typer.Option("--lan", help="Let other machines of your network in, without encryption.")
    ] = False,
    read_only: Annotated[bool, typer.Option("--read-only", help="Show everything, change nothing.")] = False,
    who: Annotated[str | None, typer.Option("--as", metavar="NAME", help="Your name, for the history.")] = None,
    exact_locations: options.ExactLocations = False,
    matcher: options.Matcher = None,
) -> None:
    """Open the page where photos are looked at and decided; Ctrl-C ends it."""
    from retrieval.web import ReviewOptions, serve  # a server takes a moment to import

    common: options.Common = context.obj
    chosen = ReviewOptions(
        who=who or common.who,
        port=port,
        browser=browser,
        lan=lan,
        read_only=read_only,
        exact_locations=exact_locations,
        matcher=matcher,
        device=common.device,
    )
    serve(common.catalog, chosen, printing.print_opened)


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
    least: Annotated[float, typer.Option(min=0, max=1, help="Only suspicions of at least this probability.")] = 0.2,
    plot: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Match pictures of the suspicions that are shown.")
    ] = None,
    budget: Annotated[
        int, typer.Option(min=0, help="Photo pairs to compare at most; cached ones are free, the next audit goes on.")
    ] = AUDIT_BUDGET,
    as_json: options.Json = False,
    matcher: options.Matcher = None,
    verify: options.Verify = True,
    score: options.ScoreRecipe = Score.WASSERSTEIN,
    encoder_weights: options.EncoderWeights = None,
    cluster: options.Cluster = None,
) -> None:
    """Find ids that are probably wrong, each with the command that mends it.

    Two ids for one turtle, photos under the wrong id, one id for two turtles, and one-sided ids seen on the same days.
    """
    common: options.Common = context.obj
    catalog = opened(context)
    if dismissed:
        event = dismiss(catalog, dismissed, common.who, why)
        if as_json:
            printing.print_json({"event": event, "dismissed": dismissed})
        else:
            printing.out.print(f"event {event}; `turtleidx undo {event}` takes it back")
        return
    from retrieval.cli.outputs import check_picture_folder, in_file_name

    if plot is not None:
        check_picture_folder(plot, "[0-9]*-*.png")
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
    with pairs_on(cluster) as pool, printing.progress_bar("comparing", None) as advance:
        found = audit(catalog, engine, budget, advance, pool)
    doubted = [one for one in found.findings if one.probability is None or one.probability >= least]
    for number, finding in enumerate(doubted[:limit], start=1):
        if as_json:
            printing.print_json(schemas.finding_record(finding))
        else:
            printing.print_finding(finding)
        if plot is not None:
            _plot(catalog, engine, finding, plot / f"{number:02d}-{'-'.join(map(in_file_name, finding.turtles))}.png")
    printing.print_audit(found, doubted[:limit], len(doubted))


def _plot(catalog: Catalog, engine: Engine, finding: Finding, target: Path) -> None:
    from retrieval.images import save_match_picture
    from retrieval.review import finding_picture

    pixels = finding_picture(catalog, engine, finding)
    if pixels is None:
        printing.say(f"There is no match to draw for {' and '.join(finding.turtles)}.")
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    save_match_picture(pixels, target)
    printing.say(f"Match picture: {target}")


def queries_command(
    context: typer.Context,
    undecided: Annotated[
        bool, typer.Option("--undecided", help="Only those that nobody has settled, whatever their verdict.")
    ] = False,
    verdict: Annotated[
        str | None, typer.Option(metavar="VERDICT", help="Only those of this verdict, such as UNDECIDED.")
    ] = None,
    as_json: options.Json = False,
    as_csv: options.Csv = False,
) -> None:
    """Queries kept with `turtleidx query --keep`, and the newest decision on each."""
    form = form_of(as_json, as_csv)
    found = Decisions(opened(context)).queries(undecided=undecided)
    wanted = [one for one in found if verdict is None or one.verdict == verdict.upper()]
    records = [schemas.query_record(query) for query in wanted]
    printing.print_records(records, schemas.QUERIES, form)


def decide_command(
    context: typer.Context,
    query: Annotated[int, typer.Argument(help="Its number, as `turtleidx queries` shows it.")],
    turtle: Annotated[str | None, typer.Option("--is", metavar="TURTLE", help="The photo shows this turtle.")] = None,
    new: Annotated[bool, typer.Option("--new", help="The photo shows a turtle that is not in the catalogue.")] = False,
    unsure: Annotated[bool, typer.Option("--unsure", help="Nobody can say.")] = False,
    enroll: Annotated[
        bool, typer.Option("--enroll", help="Enroll the photo too, as the turtle of --is, or as a new one.")
    ] = False,
    why: options.Why = "",
    as_json: options.Json = False,
) -> None:
    """Record what a person decided about a kept query; --enroll gives the turtle its photo too."""
    if (turtle is not None) + new + unsure != 1:
        raise typer.BadParameter("give one of --is, --new and --unsure.")
    if unsure and enroll:
        raise typer.BadParameter("--enroll goes with --is and --new.")
    if turtle is not None and turtle.lower() == NEXT_FREE:
        turtle, new = None, True
    common: options.Common = context.obj
    catalog = opened(context)
    answer = Answer.NEW if new else Answer.UNSURE if unsure else Answer.IS
    decisions = Decisions(catalog)
    kept = decisions.query(query)
    named = None if turtle is None else Browser(catalog).turtle(turtle).id
    owner = _enrolled(catalog, kept, named or catalog.next_turtle_id(), common) if enroll else None
    decided = decisions.decide(query, answer, common.who, turtle=named, why=why)
    record = schemas.query_record(decided) | ({"enrolled_as": owner} if enroll else {})
    printing.print_records([record], schemas.QUERIES, form_of(as_json, False))
    if owner is not None and not as_json:
        printing.out.print(f"enrolled as {owner}", markup=False)
    elif not enroll and not unsure:
        printing.say(f"next: the photo is not enrolled; with --enroll {'it becomes a turtle' if new else named} too.")


def _enrolled(catalog: Catalog, kept: KeptQuery, turtle: str, common: options.Common) -> str:
    """The photo of a kept query becomes one of that turtle's; what it still needs is said."""
    from retrieval.pipeline import enroll_kept  # what reads photos takes a second to import

    report = enroll_kept(catalog, kept, turtle, common.who, common.device)
    tell_of_waiting(catalog, report.enrolled)
    return turtle
