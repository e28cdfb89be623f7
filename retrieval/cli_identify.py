"""`turtleidx identify`: who was in an import."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from index.catalog import Catalog
from index.curation import Curator
from index.errors import InputError, TurtleidxError
from index.records import Done
from retrieval import console, console_review, options
from retrieval.cli_changes import Manner, change, opened
from retrieval.conformal import Rates
from retrieval.limits import SHORTLIST
from retrieval.scoring import Score
from retrieval.verdict import Verdict

if TYPE_CHECKING:
    from retrieval.discovery import Group
    from retrieval.loading import Choices
    from retrieval.pipeline import Terms

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
) -> None:
    """Group unidentified encounters that show one turtle, and say which turtle each group is."""
    if turtle is not None or new:
        if (turtle is not None) == new or not encounters:
            raise typer.BadParameter("name encounters, and one of --is and --new.")
        manner = Manner(dry_run, why, as_json)
        if turtle is not None:
            _require(opened(context), turtle)
        change(context, manner, lambda curator: curator.identify_encounters(set(encounters), turtle))
        return
    from retrieval.loading import Choices  # what compares photos takes a second to import
    from retrieval.pipeline import Terms

    common: options.Common = context.obj
    choices = Choices(None, None, encoder_weights, matcher, verify, common.device, score, shortlist)
    terms = Terms(prior_new, Rates(false_known, misidentified, false_new))
    catalog = opened(context)
    groups = _discovered(catalog, choices, terms, encounters or [])
    asking = not (dry_run or yes or as_json)
    for group, name in _answered(catalog, groups) if asking else _proposed(groups, yes and not dry_run):
        done = None if name is None else _assign(catalog, common.who, group, name, why)
        _tell(catalog, group, name, done, as_json, silent=asking)
    if not groups:
        console.say("There is no unidentified encounter.")


def _discovered(catalog: Catalog, choices: Choices, terms: Terms, only: list[int]) -> list[Group]:
    from retrieval.discovery import discover
    from retrieval.loading import load_instruments

    instruments = load_instruments(choices, catalog.recipe)
    with console.progress_bar("comparing", None) as advance:
        groups = discover(catalog, instruments, terms, only, advance)
    absent = set(only) - {encounter for group in groups for encounter in group.encounters}
    if absent:
        raise InputError(f"Encounter {min(absent)} is not there, or has a turtle or no photo that can be searched.")
    return groups


def _proposed(groups: list[Group], follow: bool) -> Iterator[tuple[Group, str | None]]:
    """Every group with the verdict that is to be followed, as an id or NOBODY."""
    for group in groups:
        yield group, _proposal(group) if follow else None


def _answered(catalog: Catalog, groups: list[Group]) -> Iterator[tuple[Group, str | None]]:
    """Every group with what a person says; once nobody is there to answer, the rest is left as it is."""
    somebody = True
    for group in groups:
        console_review.print_group(group)
        answer = _ask(catalog, _proposal(group)) if somebody else None
        somebody = answer is not None
        yield group, answer or None
    if not somebody:
        console.say("Nobody answered; --yes follows KNOWN and NEW, --is and --new say it for chosen encounters.")


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
            console.say(f"{error} Type new for a turtle that is not there yet.")


def _require(catalog: Catalog, name: str) -> str:
    """The id of a turtle that is there. Raises UnknownRecord."""
    return catalog.turtle(name).id


def _shown(name: str) -> str:
    return "a new turtle" if name == NOBODY else name


def _proposal(group: Group) -> str | None:
    return {Verdict.KNOWN: group.turtle, Verdict.NEW: NOBODY}.get(group.verdict)


def _assign(catalog: Catalog, who: str, group: Group, name: str, why: str) -> Done:
    """One event a group, whose reason says what the evidence was and whether it was followed."""
    verdict = f"{group.verdict} {group.turtle or ''}".rstrip()
    followed = "as proposed" if name == _proposal(group) else "against the proposal"
    chance = "" if group.p_new is None else f", P(new) {group.p_new:.2f}"
    linked = f", {len(group.encounters)} encounters linked" if len(group.encounters) > 1 else ""
    reason = f"{followed}: {verdict}{chance}{linked}"
    curator = Curator(catalog, who, f"{why} ({reason})" if why else reason)
    return curator.identify_encounters(group.encounters, None if name == NOBODY else name)


def _tell(catalog: Catalog, group: Group, name: str | None, done: Done | None, as_json: bool, silent: bool) -> None:
    owner = None
    if done is not None:
        owner = next(one for one in _owners(catalog, group) if one) if name == NOBODY else name
    event = None if done is None else done.event
    if as_json:
        console.print_json(console_review.group_record(group) | {"assigned_as": owner, "event": event})
        return
    if not silent:
        console_review.print_group(group)
    if owner is not None:
        console.out.print(f"  now {owner}; `turtleidx undo {event}` takes it back", markup=False)


def _owners(catalog: Catalog, group: Group) -> Iterator[str | None]:
    for photo in catalog.enrolled([photo.sha256 for photo in group.photos]).values():
        yield photo.turtle
