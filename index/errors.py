"""Everything that can go wrong, as one tree. Every message is one sentence that its reader can act on.

TurtleidxError
├── PhotoRefused              one photo; the rest of the batch goes on
│   ├── PhotoUnreadable       missing, empty, truncated, not an image
│   ├── PhotoTooLarge         more pixels than any camera makes (decompression bomb)
│   ├── TooFewKeypoints       nothing to compare: too small, too blurred, too dark
│   └── HeadNotFound          a whole photograph in which no head was found surely
├── InputError                what was asked for does not fit together
│   ├── ManifestError         no photo column, duplicate rows, unreadable values
│   ├── NoPhotos              a folder or pattern without one photo
│   ├── OutputTaken           a file is in the way that is not an earlier output of the same kind
│   └── UnknownRecord         a turtle, photo, encounter, query or event that is not there
├── CatalogError
│   ├── CatalogMissing        no catalogue at that path
│   ├── CatalogExists         there is one already
│   ├── CatalogBusy           another process is writing; the message names it
│   ├── CatalogReadOnly       may be read and not written, or lies on a drive that keeps no locks
│   ├── CatalogTooNew         made by a newer version of turtleidx
│   ├── CatalogDamaged        a store cannot be read
│   ├── RecipeMismatch        another extractor or encoder than the one that made the catalogue
│   └── StorageFull           the disk is full; nothing of the unfinished batch was kept
├── Conflict                  the change contradicts what the registry holds (a taken id, a later event)
├── WeightsError
│   ├── WeightsUnavailable    cannot be downloaded; the message says where to put the file by hand
│   └── WeightsCorrupt        wrong checksum, or not the network it should be
├── DeviceUnavailable         a GPU was asked for and there is none
└── ClusterUnavailable        Ray is not installed, does not answer, or its machines do not fit together
    └── ShardUnreachable      a machine that holds a part of the gallery does not answer
"""


class TurtleidxError(Exception):
    """Base of every error that turtleidx raises on purpose."""


class PhotoRefused(TurtleidxError):
    """This photo cannot be used; the others can."""


class PhotoUnreadable(PhotoRefused):
    """The file is missing, empty, truncated or not an image."""


class PhotoTooLarge(PhotoRefused):
    """The image claims more pixels than any camera makes."""


class TooFewKeypoints(PhotoRefused):
    """The photo has too few keypoints to be compared with anything."""


class HeadNotFound(PhotoRefused):
    """No head was found surely in the photo: a person says where it is."""


class InputError(TurtleidxError):
    """What was asked for does not fit together."""


class ManifestError(InputError):
    """The manifest cannot be used as it is."""


class NoPhotos(InputError):
    """There is no photo where photos were expected."""


class OutputTaken(InputError):
    """A file is in the way that is not an earlier output of the same kind."""


class UnknownRecord(InputError):
    """The turtle, photo, encounter, query or event is not in the registry."""


class CatalogError(TurtleidxError):
    """The catalogue as a whole cannot be used."""


class CatalogMissing(CatalogError):
    """There is no catalogue at that path."""


class CatalogExists(CatalogError):
    """There is a catalogue at that path already."""


class CatalogBusy(CatalogError):
    """Another process is writing to the catalogue."""


class CatalogReadOnly(CatalogError):
    """The catalogue may be read and not written, or its drive keeps no locks."""


class CatalogTooNew(CatalogError):
    """A newer version of turtleidx made the catalogue."""


class CatalogDamaged(CatalogError):
    """One of the stores cannot be read."""


class RecipeMismatch(CatalogError):
    """The catalogue was made with another extractor or encoder."""


class StorageFull(CatalogError):
    """The disk is full; nothing of the unfinished batch was kept."""


class Conflict(TurtleidxError):
    """The change contradicts what the registry holds."""


class WeightsError(TurtleidxError):
    """Weights cannot be used."""


class WeightsUnavailable(WeightsError):
    """Weights cannot be downloaded and are not at hand."""


class WeightsCorrupt(WeightsError):
    """Weights have the wrong checksum or belong to another network."""


class DeviceUnavailable(TurtleidxError):
    """A GPU was asked for and there is none."""


class ClusterUnavailable(TurtleidxError):
    """Ray is not installed, does not answer, or its machines do not fit together."""


class ShardUnreachable(ClusterUnavailable):
    """A machine that holds a part of the gallery does not answer.

    Attributes
    ----------
    shards : frozenset of int
        Their numbers.
    """

    def __init__(self, message: str, shards: frozenset[int] = frozenset()) -> None:
        super().__init__(message)
        self.shards = shards
