"""What the commands on the registry share: opening the catalogue, forms of output, and asking before a change."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from index.catalog import Browser, Catalog, Page
from index.errors import Conflict, InputError, UnknownRecord
from index.naming import NEXT_FREE
from index.registry import ChangeReport
from retrieval.cli import options, printing
from retrieval.cli.printing import Form

if TYPE_CHECKING:
    from index.curation import Curator
    from index.types import Recipe
    from retrieval.engine import Engine, EngineOptions
    from retrieval.pipeline import Gallery, PairPool, Prepare


def opened(context: typer.Context) -> Catalog:
    """The catalogue that the command is about; what has to be known about it is said."""
    common: options.Common = context.obj
    catalog = Catalog.open(common.catalog)
    if catalog.notice is not None:
        printing.say(catalog.notice)
    return catalog


Photos = Annotated[list[str], typer.Argument(metavar="PHOTO", help="Numbers, paths, or beginnings of sha256 digests.")]
"""Photos as a user names them."""


def numbers_of(context: typer.Context, references: Sequence[str]) -> list[int]:
    """The photos that a user means."""
    looking = browser(context)
    return [looking.photo(reference).id for reference in references]


def browser(context: typer.Context, as_of: dt.date | None = None) -> Browser:
    """Looks through the catalogue that the command is about."""
    return Browser(opened(context), as_of)


def form_of(as_json: bool, as_csv: bool) -> Form:
    """How a list is to be printed."""
    if as_json and as_csv:
        raise typer.BadParameter("choose one of --json and --csv.")
    return Form.JSON if as_json else Form.CSV if as_csv else Form.TABLE


def page_of(number: int, size: int) -> Page:
    """A page, counted from 1."""
    return Page(size, (number - 1) * size)


def tell_of_more(found: int, number: int, size: int) -> None:
    """Say that a full page may not be all."""
    if found == size:
        printing.say(f"Page {number} is full; --page {number + 1} shows what follows.")


def change(
    context: typer.Context,
    how: options.Change,
    operation: Callable[[Curator], ChangeReport],
    question: str | None = None,
) -> None:
    """Make a change and tell what it did; with a question, show it and ask first."""
    from index.curation import Curator  # lists change nothing, and need not wait for it

    common: options.Common = context.obj
    catalog = opened(context)
    if question and not how.yes and not how.dry_run:
        preview = operation(Curator(catalog, common.who, how.why, dry_run=True))
        printing.say("This would change:")
        printing.print_changes(preview)
        ask(question)
    done = operation(Curator(catalog, common.who, how.why, dry_run=how.dry_run))
    printing.print_done(done, how.dry_run, how.as_json)


def target_turtle(catalog: Catalog, name: str) -> str:
    """The id that photos are to get: one that is there, or for `new` the next free one.

    Raises UnknownRecord, because a slip of the keyboard shall not make a turtle; Conflict.
    """
    looking = Browser(catalog)
    if name.lower() != NEXT_FREE:
        try:
            return looking.turtle(name).id
        except UnknownRecord as error:
            raise UnknownRecord(
                f"{error} `{NEXT_FREE}` takes the next free id, and `turtleidx turtles create {name}` makes one of "
                "that name."
            ) from error
    if name in {turtle.id for turtle in looking.turtles()}:
        raise Conflict(
            f"A turtle is called {name} here: give it an id with `turtleidx turtles rename {name} ID` first."
        )
    return catalog.next_turtle_id()


def tell_of_retired(catalog: Catalog, photos: Collection[int]) -> None:
    """Say on standard error which of these photos' turtles are passed over by searches."""
    for sentence in retired_owners(catalog, photos):
        printing.say(sentence)


def retired_owners(catalog: Catalog, photos: Collection[int]) -> list[str]:
    """A sentence for each turtle of these photos that searches pass over."""
    return [
        f"Turtle {name} is retired: searches pass over its photos until `turtleidx turtles restore {name}`."
        for name in catalog.retired_owners(photos)
    ]


def tell_of_waiting(catalog: Catalog, photos: Collection[int]) -> None:
    """Say on standard error how many of these photos wait for their head box, and how it is drawn."""
    chosen = set(photos)
    waiting = [photo.id for photo in Browser(catalog).photos(no_head=True) if photo.id in chosen] if chosen else []
    if waiting:
        printing.say(
            f"{len(waiting)} photos wait for their head box and cannot be searched before: `turtleidx review` draws it "
            f"by mouse or by numbers, `turtleidx photos box {waiting[0]} X,Y,W,H` in pixels of the upright photo."
        )


@contextmanager
def in_cluster(
    catalog: Catalog, engine: Engine, choices: EngineOptions, address: str, shards: Path
) -> Iterator[Gallery]:
    """The catalogue's shards on a Ray cluster; what has to be known about them is said."""
    from retrieval.cluster import cluster_gallery  # Ray takes seconds to import

    with cluster_gallery(catalog, engine, choices, address, shards) as gallery:
        if newer := gallery.newer():
            printing.say(
                f"{newer} photos are newer than the shards and are compared on this machine: `turtleidx shard --into "
                f"{shards}` brings the shards up to date."
            )
        yield gallery


@contextmanager
def preparing(cluster: str | None, recipe: Recipe, choices: EngineOptions) -> Iterator[Prepare]:
    """What reads photos: this machine, or all nodes of a Ray cluster."""
    from retrieval.pipeline import prepared

    if cluster is None:
        yield prepared
        return
    from retrieval.cluster import intake_on  # Ray takes seconds to import

    with intake_on(cluster, recipe, choices) as prepare:
        yield prepare


@contextmanager
def pairs_on(cluster: str | None) -> Iterator[PairPool]:
    """What compares pairs: all nodes of a Ray cluster, or this machine's cores."""
    if cluster is None:
        from retrieval.pipeline import look_processes  # what compares photos takes a second to import

        with look_processes() as pool:
            yield pool
        return
    from retrieval.cluster import pairs_on  # Ray takes seconds to import

    with pairs_on(cluster) as pool:
        yield pool


def ask(question: str) -> None:
    """Raises InputError unless a person says yes."""
    try:
        agreed = typer.confirm(question, err=True)
    except typer.Abort:  # nobody is there to answer
        agreed = False
    if not agreed:
        raise InputError("Nothing was changed; answer y, or give --yes.")
