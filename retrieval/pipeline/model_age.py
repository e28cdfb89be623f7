"""Whether the gallery has outgrown the model that was fitted on it."""

from __future__ import annotations

from index.catalog import Catalog
from retrieval.novelty import MODEL, CatalogModel

GROWTH = 0.1
"""Share of the gallery that may have come since the fit before that is said."""


def outgrown(catalog: Catalog, recipe: str | None = None) -> str | None:
    """A sentence for the user where more than a tenth of the identified photos came after the fit; else None."""
    stored = catalog.model(MODEL, recipe)
    if stored is None:
        return None
    model = CatalogModel.from_json(stored.payload)
    now = catalog.identified()
    came = now - model.photos
    if model.novelty is None or came <= GROWTH * now:
        return None
    return (
        f"The model knows {model.photos} of the {now} identified photos: `turtleidx fit` learns from the {came} that "
        "came since."
    )
