"""Darwin Core archives: encounters as occurrences, who is who as identifications.

https://dwc.tdwg.org/text/ describes the format.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from index.catalog import Browser, Catalog
from index.exchange.table_export import COARSE_DEGREES, harmless
from index.files import replacing
from index.registry import PhotoRecord

TERMS = "http://rs.tdwg.org/dwc/terms/"
OCCURRENCE = (
    *("occurrenceID", "basisOfRecord", "eventDate", "scientificName", "organismID", "individualCount", "locality"),
    *("decimalLatitude", "decimalLongitude", "geodeticDatum", "coordinateUncertaintyInMeters", "dataGeneralizations"),
    *("recordedBy", "associatedMedia", "identificationVerificationStatus"),
)
IDENTIFICATION = (
    "occurrenceID",
    "identificationID",
    "scientificName",
    "verbatimIdentification",
    "identifiedBy",
    "dateIdentified",
)
COARSE_METRES = "11100"
SYSTEM = 'system="turtleidx"'
_LARGEST_MEMBER = 1 << 30

Row = Mapping[str, str]


def export_darwin_core(catalog: Catalog, target: Path, title: str, *, exact_locations: bool = False) -> int:
    """Write a Darwin Core archive (ZIP); gives the number of occurrences."""
    browser = Browser(catalog)
    together: dict[int, list[PhotoRecord]] = {}
    for record in browser.photos():
        together.setdefault(record.encounter, []).append(record)
    species = {turtle.id: turtle.species for turtle in browser.turtles()}
    occurrences = [_occurrence(number, photos, species, exact_locations) for number, photos in sorted(together.items())]
    identified = [row for row in occurrences if row["organismID"]]
    identifications = [_identification(row) for row in identified]
    with replacing(target.absolute()) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("meta.xml", _meta())
        archive.writestr("eml.xml", _eml(title))
        archive.writestr("occurrence.csv", _csv(OCCURRENCE, occurrences))
        archive.writestr("identification.csv", _csv(IDENTIFICATION, identifications))
    return len(occurrences)


def is_own_archive(file: Path) -> bool:
    """Whether a file is an archive as `export_darwin_core` writes it."""
    try:
        with zipfile.ZipFile(file) as archive:
            return "occurrence.csv" in archive.namelist() and SYSTEM in _member(archive, "eml.xml")
    except (OSError, zipfile.BadZipFile, KeyError, ValueError):
        return False


def _occurrence(
    encounter: int, photos: Sequence[PhotoRecord], species: Mapping[str, str | None], exact: bool
) -> dict[str, str]:
    first = photos[0]
    days = sorted({photo.taken_on for photo in photos if photo.taken_on is not None})
    placed = next((photo for photo in photos if photo.latitude is not None and photo.longitude is not None), None)
    row = dict.fromkeys(OCCURRENCE, "")
    row.update(
        occurrenceID=f"turtleidx:encounter:{encounter}",
        basisOfRecord="HumanObservation",
        eventDate="/".join(dict.fromkeys([days[0].isoformat(), days[-1].isoformat()])) if days else "",
        scientificName=species.get(first.turtle or "") or first.species or "Chelonioidea",
        organismID=first.turtle or "",
        individualCount="1",
        locality=first.site or "",
        recordedBy=" | ".join(sorted({photo.observer for photo in photos if photo.observer})),
        associatedMedia=" | ".join(Path(photo.path).name for photo in photos),
        identificationVerificationStatus="identified" if first.turtle else "unidentified",
    )
    if placed is not None and placed.latitude is not None and placed.longitude is not None:
        shown = [place if exact else round(place, COARSE_DEGREES) for place in (placed.latitude, placed.longitude)]
        row.update(decimalLatitude=str(shown[0]), decimalLongitude=str(shown[1]), geodeticDatum="WGS84")
        if not exact:
            row.update(coordinateUncertaintyInMeters=COARSE_METRES, dataGeneralizations="Rounded to 0.1 degree.")
    return row


def _identification(row: Row) -> dict[str, str]:
    number = row["occurrenceID"].rsplit(":", 1)[-1]
    made = dict.fromkeys(IDENTIFICATION, "")
    made.update(
        occurrenceID=row["occurrenceID"],
        identificationID=f"turtleidx:identification:{number}",
        scientificName=row["scientificName"],
        verbatimIdentification=row["organismID"],
    )
    return made


def _csv(columns: Sequence[str], rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    numbers = {"decimalLatitude", "decimalLongitude"}
    for row in rows:
        writer.writerow([row[name] if name in numbers else harmless(row[name]) for name in columns])
    return text.getvalue()


def _meta() -> str:
    def table(tag: str, row_type: str, file: str, columns: Sequence[str], key: str) -> str:
        fields = "".join(f'<field index="{n}" term="{TERMS}{name}"/>' for n, name in enumerate(columns))
        return (
            f'<{tag} encoding="UTF-8" fieldsTerminatedBy="," linesTerminatedBy="\\n" fieldsEnclosedBy="&quot;" '
            f'ignoreHeaderLines="1" rowType="{TERMS}{row_type}"><files><location>{file}</location></files>'
            f'<{key} index="0"/>{fields}</{tag}>'
        )

    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<archive xmlns="http://rs.tdwg.org/dwc/text/" metadata="eml.xml">'
        + table("core", "Occurrence", "occurrence.csv", OCCURRENCE, "id")
        + table("extension", "Identification", "identification.csv", IDENTIFICATION, "coreid")
        + "</archive>\n"
    )


def _eml(title: str) -> str:
    day = dt.datetime.now(dt.UTC).date().isoformat()
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<eml:eml xmlns:eml="https://eml.ecoinformatics.org/eml-2.2.0" '
        f'packageId="turtleidx-{day}" {SYSTEM}><dataset><title>{escape(title)}</title>'
        f"<pubDate>{day}</pubDate><abstract><para>Sea turtles identified from photographs.</para></abstract>"
        "</dataset></eml:eml>\n"
    )


def _member(archive: zipfile.ZipFile, name: str) -> str:
    if archive.getinfo(name).file_size > _LARGEST_MEMBER:
        raise ValueError(f"{name} is absurdly large")
    return archive.read(name).decode("utf-8")
