# SPDX-License-Identifier: Apache-2.0
"""The judges of style: linear classifiers of the sixteen families, trained on what the composer plays.

One hears event tokens, one hears audio. Training takes seconds (tokens) or a minute (audio, which is rendered first),
so what was trained is kept, under a name that changes with everything it depends on.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segue_engine.styles.tags import FAMILIES

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class LinearClassifier:
    """Multinomial logistic regression on standardised features: weights f32[D, C], everything else f32[D] or [C]."""

    mean: FloatArray
    scale: FloatArray
    weights: FloatArray
    bias: FloatArray

    def predict(self, features: NDArray[np.floating]) -> NDArray[np.int64]:
        """Most likely class of each row of features [n, D]."""
        if features.ndim != 2 or features.shape[1] != len(self.mean):
            raise ValueError(f"features: expected [n, {len(self.mean)}], got {list(features.shape)}")
        logits = ((features - self.mean) / self.scale) @ self.weights + self.bias
        return np.asarray(logits.argmax(1), np.int64)


def fit(features: FloatArray, labels: NDArray[np.int64], classes: int, strength: float = 0.1) -> LinearClassifier:
    """Fit on features f32[n, D] and labels in 0..classes-1, at least two of which must occur."""
    from sklearn.linear_model import LogisticRegression

    mean = features.mean(0)
    # A feature that never moved in training must not shout when it does move.
    scale = np.maximum(features.std(0), 1e-2)
    machine = LogisticRegression(C=strength, max_iter=2000, tol=1e-4).fit((features - mean) / scale, labels)
    weights = np.zeros((features.shape[1], classes), np.float32)
    bias = np.full(classes, -1e9, np.float32)  # classes that never occurred are never chosen
    known = machine.classes_
    if len(known) == 2:  # one row of coefficients stands for both
        weights[:, known[1]], bias[known] = machine.coef_[0], (0.0, machine.intercept_[0])
    else:
        weights[:, known], bias[known] = machine.coef_.T, machine.intercept_
    return LinearClassifier(mean.astype(np.float32), scale.astype(np.float32), weights, bias)


@dataclass(frozen=True)
class Accuracy:
    """confusion int[C, C], rows the truth; share is the trace over the total, NaN without windows."""

    confusion: NDArray[np.int64]

    @property
    def share(self) -> float:
        total = int(self.confusion.sum())
        return float(np.trace(self.confusion)) / total if total else float("nan")

    def per_class(self) -> list[float]:
        """Share of each class's windows that were recognised, NaN where there are none."""
        totals = self.confusion.sum(1)
        return [float(self.confusion[i, i] / n) if n else float("nan") for i, n in enumerate(totals)]


def accuracy(judge: LinearClassifier, features: FloatArray, labels: NDArray[np.int64]) -> Accuracy:
    """How a judge sorts features f32[n, D] of known labels."""
    confusion = np.zeros((len(judge.bias), len(judge.bias)), np.int64)
    np.add.at(confusion, (labels, judge.predict(features)), 1)
    return Accuracy(confusion)


def family_vectors(families: Sequence[int]) -> FloatArray:
    """Unit style vectors f32[n, 34] of families by index."""
    from segue_engine.styles.tags import TAGS

    out = np.zeros((len(families), len(TAGS)), np.float32)
    for row, family in enumerate(families):
        if not 0 <= family < len(FAMILIES):
            raise ValueError(f"family: expected 0..{len(FAMILIES) - 1}, got {family}")
        out[row, family] = 1.0
    return out


def content_key(sources: Sequence[Path], settings: str) -> str:
    """Name of a trained judge: changes with any byte of the sources and with the settings."""
    digest = hashlib.sha256(settings.encode())
    for path in sources:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:24]


def cached(folder: Path | None, key: str, train: Callable[[], LinearClassifier]) -> LinearClassifier:
    """The judge kept under `key` in the folder, or a newly trained one, which is kept; None keeps nothing."""
    if folder is None:
        return train()
    path = folder / f"{key}.npz"
    kept = _load(path)
    if kept is None:
        kept = train()
        _save(path, kept)
    return kept


_FIELDS = ("mean", "scale", "weights", "bias")


def _load(path: Path) -> LinearClassifier | None:
    """None for a file that is missing or damaged: it is only a cache."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            parts = {name: np.asarray(stored[name], np.float32) for name in _FIELDS}
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None
    if parts["weights"].shape != (len(parts["mean"]), len(parts["bias"])):
        return None
    return LinearClassifier(**parts)


def _save(path: Path, judge: LinearClassifier) -> None:
    """Written beside and moved, so that a broken run leaves no half file; a full disk costs only the cache."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    except OSError:
        return
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **{field: getattr(judge, field) for field in _FIELDS})
        os.replace(name, path)
    except BaseException as failure:
        Path(name).unlink(missing_ok=True)
        if not isinstance(failure, OSError):
            raise
