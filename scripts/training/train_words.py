"""Trains the bundled visual words on drawn heads: retrieval/data/asmk-1.npz.

Learns from the flocks that draw_flocks.py writes: photographs of drawn individuals of many species.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import faiss
import numpy as np

from index.signature import WORDS
from index.types import Float32
from retrieval.aggregated import BUNDLED_WORDS, SLOTS, AsmkEncoder
from retrieval.keypoints import rootsift

TARGET = Path(__file__).parents[2] / "retrieval" / "data" / f"{BUNDLED_WORDS}.npz"


def read_sample(folder: Path, keypoints: int, seed: int) -> Float32:
    """RootSIFT float32 [keypoints or fewer, 128], evenly from the strongest keypoints of all photographs."""
    paths = sorted(folder.glob("flock-*.npz"))
    rng = np.random.default_rng(seed)
    sample = []
    for path in paths:
        with np.load(path, allow_pickle=False) as flock:
            described = flock["descriptors"][:, :SLOTS].reshape(-1, 128)
        sample.append(described[rng.permutation(len(described))[: -(-keypoints // len(paths))]])
    return rootsift(np.concatenate(sample))


def train(described: Float32, words: int, rounds: int, seed: int) -> AsmkEncoder:
    """k-means words, and a random rotation."""
    kmeans = faiss.Kmeans(described.shape[1], words, niter=rounds, seed=seed, max_points_per_centroid=len(described))
    kmeans.train(described)
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(128, 128)))
    return AsmkEncoder(np.asarray(kmeans.centroids, np.float32), rotation.astype(np.float32), BUNDLED_WORDS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("flocks", type=Path, help="folder that draw_flocks.py wrote")
    parser.add_argument("--words", type=int, default=WORDS)
    parser.add_argument("--keypoints", type=int, default=400_000, help="how many to learn from")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args()
    described = read_sample(options.flocks, options.keypoints, options.seed)
    train(described, options.words, options.rounds, options.seed).save(options.out)
    print(f"{options.out}: {options.words} words from {len(described)} keypoints")


if __name__ == "__main__":
    main()
