"""Trains the bundled VLAD codebook and its projection on drawn heads: retrieval/data/vlad-1.npz.

Learns from the flocks that draw_pairs.py writes: photographs of drawn individuals of many species. The principal
components span what varies between photographs. Whitening is partial, because what varies little among drawn heads may
vary much among real ones.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import faiss
import numpy as np
from scipy.linalg import eigh

from index.types import Float32
from retrieval.encoders import VladEncoder
from retrieval.encoders.vlad import aggregate
from retrieval.features import rootsift

TARGET = Path(__file__).parents[3] / "retrieval" / "data" / "vlad-1.npz"
SAMPLE = 8
"""Every so many-th keypoint goes into k-means."""


def read_flocks(folder: Path) -> list[Float32]:
    """RootSIFT of every photograph, float32 [n, 128] each."""
    described: list[Float32] = []
    for path in sorted(folder.glob("flock-*.npz")):
        with np.load(path, allow_pickle=False) as flock:
            described += [rootsift(photograph) for photograph in flock["descriptors"]]
    return described


def train(described: Sequence[Float32], words: int, dimension: int, whitening: float, seed: int) -> VladEncoder:
    """k-means words, then principal components scaled by variance^(-whitening/2)."""
    kmeans = faiss.Kmeans(described[0].shape[1], words, niter=25, seed=seed)
    kmeans.train(np.concatenate([one[::SAMPLE] for one in described]))
    codebook = np.asarray(kmeans.centroids, np.float32)
    raw = np.stack([aggregate(one, codebook) for one in described])
    mean = raw.mean(axis=0)
    raw -= mean
    size = len(mean)
    variance, axes = eigh(raw.T @ raw / len(raw), subset_by_index=(size - dimension, size - 1))
    scale = variance[::-1] ** (-whitening / 2)
    projection = axes[:, ::-1] * (scale / scale.max())
    return VladEncoder(codebook, mean, projection.astype(np.float32), "vlad-1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("flocks", type=Path, help="folder that draw_pairs.py wrote")
    parser.add_argument("--words", type=int, default=32)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--whitening", type=float, default=0.5, help="0 keeps the variances, 1 evens them out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args()
    described = read_flocks(options.flocks)
    encoder = train(described, options.words, options.dimension, options.whitening, options.seed)
    encoder.save(options.out)
    print(f"{options.out}: {options.words} words, {encoder.dimension} dimensions, {len(described)} photographs")


if __name__ == "__main__":
    main()
