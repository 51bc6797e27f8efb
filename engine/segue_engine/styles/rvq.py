# SPDX-License-Identifier: Apache-2.0
"""Residual vector quantiser of the starter's style space: 12 levels of 1,024 entries in the 34-d tag subspace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from safetensors.numpy import load_file, save_file

FloatArray = NDArray[np.float32]

LEVELS: Final = 12
ENTRIES: Final = 1024
_KEY: Final = "codebooks"


@dataclass(frozen=True)
class ResidualQuantiser:
    """Codebooks f32[levels, entries, width]; a vector is the sum of one entry of each level."""

    codebooks: FloatArray

    def __post_init__(self) -> None:
        if self.codebooks.ndim != 3 or self.codebooks.dtype != np.float32:
            raise ValueError(
                "codebooks: expected f32[levels, entries, width], "
                f"got {self.codebooks.dtype}{list(self.codebooks.shape)}"
            )

    def encode(self, vectors: ArrayLike) -> NDArray[np.int32]:
        """Greedy nearest entry of each level: f32[n, width] -> i32[n, levels]."""
        residual = np.array(vectors, np.float32)
        levels, _, width = self.codebooks.shape
        if residual.ndim != 2 or residual.shape[1] != width:
            raise ValueError(f"vectors: expected [n, {width}], got {list(residual.shape)}")
        codes = np.empty((len(residual), levels), np.int32)
        for level, book in enumerate(self.codebooks):
            codes[:, level] = _nearest(residual, book)
            residual -= book[codes[:, level]]
        return codes

    def decode(self, codes: ArrayLike) -> FloatArray:
        """Sum of entries: i32[..., k <= levels] -> f32[..., width]. Raises ValueError for a code out of range."""
        index = np.asarray(codes)
        levels, entries, width = self.codebooks.shape
        if index.shape[-1] > levels or (index.size and (index.min() < 0 or index.max() >= entries)):
            raise ValueError(f"codes: expected at most {levels} codes in 0..{entries - 1} each")
        out = np.zeros((*index.shape[:-1], width), np.float32)
        for level in range(index.shape[-1]):
            out += self.codebooks[level][index[..., level]]
        return out

    def save(self, path: Path) -> None:
        """Write as float16 safetensors; `fit` already rounds to float16, so that nothing is lost."""
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({_KEY: self.codebooks.astype(np.float16)}, path)
        path.chmod(0o644)  # the writer makes private files

    @staticmethod
    def load(path: Path) -> ResidualQuantiser:
        """Read what `save` wrote. Raises ValueError if the file holds something else."""
        tensors = load_file(path)
        if set(tensors) != {_KEY}:
            raise ValueError(f"{path.name}: expected one tensor {_KEY!r}, got {sorted(tensors)}")
        return ResidualQuantiser(tensors[_KEY].astype(np.float32))


def _nearest(vectors: FloatArray, book: FloatArray) -> NDArray[np.int64]:
    """Index of the nearest row of `book` by Euclidean distance, in chunks that stay in cache."""
    half = 0.5 * np.einsum("ij,ij->i", book, book)
    out = np.empty(len(vectors), np.int64)
    for begin in range(0, len(vectors), 2048):
        chunk = vectors[begin : begin + 2048]
        out[begin : begin + 2048] = np.argmax(chunk @ book.T - half, axis=1)
    return out


def fit(
    samples: ArrayLike,
    seed: int,
    levels: int = LEVELS,
    entries: int = ENTRIES,
    iterations: int = 8,
    progress: Callable[[int, int], None] | None = None,
) -> ResidualQuantiser:
    """Fit by Lloyd's algorithm on the residual, level by level; empty clusters are re-seeded from the data.

    `samples` f32[n, width] with n >= entries; `progress(done, total)` is called after each iteration. Entries are
    rounded to float16 before the next level is fitted, so that the stored codebooks reconstruct what was fitted.
    """
    residual = np.array(samples, np.float32)
    if residual.ndim != 2 or len(residual) < entries:
        raise ValueError(f"samples: expected at least {entries} rows, got shape {list(residual.shape)}")
    rng = np.random.default_rng(seed)
    width = residual.shape[1]
    books = np.empty((levels, entries, width), np.float32)
    for level in range(levels):
        book = residual[rng.choice(len(residual), entries, replace=False)].copy()
        for iteration in range(iterations):
            owner = _nearest(residual, book)
            counts = np.bincount(owner, minlength=entries)
            sums = np.stack([np.bincount(owner, residual[:, d], entries) for d in range(width)], axis=1)
            filled = counts > 0
            book[filled] = (sums[filled] / counts[filled, None]).astype(np.float32)
            book[~filled] = residual[rng.choice(len(residual), int((~filled).sum()))]
            if progress is not None:
                progress(level * iterations + iteration + 1, levels * iterations)
        books[level] = book.astype(np.float16).astype(np.float32)
        residual -= books[level][_nearest(residual, books[level])]
    return ResidualQuantiser(books)
