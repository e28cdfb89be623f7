"""`scripts/benchmark NAME ...`: one benchmark by name; without a name, the list of them."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Mapping
from importlib.util import find_spec

from index.errors import TurtleidxError

BENCHMARKS: Mapping[str, tuple[str, str]] = {
    "identification": (
        "identification.end_to_end",
        "top-1, AUROC, verdicts and seconds on a manifest with a role column",
    ),
    "systems": ("identification.systems", "other systems beside ours: embeddings, other keypoints, LoFTR, LoMa"),
    "fit": ("identification.fitting", "what a fit takes by the light and the default recipe, against another checkout"),
    "novelty": ("identification.novelty", "whether known or new is answered with the promised error rates"),
    "heads": ("detection.heads", "heads found in whole photographs: boxes, sides, cut-out heads left alone"),
    "clustering": (
        "identification.clustering",
        "encounters of an import resolved together, planted errors found again",
    ),
    "audit": ("identification.audit", "how long the audit of a catalogue takes, after a fit and without one"),
    "review": ("identification.review", "how long a person waits on the review page, in small and large catalogues"),
    "formats": ("identification.formats", "whether photos in other formats get the same answers"),
    "rotation": ("identification.rotation", "what turned photos lose"),
    "matchers": ("matching.matchers", "matchers on the same photos"),
    "cascade": ("matching.cascade", "what the cascade and bfloat16 lose"),
    "verdicts": ("matching.verdicts", "whether the cascade changes answers"),
    "network-sizes": ("matching.network_sizes", "LightGlue networks and their cuts, accuracy against time"),
    "rerank": ("matching.rerank", "speed of re-ranking against kornia, transformers and the field's tool"),
    "adaptation": ("matching.adaptation", "what a matcher gains that is trained on other turtles' photos"),
    "shortlist": ("indexing.shortlist", "how often an encoder shortlists the right turtle"),
    "vector-index": ("indexing.vector_index", "galleries of a thousand to a million vectors against other indexes"),
    "visual-words": ("indexing.visual_words", "catalogues of ten thousand to a million photos, searched by votes"),
    "enrollment": ("indexing.enrollment", "photos a second into a catalogue, by stage, and memory"),
    "faulty-rows": ("indexing.faulty_rows", "what faults on every tenth row of a table cost"),
    "start-up": ("indexing.start_up", "how long light commands take before they answer, against another checkout"),
    "cluster": ("indexing.cluster", "shards on Ray against the plain query, and enrolment by Ray's workers"),
    "registry": ("indexing.registry", "the registry with 100,000 turtles and a million photos"),
}
"""Names, their modules in this package, and what each measures."""

_NEEDS = {"vector-index": ("lancedb", "usearch"), "cluster": ("ray",)}


def main(arguments: list[str]) -> None:
    """Run the benchmark that the first argument names with the others; list them where it names none."""
    if not arguments or arguments[0] in ("-h", "--help"):
        width = max(map(len, BENCHMARKS))
        print("scripts/benchmark NAME [--quick] [--help] ...\n")
        print("\n".join(f"  {name:{width}}  {what}" for name, (_, what) in BENCHMARKS.items()))
        return
    name, rest = arguments[0], arguments[1:]
    if name not in BENCHMARKS:
        sys.exit(f"There is no benchmark {name!r}; there are {', '.join(BENCHMARKS)}.")
    if missing := [library for library in _NEEDS.get(name, ()) if find_spec(library) is None]:
        sys.exit(
            f"{name} compares with {' and '.join(missing)}: `.venv/bin/python -m pip install --group benchmark` first."
        )
    sys.argv = [f"scripts/benchmark {name}", *rest]
    try:
        runpy.run_module(f"benchmarks.{BENCHMARKS[name][0]}", run_name="__main__", alter_sys=True)
    except TurtleidxError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
