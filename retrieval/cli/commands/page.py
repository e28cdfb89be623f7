"""`turtleidx review`: the page on which people decide."""

from __future__ import annotations

from typing import Annotated

import typer

from retrieval.cli import options, printing


def add_to(app: typer.Typer) -> None:
    """Add the command to `turtleidx`."""
    app.command("review")(review_command)


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
