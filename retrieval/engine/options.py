"""What a user may choose of an engine, by name, and what stands for a choice that is not made."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from index.errors import RecipeMismatch
from index.types import Recipe
from retrieval.defaults import SHORTLIST, Heads
from retrieval.features import SiftExtractor
from retrieval.scoring import Score
from retrieval.weight_files import has_second_expert

NEAREST = "nearest"
BESIDE = f"+{NEAREST}"
"""Behind a network's name: its matches and nearest neighbours' together."""

OF_SIFT = f"turtle-sift{BESIDE}"
"""The bundled network, trained on SIFT's keypoints."""

IN_VIEWS = "+views"
"""Behind a matcher's name: SIFT looks at the query in several simulated views first."""

LIGHT, SECOND = f"{NEAREST}{IN_VIEWS}", "aliked"
TWO_EXPERTS = f"{SECOND}{IN_VIEWS}"
"""The recipes for SIFT's keypoints: without any network, or with the published second expert."""

LACKING = (
    "The second expert's weights are not there, so that photos from other angles are recognised less often: "
    f"`turtleidx weights fetch {SECOND}` gets them."
)

OF_ENCODER, OF_EXTRACTOR, LOFTR, LOMA, WILDFUSION = "encoder", "extractor", "loftr", "loma", "wildfusion"
"""Other systems, which look at working images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """What a user may choose; None takes the best that is at hand.

    Attributes
    ----------
    extractor : str or None
        ``aliked``, or with keypoints at most and longest side in pixels ``aliked-512-480``; None takes the
        catalogue's own, as this version of turtleidx computes it.
    encoder : str or None
        None takes the catalogue's own.
    encoder_weights, extractor_weights : Path or None
        Local checkpoints of a timm encoder and of a learned extractor.
    matcher : str or None
        ``nearest``, the name of bundled or published LightGlue weights, or a local file, the latter two also with
        ``+nearest`` behind, all for SIFT also with ``+views``; None takes the LightGlue that was published for the
        extractor's keypoints: for SIFT the second expert behind SIFT in several views, or these alone.
    verify : bool
        Whether geometrically inconsistent matches lose their confidence.
    device : str or None
        ``cpu``, ``cuda``, ``cuda:1``; None takes a GPU where there is one.
    heads : Heads
        What becomes of photos for which nobody gave a head box.
    head_finder : str, Path or None
        The name of a detector that is downloaded, or weights that `turtleidx train detector` wrote; None takes the
        bundled ones.
    masks : str or None
        The name of a segmenter that is downloaded: what is not the animal has no keypoints.
    """

    extractor: str | None = None
    encoder: str | None = None
    encoder_weights: Path | None = None
    matcher: str | None = None
    verify: bool = True
    device: str | None = None
    score: Score = Score.WASSERSTEIN
    shortlist: int = SHORTLIST
    extractor_weights: Path | None = None
    heads: Heads = Heads.WHOLE
    head_finder: str | Path | None = None
    masks: str | None = None


def default_matcher(extractor: str) -> str:
    """The matcher for an extractor's keypoints: but for SIFT's, its published LightGlue has the extractor's name."""
    family = family_of(extractor)
    if family != "sift":
        return family
    return TWO_EXPERTS if has_second_expert() else LIGHT


def chosen_matcher(options: EngineOptions, extractor: str) -> tuple[str, str | None]:
    """The matcher that the options name, else the best one at hand; and what is lacking, where it is not the best."""
    matcher = options.matcher or default_matcher(extractor)
    return matcher, LACKING if options.matcher is None and matcher == LIGHT else None


def looks_at_images(matcher: str) -> bool:
    """Whether this matcher looks at working images instead of the catalogue's keypoints: another system."""
    return matcher.partition(":")[0] in (OF_ENCODER, OF_EXTRACTOR, LOFTR, LOMA, WILDFUSION)


def score_of(matcher: str, score: Score) -> Score:
    """An embedding's similarity is one number, and is the score itself; so is that of a fusion with one."""
    return Score.CONFIDENCE_SUM if matcher.partition(":")[0] in (OF_ENCODER, WILDFUSION) else score


def is_viewed(matcher: str) -> bool:
    """Whether this matcher's first stage looks at the query in several views."""
    return matcher.endswith(IN_VIEWS)


def wanted_extractor(choice: str | None, recipe: Recipe | None) -> str:
    """A name without numbers means the catalogue's own extractor where that is of this kind."""
    if recipe is not None and choice in (None, family_of(recipe.extractor)):
        return re.sub(
            r"-v\d+$", "", recipe.extractor
        )  # an older one becomes this version's: `require` tells them apart
    return choice or SiftExtractor().id


def working_side(extractor: str) -> int:
    """Longest side in pixels of the working images of an extractor's id. Raises RecipeMismatch."""
    found = re.search(r"-\d+-(\d+)(-v\d+)?$", extractor)
    if found is None:
        raise RecipeMismatch(f"{extractor} does not say how large its working images are.")
    return int(found[1])


def family_of(extractor: str) -> str:
    return re.split(r"[#-]", extractor, maxsplit=1)[0]
