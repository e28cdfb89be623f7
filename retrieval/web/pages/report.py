"""A season in figures, people's own eye, and tables to take away."""

from __future__ import annotations

import csv
import io

from starlette.requests import Request
from starlette.responses import Response

from index.curation import checks
from index.errors import UnknownRecord
from index.exchange import harmless
from retrieval import schemas
from retrieval.web.forms import Fields
from retrieval.web.screen import Screen, Show

_SEASONS = """
WITH seen AS (
    SELECT e.id, e.turtle, year(min(p.taken_on)) AS year FROM encounters e JOIN photos p ON p.encounter = e.id
    WHERE NOT p.removed GROUP BY e.id, e.turtle
), debut AS (SELECT turtle, min(year) AS year FROM seen WHERE turtle IS NOT NULL GROUP BY turtle)
SELECT s.year, count(DISTINCT s.turtle) FILTER (d.year < s.year), count(DISTINCT s.turtle) FILTER (d.year = s.year),
       count(*) FILTER (s.turtle IS NULL), count(*)
FROM seen s LEFT JOIN debut d USING (turtle) GROUP BY s.year ORDER BY s.year DESC NULLS LAST
"""


def report(screen: Screen, request: Request, fields: Fields) -> Response:
    """The page."""
    del fields
    with screen.desk.catalog.reading() as session:
        seasons = session.rows(_SEASONS)
    return screen.page(request, "report", seasons=seasons, eyes=sorted(checks(screen.desk.catalog).items()))


def table(screen: Screen, request: Request, fields: Fields) -> Response:
    """One of the tables as CSV, safe for spreadsheets."""
    del fields
    desk, name = screen.desk, str(request.path_params["name"])
    if name == "turtles":
        records = [schemas.turtle_record(one) for one in desk.browser.turtles()]
        columns: tuple[str, ...] = schemas.TURTLES.columns
    elif name == "photos":
        records = [schemas.photo_record(one, desk.options.exact_locations) for one in desk.browser.photos()]
        columns = schemas.PHOTOS.columns
    elif name == "encounters":
        records = [schemas.encounter_record(one) for one in desk.browser.encounters()]
        columns = schemas.ENCOUNTERS.columns
    elif name == "captures":
        columns, records = _captures(screen)
    else:
        raise UnknownRecord("There is no such table.")
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(columns)
    rows.writerows([harmless(schemas.cell_text(record[column])) for column in columns] for record in records)
    headers = {"content-disposition": f'attachment; filename="{name}.csv"'}
    return Response("\ufeff" + text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _captures(screen: Screen) -> tuple[tuple[str, ...], list[dict[str, object]]]:
    seen: dict[str, set[int]] = {}
    for one in screen.desk.browser.encounters():
        if one.turtle is not None and one.day is not None:
            seen.setdefault(one.turtle, set()).add(one.day.year)
    years = sorted(set().union(*seen.values()))
    records = [
        {"turtle": name, **{str(year): int(year in there) for year in years}} for name, there in sorted(seen.items())
    ]
    return ("turtle", *map(str, years)), records


SHOWN: list[tuple[str, Show]] = [("/report", report), ("/report/{name}.csv", table)]
CHANGED: list[tuple[str, Show]] = []
