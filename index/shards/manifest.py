"""What a folder of shards says about itself: of which catalogue they are, made how, and how many."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from index.catalog import Catalog
from index.errors import CatalogDamaged, CatalogMissing, CatalogTooNew, InputError, OutputTaken, RecipeMismatch
from index.files import replacing
from index.types import Recipe

NAME = "shards.json"
FORMAT = 1
RULE = "splitmix64-of-individual"
"""Which shard an individual is in: see `index.shards.assignment`."""


@dataclass(frozen=True, slots=True)
class ShardManifest:
    """The file shards.json of a folder of shards.

    Attributes
    ----------
    catalog : str
        Mark of the catalogue's first event, which backups and copies of it share.
    recipe : Recipe
        What made features and descriptors.
    shards : int
        How many there are.
    """

    catalog: str
    recipe: Recipe
    shards: int

    @classmethod
    def of(cls, catalog: Catalog, shards: int) -> ShardManifest:
        """That of a catalogue's shards."""
        return cls(identity(catalog), catalog.recipe, shards)

    @classmethod
    def read(cls, folder: Path) -> ShardManifest:
        """Read it. Raises CatalogMissing, CatalogTooNew, CatalogDamaged."""
        path = folder / NAME
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
            if said["format"] > FORMAT or said["rule"] != RULE:
                raise CatalogTooNew(f"{folder} was written by a newer turtleidx; update turtleidx.")
            return cls(str(said["catalog"]), Recipe(**said["recipe"]), int(said["shards"]))
        except FileNotFoundError:
            raise CatalogMissing(
                f"There are no shards in {folder}: `turtleidx shard --into FOLDER --shards N` makes them."
            ) from None
        except (ValueError, KeyError, TypeError) as error:
            raise CatalogDamaged(
                f"{path} cannot be read ({error}): `turtleidx shard --into FOLDER --shards N` writes it anew."
            ) from error

    def write(self, folder: Path) -> None:
        """Write it, whole or not at all. Raises StorageFull."""
        said = {"format": FORMAT, "rule": RULE, **asdict(self)}
        with replacing(folder / NAME) as temporary:
            temporary.write_text(json.dumps(said, indent=1), encoding="utf-8")

    def require(self, catalog: Catalog, folder: Path) -> None:
        """Raises InputError where the shards are another catalogue's, RecipeMismatch where another recipe made them."""
        if self.catalog != identity(catalog):
            raise InputError(f"The shards in {folder} are those of another catalogue than {catalog.path}.")
        if self.recipe != catalog.recipe:
            raise RecipeMismatch(
                f"The shards in {folder} were made with {self.recipe.extractor} and {self.recipe.encoder}, and the "
                f"catalogue with {catalog.recipe.extractor} and {catalog.recipe.encoder}: `turtleidx shard --into "
                "FOLDER` brings them up to date."
            )


def identity(catalog: Catalog) -> str:
    """What tells a catalogue from others: the mark of its first event."""
    with catalog.reading() as session:
        row = session.row("SELECT token FROM events ORDER BY id LIMIT 1")
    if row is None:
        raise CatalogDamaged(f"{catalog.path} does not say how it was made; restore a backup.")
    return str(row[0])


def refuse_foreign_folder(folder: Path) -> None:
    """Raises OutputTaken where shards would be put among other files."""
    if folder.exists() and not folder.is_dir():
        raise OutputTaken(f"{folder} is a file: name a folder for the shards.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / NAME).exists():
        raise OutputTaken(f"{folder} holds other files and no shards: name an empty folder, or one of shards.")
