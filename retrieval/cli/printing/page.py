"""Where the review page is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrieval.cli.printing.terminal import out, say

if TYPE_CHECKING:
    from retrieval.web import Opened


def print_opened(opened: Opened) -> None:
    """Print the page's address, and for others on the network another one with a picture of it for phones."""
    out.print(f"The review page is at {opened.address}", markup=False, soft_wrap=True, highlight=False)
    if opened.for_others is not None:
        import segno  # only for this

        say("Other machines of this network can come in with this address, and nothing is encrypted:")
        out.print(opened.for_others, markup=False, soft_wrap=True, highlight=False)
        segno.make(opened.for_others, micro=False).terminal(compact=True)
    say("Ctrl-C ends it.")
