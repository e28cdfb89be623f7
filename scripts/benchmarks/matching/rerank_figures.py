"""What `benchmarks.matching.rerank` measured, combination by combination, and the figures that are made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from rich.table import Table

from benchmarks.matching.implementations import FIELD, KORNIA, OURS, Way
from retrieval.matching.lightglue.config import LightGlueConfig

HEADLINE = {"cpu": (512, 100), "cuda": (1024, 1000)}
"""Keypoints and candidates of the headline figures, where they were measured."""
FIGURES = (
    "cpu_vs_kornia_no_exit",
    "cpu_vs_fastest_no_exit",
    "cpu_vs_kornia_full",
    "gpu_vs_field",
    "gpu_vs_kornia_no_exit",
    "gpu_matrix_share",
    "gpu_vs_kornia_full",
    "max_score_difference",
    "max_score_difference_as_used",
    "query_10k_warm_s",
    "query_10k_cold_s",
    "query_100k_s",
)
"""Those that every run's last line has."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One measured combination; `ways` ends with ours, in float32 and where that is fast in bfloat16."""

    network: str
    config: LightGlueConfig
    keypoints: int
    candidates: int
    ways: tuple[Way, ...]

    @property
    def kornia(self) -> Way:
        """Its fastest batches; pair by pair where a shortlist is too short for batches."""
        own = [way for way in self.ways if way.name.startswith(KORNIA)]
        return max(own, key=lambda way: (way.batch > 1, way.rate))

    def speedup(self, other: Way | None = None) -> float:
        """Ours against `other`, or against the fastest of all others."""
        return self.ways[-1].rate / (other.rate if other else max(way.rate for way in self.others))

    @property
    def others(self) -> list[Way]:
        return [way for way in self.ways if not way.name.startswith(OURS)]

    def difference(self, ours: Way) -> float:
        """Largest difference of a pair's mean confidence between `ours` and any of the others."""
        mine = [float(one.confidence.mean()) for one in ours.found]
        means = [[float(one.confidence.mean()) for one in way.found] for way in self.others]
        return max(abs(a - b) for other in means for a, b in zip(other, mine, strict=False))

    def operations(self) -> float:
        """Floating-point operations of a pair in the layers, as the plain network needs them."""
        d, n = self.config.descriptor_dim, self.keypoints
        return 2.0 * 2 * n * self.config.n_layers * (19 * d * d + 4 * n * d)


def table(cells: Sequence[Cell], rate: float) -> Table:
    shown = Table("network", "keypoints", "candidates", "way", "pairs measured", "pairs/s", "share of the limit")
    for cell in cells:
        for way in cell.ways:
            numbers = (way.pairs, way.rate, way.rate * cell.operations() / rate)
            shown.add_row(
                cell.network,
                str(cell.keypoints),
                str(cell.candidates),
                way.name,
                f"{numbers[0]}",
                f"{numbers[1]:.2f}",
                f"{numbers[2]:.0%}",
            )
    return shown


def named(cells: Sequence[Cell], network: str, device: torch.device) -> Cell:
    own = [cell for cell in cells if cell.network == network]
    return next((cell for cell in own if (cell.keypoints, cell.candidates) == HEADLINE[device.type]), own[0])


def headline(cells: Sequence[Cell], rate: float, device: torch.device) -> dict[str, float | None]:
    """What is asked of the engine alone; names say which device it was measured on."""
    cell = named(cells, "published size", device)
    figures: dict[str, float | None] = {
        "max_score_difference": max(one.difference(one.ways[len(one.others)]) for one in cells),
        "max_score_difference_as_used": max(one.difference(one.ways[-1]) for one in cells),
    }
    if device.type == "cpu":
        return figures | {
            "cpu_vs_kornia_no_exit": cell.speedup(cell.kornia),
            "cpu_vs_fastest_no_exit": cell.speedup(),
        }
    return figures | {
        "gpu_vs_field": cell.speedup(next(way for way in cell.ways if way.name == FIELD)),
        "gpu_vs_kornia_no_exit": cell.speedup(cell.kornia),
        "gpu_matrix_share": cell.ways[-1].rate * cell.operations() / rate,
    }
