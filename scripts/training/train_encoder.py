"""Trains the bundled VLAD codebook and its whitened projection on drawn heads: retrieval/data/vlad-1.npz.

Two drawn photographs of each individual, many individuals of several species: the principal components span what varies
between photographs, and whitening keeps bursts of like scutes from drowning the rest.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import faiss
import numpy as np

from drawing.heads import draw_head
from index.errors import TooFewKeypoints
from index.types import Float32
from retrieval.descriptor import VladEncoder, aggregate
from retrieval.keypoints import SiftExtractor, rootsift

TARGET = Path(__file__).parents[2] / "retrieval" / "data" / "vlad-1.npz"


def describe(seed: int) -> Float32 | None:
    """RootSIFT of one drawn photograph, float32 [n, 128]; None when it has too few keypoints."""
    extractor = SiftExtractor()
    size = (extractor.long_side, extractor.long_side * 4 // 5)
    pixels = draw_head(individual=100_000 + seed // 2, photograph=2 * (seed % 2), size=size, species=seed // 2 % 7)
    try:
        return rootsift(extractor.extract(pixels).descriptors.astype(np.uint8, copy=False))
    except TooFewKeypoints:
        return None


def train(described: list[Float32], words: int, dimension: int, shrink: float, seed: int) -> VladEncoder:
    """k-means words, then principal components whitened by (variance + shrink * mean variance)^-1/2."""
    kmeans = faiss.Kmeans(described[0].shape[1], words, niter=25, seed=seed)
    kmeans.train(np.concatenate(described))
    codebook = np.asarray(kmeans.centroids, np.float32)
    raw = np.stack([aggregate(one, codebook) for one in described]).astype(np.float64)
    mean = raw.mean(axis=0)
    _, spread, axes = np.linalg.svd(raw - mean, full_matrices=False)
    variance = spread**2 / len(raw)
    scale = 1.0 / np.sqrt(variance[:dimension] + shrink * variance.mean())
    projection = axes[:dimension].T * (scale / scale.max())
    return VladEncoder(codebook, mean.astype(np.float32), projection.astype(np.float32), "vlad-1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=3000)
    parser.add_argument("--words", type=int, default=32)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--shrink", type=float, default=1.0, help="0 whitens fully; larger trusts the variances more")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args()
    with ProcessPoolExecutor() as pool:
        described = [one for one in pool.map(describe, range(options.photos), chunksize=20) if one is not None]
    encoder = train(described, options.words, options.dimension, options.shrink, options.seed)
    encoder.save(options.out)
    print(f"{options.out}: {options.words} words, {encoder.dimension} dimensions, {len(described)} photographs")


if __name__ == "__main__":
    main()
