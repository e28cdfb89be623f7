"""Names of a table's columns, also those that are nearly right, and words that stand for nothing."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from index.errors import ManifestError
from index.naming import composed

TEXT_COLUMNS = ("turtle", "encounter", "species", "site", "observer")
BOX_COLUMNS = ("x", "y", "w", "h")
NUMBER_COLUMNS = frozenset({"latitude", "longitude", *BOX_COLUMNS})
KNOWN_COLUMNS = frozenset({"photo", "side", "taken_on", "latitude", "longitude", "role", *TEXT_COLUMNS, *BOX_COLUMNS})

_NEAR: Mapping[str, frozenset[str]] = {
    "photo": frozenset({"path", "file", "filename", "filepath", "image", "imagepath", "imagefile", "picture"})
    | {"photopath", "photofile", "photoname", "photos", "imagename", "img"},
    "turtle": frozenset({"turtleid", "identity", "individual", "individualid", "animalid", "turtlename", "turtles"}),
    "taken_on": frozenset({"date", "takenon", "datetaken", "taken", "photodate", "datetime", "capturedate"})
    | {"datetimeoriginal", "eventdate", "sightingdate", "dateoriginal"},
    "side": frozenset({"orientation", "headside", "sideofhead", "viewpoint", "profileside", "sides"}),
    "latitude": frozenset({"lat", "decimallatitude", "gpslatitude", "latitudes"}),
    "longitude": frozenset({"long", "lon", "lng", "decimallongitude", "gpslongitude", "longitudes"}),
    "site": frozenset({"sitename", "locality", "location", "beach", "sites"}),
    "observer": frozenset({"photographer", "observername", "recordedby", "observers"}),
    "encounter": frozenset({"encounterid", "encountername", "encounters"}),
    "species": frozenset({"scientificname", "speciesname"}),
    "x": frozenset({"boxx", "bboxx", "headx"}),
    "y": frozenset({"boxy", "bboxy", "heady"}),
    "w": frozenset({"boxw", "bboxw", "headw"}),
    "h": frozenset({"boxh", "bboxh", "headh"}),
}

_NOTHING = frozenset(
    {"", "na", "n/a", "n.a.", "n. a.", "#n/a", "nan", "null", "none", "nil", "unknown", "unk", "unidentified"}
    | {"?", "??", "???", "-", "--", "---", "–", "—", ".", "<na>", "(unknown)", "no id", "not identified"}
)

_ERROR = re.compile(r"#[¡¿]?[^\W\d_][^\W_]*(?:/0)? ?[!?]|Err:\d{3}")


def normal(text: str) -> str:
    """Text in the one form of Unicode that names are compared in, without blanks at the ends."""
    return composed(text).strip()


def is_nothing(text: str) -> bool:
    """Whether a cell or a folder's name says that nothing is known."""
    return text.strip().lower() in _NOTHING


def is_error(text: str) -> bool:
    """Whether a cell holds what a spreadsheet shows where a formula failed, in its language: #REF!, #BEZUG!."""
    return _ERROR.fullmatch(text) is not None and (text.upper() == text or text.startswith("Err"))


def meant(column: str, text: str) -> str:
    """A cell; empty for words that stand for nothing, where the column is a known one."""
    plain = normal(text)
    if column not in KNOWN_COLUMNS or column in ("photo", "role"):
        return plain
    if column in NUMBER_COLUMNS and plain.lower() == "nan":  # more often a failed sum than nothing
        return plain
    return "" if plain.lower() in _NOTHING else plain


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table.

    Attributes
    ----------
    names : tuple of str
        As they are used: in lower case, known names in the place of those that are nearly known.
    remarks : tuple of str
        Sentences about columns that were taken for others, and about those that are only kept as notes.
    """

    names: tuple[str, ...]
    remarks: tuple[str, ...]


def recognised(path: Path, header: Sequence[str], needed: Mapping[str, str], others: Collection[str] = ()) -> Columns:
    """The columns that a header names. Raises ManifestError where one is missing or there twice.

    Parameters
    ----------
    needed : mapping
        Columns that must be there, and how the sentence goes on that says that one is not.
    others : collection of str
        Further known names, which need no telling.
    """
    written = [normal(name).lower() for name in header]
    given = [name for name in written if name]
    if len(set(given)) < len(given):
        raise ManifestError(f"{path} has two columns of one name: {', '.join(given)}.")
    taken = _taken(path, given)
    names = tuple(taken.get(name, name) for name in written)
    for name, consequence in needed.items():
        if name not in names:
            there = ", ".join(given) or "none"
            raise ManifestError(f"{path} has no column named {name}{consequence} (its columns: {there}).")
    remarks = [f"{path}: the column {near} is taken for {known}." for near, known in taken.items()]
    known = KNOWN_COLUMNS.union(others)
    noted = [name for name in names if name and name not in known]
    if noted:
        remarks.append(f"{path}: {', '.join(noted)} {'is' if len(noted) == 1 else 'are'} kept as notes only.")
    return Columns(names, tuple(remarks))


def _taken(path: Path, given: Sequence[str]) -> dict[str, str]:
    """Columns that are nearly known ones, where those are not there themselves."""
    found: dict[str, list[str]] = {}
    for name in given:
        plain = re.sub(r"[\s_\-.]+", "", name)
        for known, near in _NEAR.items():
            if name not in KNOWN_COLUMNS and known not in given and (plain in near or plain == known):
                found.setdefault(known, []).append(name)
    for known, names in found.items():
        if len(names) > 1:
            raise ManifestError(
                f"{path} has no column named {known}, and both {names[0]} and {names[1]} could be it: rename one."
            )
    return {names[0]: known for known, names in found.items()}
