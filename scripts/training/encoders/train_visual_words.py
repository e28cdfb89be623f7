"""Trains the bundled visual words on drawn heads: index/data/words-1.npz.

Learns from the flocks that draw_pairs.py writes: photographs of drawn individuals of many species. The bundled words
come from the first 313.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from index.types import Float32
from index.visual_words import Codebook
from retrieval.encoders import WORDS_ID
from retrieval.encoders.visual_words import SLOTS
from retrieval.features import rootsift

TARGET = Path(__file__).parents[3] / "index" / "data" / f"{WORDS_ID}.npz"


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("flocks", type=Path, help="folder that draw_pairs.py wrote")
    parser.add_argument("--keypoints", type=int, default=400_000, help="how many to learn from")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args()
    described = read_sample(options.flocks, options.keypoints, options.seed)
    Codebook.learnt(described, options.rounds, options.seed).save(options.out)
    print(f"{options.out}: learnt from {len(described)} keypoints")


if __name__ == "__main__":
    main()
