"""`turtleidx identify`: who was in an import."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from index.catalog import Browser, Catalog
from index.curation import Curator
from index.errors import InputError, TurtleidxError
from index.naming import NEXT_FREE
from index.registry import ChangeReport
from retrieval import schemas
from retrieval.cli import options, printing
from retrieval.cli.common import change, opened, pairs_on, target_turtle
from retrieval.defaults import SHORTLIST
from retrieval.novelty import Rates, Verdict
from retrieval.scoring import Score

if TYPE_CHECKING:
    from retrieval.engine import Engine
    from retrieval.novelty import DecisionPolicy
    from retrieval.review import Group

NEW = "new"
"""What people type for a turtle that is not in the catalogue."""
NOBODY = "\nnew"
"""The same among ids: no turtle can be called so, but one may be called `new`."""


def add_to(app: typer.Typer) -> None:
    """Add the command to `turtleidx`."""
    app.command("identify")(identify_command)


def identify_command(
    context: typer.Context,
    encounters: Annotated[
        list[int] | None, typer.Argument(metavar="ENCOUNTER", help="Only these unidentified encounters; else all.")
    ] = None,
    turtle: Annotated[
        str | None, typer.Option("--is", metavar="TURTLE", help="You know it: these encounters show this turtle.")
    ] = None,
    new: Annotated[bool, typer.Option("--new", help="You know it: these encounters show one new turtle.")] = False,
    why: options.Why = "",
    dry_run: options.DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: follow KNOWN and NEW, leave the rest.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a group on standard output; asks nothing.")
    ] = False,
    prior_new: Annotated[float, typer.Option(min=0.001, max=0.999, help="P(new) before looking.")] = 0.5,
    false_known: options.Rate = 0.01,
    misidentified: options.Rate = 0.01,
    false_new: options.Rate = 0.05,
    matcher: options.Matcher = None,
    verify: options.Verify = True,
    score: options.ScoreRecipe = Score.WASSERSTEIN,
    shortlist: options.ShortlistLength = SHORTLIST,
    encoder_weights: options.EncoderWeights = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Match pictures of the groups, to look at before answering.")
    ] = None,
    cluster: options.Cluster = None,
) -> None:
    """Group unidentified encounters that show one turtle, and say which turtle each group is."""
    if turtle is not None or new:
        if (turtle is not None) == new or not encounters:
            raise typer.BadParameter("name encounters, and one of --is and --new.")
        how = options.Change(dry_run=dry_run, why=why, as_json=as_json)
        named = None if turtle is None or turtle.lower() == NEXT_FREE else target_turtle(opened(context), turtle)
        change(context, how, lambda curator: curator.identify_encounters(set(encounters), named))
        return
    from retrieval.cli.outputs import check_picture_folder

    if plot is not None:
        check_picture_folder(plot, "encounter-*.png")
    from retrieval.engine import Engine, EngineOptions  # what compares photos takes a second to import
    from retrieval.novelty import DecisionPolicy

    common: options.Common = context.obj
    choices = EngineOptions(
        encoder_weights=encoder_weights,
        matcher=matcher,
        verify=verify,
        device=common.device,
        score=score,
        shortlist=shortlist,
    )
    policy = DecisionPolicy(prior_new, Rates(false_known, misidentified, false_new))
    catalog = opened(context)
    engine = Engine.load(catalog.recipe, choices)
    groups = _discovered(catalog, engine, policy, encounters or [], cluster)
    if plot is not None:
        _draw(catalog, engine, groups, plot)
    asking = not (dry_run or yes or as_json)
    for group, name in _answered(catalog, groups) if asking else _proposed(groups, yes and not dry_run):
        done = None if name is None else _assign(catalog, common.who, group, name, why)
        _tell(catalog, group, name, done, as_json, silent=asking)
    if not groups:
        printing.say("There is no unidentified encounter.")


def _discovered(
    catalog: Catalog, engine: Engine, policy: DecisionPolicy, only: list[int], cluster: str | None
) -> list[Group]:
    from retrieval.review import cluster_encounters

    with pairs_on(cluster) as pool, printing.progress_bar("comparing", None) as advance:
        groups = cluster_encounters(catalog, engine, policy, only, advance, pool)
    absent = set(only) - {encounter for group in groups for encounter in group.encounters}
    if absent:
        raise InputError(f"Encounter {min(absent)} is not there, or has a turtle or no photo that can be searched.")
    return groups


def _draw(catalog: Catalog, engine: Engine, groups: list[Group], folder: Path) -> None:
    """A match picture of each group, named by its first encounter, before anybody is asked."""
    from retrieval.images import save_match_picture
    from retrieval.review import group_picture

    folder.mkdir(parents=True, exist_ok=True)
    for group in groups:
        pixels, target = group_picture(catalog, engine, group), folder / f"encounter-{group.encounters[0]}.png"
        if pixels is None:
            printing.say(f"There is no match to draw for encounter {group.encounters[0]}.")
            continue
        save_match_picture(pixels, target)
        printing.say(f"Match picture of encounter {group.encounters[0]}: {target}")


def _proposed(groups: list[Group], follow: bool) -> Iterator[tuple[Group, str | None]]:
    """Every group with the verdict that is to be followed, as an id or NOBODY."""
    for group in groups:
        yield group, _proposal(group) if follow else None


def _answered(catalog: Catalog, groups: list[Group]) -> Iterator[tuple[Group, str | None]]:
    """Every group with what a person says; once nobody is there to answer, the rest is left as it is."""
    somebody = True
    for group in groups:
        printing.print_group(group)
        answer = _ask(catalog, _proposal(group)) if somebody else None
        somebody = answer is not None
        yield group, answer or None
    if not somebody:
        printing.say("Nobody answered; --yes follows KNOWN and NEW, --is and --new say it for chosen encounters.")


def _ask(catalog: Catalog, proposal: str | None) -> str | None:
    """An id, NOBODY, an empty text to leave the group, or None where nobody answers."""
    follow = f"y for {_shown(proposal)}, " if proposal else ""
    while True:
        try:
            said = typer.prompt(f"Which turtle? ({follow}an id, new, or Enter to leave it)", "", False, err=True)
        except typer.Abort:
            return None
        said = str(said).strip()
        if said.lower() in ("y", "yes") and proposal:
            return proposal
        if said.lower() in ("", "n", "no", NEW):
            return NOBODY if said.lower() == NEW else ""
        try:
            return _require(catalog, said)
        except TurtleidxError as error:
            printing.say(f"{error} Type new for a turtle that is not there yet.")


def _require(catalog: Catalog, name: str) -> str:
    """The id of a turtle that is there. Raises UnknownRecord."""
    return Browser(catalog).turtle(name).id


def _shown(name: str) -> str:
    return "a new turtle" if name == NOBODY else name


def _proposal(group: Group) -> str | None:
    return {Verdict.KNOWN: group.turtle, Verdict.NEW: NOBODY}.get(group.verdict)


def _assign(catalog: Catalog, who: str, group: Group, name: str, why: str) -> ChangeReport:
    """One event a group, whose reason says what the evidence was and whether it was followed."""
    verdict = f"{group.verdict} {group.turtle or ''}".rstrip()
    followed = "as proposed" if name == _proposal(group) else "against the proposal"
    chance = "" if group.p_new is None else f", P(new) {group.p_new:.2f}"
    linked = f", {len(group.encounters)} encounters linked" if len(group.encounters) > 1 else ""
    reason = f"{followed}: {verdict}{chance}{linked}"
    curator = Curator(catalog, who, f"{why} ({reason})" if why else reason)
    return curator.identify_encounters(group.encounters, None if name == NOBODY else name)


def _tell(
    catalog: Catalog, group: Group, name: str | None, done: ChangeReport | None, as_json: bool, silent: bool
) -> None:
    owner = None
    if done is not None:
        owner = next(one for one in _owners(catalog, group) if one) if name == NOBODY else name
    event = None if done is None else done.event
    if as_json:
        printing.print_json(schemas.group_record(group) | {"assigned_as": owner, "event": event})
        return
    if not silent:
        printing.print_group(group)
    if owner is not None:
        printing.out.print(f"  now {owner}; `turtleidx undo {event}` takes it back", markup=False)


def _owners(catalog: Catalog, group: Group) -> Iterator[str | None]:
    for photo in catalog.enrolled([photo.sha256 for photo in group.photos]).values():
        yield photo.turtle
