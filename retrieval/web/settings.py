"""What people set on the page: for the whole catalogue, and for themselves."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from index.catalog import Catalog
from index.errors import InputError

if TYPE_CHECKING:
    from retrieval.novelty import DecisionPolicy

SETTING = "review"
LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class ReviewSettings:
    """For all who review a catalogue.

    Attributes
    ----------
    prior_new, false_known, misidentified, false_new : float
        As for `turtleidx query`.
    blind : bool
        Two names must give the same answer before it takes effect.
    check_my_eye : bool
        Every twentieth group is a planted pair whose turtle is known.
    """

    prior_new: float = 0.5
    false_known: float = 0.01
    misidentified: float = 0.01
    false_new: float = 0.05
    blind: bool = False
    check_my_eye: bool = False

    @property
    def policy(self) -> DecisionPolicy:
        """The terms on which verdicts are given."""
        from retrieval.novelty import DecisionPolicy, Rates  # what computes verdicts takes a while to import

        return DecisionPolicy(self.prior_new, Rates(self.false_known, self.misidentified, self.false_new))

    def checked(self) -> ReviewSettings:
        """The same. Raises InputError for shares that are none."""
        for name in ("prior_new", "false_known", "misidentified", "false_new"):
            most = 0.999 if name == "prior_new" else 0.5
            if not 0.0001 <= getattr(self, name) <= most:
                raise InputError(f"{name.replace('_', ' ')} must lie between 0.0001 and {most:g}.")
        return self


def load_settings(catalog: Catalog) -> ReviewSettings:
    """The catalogue's, or what holds without any; what this version does not know is left alone."""
    text = catalog.setting(SETTING)
    known = {one.name for one in fields(ReviewSettings)}
    try:
        values = {} if text is None else json.loads(text)
        return ReviewSettings(**{name: value for name, value in values.items() if name in known}).checked()
    except (ValueError, TypeError, InputError):
        return ReviewSettings()


def save_settings(catalog: Catalog, settings: ReviewSettings, who: str) -> None:
    """Keep them, as one event. Raises InputError, CatalogBusy."""
    catalog.set_setting(SETTING, json.dumps(asdict(settings.checked())), who)


def checked_name(name: str) -> str:
    """A person's name as it may stand in the history. Raises InputError."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise InputError(f"A name has 1 to {LONGEST_NAME} printable characters.")
    return name
