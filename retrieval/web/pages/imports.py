"""Import with a preview: files in, a grid of what they are, and only then the catalogue."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from index.errors import InputError, TurtleidxError
from index.types import Side
from retrieval.web.desk import Desk
from retrieval.web.drafts import Draft, Drafts, changed
from retrieval.web.forms import Fields, require_token, wants_json
from retrieval.web.screen import Screen, Show, to
from retrieval.web.uploads import MOST_FILES

COLUMNS = ("turtle", "side", "day", "encounter", "site")


def imports(screen: Screen, request: Request, fields: Fields) -> Response:
    """Where an import begins."""
    del fields
    drafts = Drafts(screen.desk.catalog).all()
    return screen.page(request, "import", drafts=drafts, draft=None, run=screen.desk.imports, sides=list(Side))


def draft(screen: Screen, request: Request, fields: Fields) -> Response:
    """The grid of one draft."""
    found = Drafts(screen.desk.catalog).read(str(request.path_params["draft"]))
    run, anew = screen.desk.imports, fields.ticked("changed")
    return screen.page(request, "import", drafts=[], draft=found, run=run, sides=list(Side), changed=anew)


def preview(screen: Screen, request: Request, fields: Fields) -> Response:
    """A small picture of one row."""
    del fields
    number = str(request.path_params["row"])
    row = int(number) if number.isdecimal() and len(number) < 7 else -1
    data = Drafts(screen.desk.catalog).preview(str(request.path_params["draft"]), row)
    return Response(data, media_type="image/jpeg", headers={"cache-control": "private, max-age=600"})


def uploading(screen: Screen) -> Callable[[Request], Awaitable[Response]]:
    """Takes files in, without holding them in memory."""

    async def upload(request: Request) -> Response:
        async with request.form(max_files=MOST_FILES, max_fields=100) as form:
            texts = {name: [value] for name, value in form.multi_items() if isinstance(value, str)}
            require_token(request, screen.desk.door, Fields(texts))
            files = [
                (value.filename or "photo", value.file)
                for _, value in form.multi_items()
                if isinstance(value, UploadFile) and value.filename
            ]
            made = await run_in_threadpool(_taken_in, screen, request, Fields(texts), files)
        where = f"/import/{made.id}"
        return JSONResponse({"draft": made.id, "where": where}) if wants_json(request) else to(where)

    return upload


def _taken_in(screen: Screen, request: Request, fields: Fields, files: list[tuple[str, BinaryIO]]) -> Draft:
    drafts = Drafts(screen.desk.catalog)
    if not files:
        raise InputError("Choose photos, a folder or a ZIP first.")
    begun = drafts.read(fields.text("draft")) if fields.text("draft") else drafts.begin(screen.who(request))
    return drafts.add(begun, files)


def change(screen: Screen, request: Request, fields: Fields) -> Response:
    """Keep what was typed, throw the draft away, or import it, if what comes of it is what the person saw."""
    desk, name = screen.desk, str(request.path_params["draft"])
    drafts = Drafts(desk.catalog)
    if fields.text("what") == "discard":
        drafts.discard(name)
        return to("/import")
    columns = {column: fields.every(column) for column in COLUMNS if fields.every(column)}
    ticked = set(fields.numbers("take"))
    typed = drafts.examine(changed(drafts.read(name), columns, ticked))
    if fields.text("what") == "import":
        if ticked != {number for number, row in enumerate(typed.rows) if row.taken}:
            return to(f"/import/{name}?changed=1")
        _begin(desk, drafts, typed, screen.who(request))
        return to("/import")
    return to(f"/import/{name}")


def _begin(desk: Desk, drafts: Drafts, typed: Draft, who: str) -> None:
    run = desk.imports
    if run.running:
        raise InputError("Another import is running; wait until it has finished.")
    if desk.bench.engine is None:
        raise InputError("What reads photos is still being loaded; try again in a few seconds.")
    if not typed.taken:
        raise InputError("No row is ticked.")
    run.running, run.done, run.total, run.refused, run.trouble = True, 0, len(typed.taken), [], ""
    run.draft = typed.id
    threading.Thread(target=_import, args=(desk, drafts, typed, who), name="import", daemon=True).start()


def _import(desk: Desk, drafts: Drafts, typed: Draft, who: str) -> None:
    from retrieval.pipeline import enroll  # what reads photos takes seconds to import

    run = desk.imports

    def advance(done: int, total: int | None = None) -> None:
        del total
        run.done += done
        desk.bench.give_way()

    try:
        sightings = drafts.sightings(typed)
        with desk.bench.in_background() as engine:
            report = enroll(desk.catalog, sightings, engine, who, advance)
        run.enrolled = len(report.enrolled)
        run.refused = [one.reason for one in report.refused]
        drafts.discard(typed.id)
    except (TurtleidxError, OSError) as error:
        run.trouble = str(error)
    finally:
        run.running = False
        desk.refresh()


SHOWN: list[tuple[str, Show]] = [
    ("/import", imports),
    ("/import/{draft}", draft),
    ("/import/{draft}/{row}.jpg", preview),
]
CHANGED: list[tuple[str, Show]] = [("/import/{draft}", change)]
