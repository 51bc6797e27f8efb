# SPDX-License-Identifier: Apache-2.0
"""Embeddings kept on disk: one small file each, so that a slow style encoder hears every prompt once."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import EMBEDDING_WIDTH, EmbeddedPrompts, Prompt, StyleEncoder

FloatArray = NDArray[np.float32]

_log = logging.getLogger(__name__)

_SUFFIX: Final = ".embedding"
_PARTIAL: Final = ".partial"
_ABANDONED: Final = 3_600.0
"""Seconds after which a partial file belongs to a process that died."""
_DIGEST: Final = 32
_ROW: Final = 4 * EMBEDDING_WIDTH
MAX_NOTE: Final = 4_096


class FingerprintedStyleEncoder(StyleEncoder, Protocol):
    """A style encoder that can say whether two of its kind would embed alike."""

    def fingerprint(self, prompt: Prompt) -> str:
        """Names all that the prompt's embedding depends on, the prompt itself aside: weights and settings."""
        ...


class EmbeddingCache:
    """Embeddings by key in a folder, the least recently used ones removed beyond a size. Any thread, many processes.

    A file is its SHA-256 (with the key), the embedding f32[768] little-endian and the note; one that doesn't add up is
    as good as absent. Files appear whole, by renaming. A folder that can't be written costs a warning, never a prompt.
    """

    def __init__(self, folder: Path | None = None, limit_bytes: int = 32 << 20) -> None:
        if limit_bytes < 1:
            raise ValueError(f"limit_bytes: expected at least 1, got {limit_bytes}")
        self.folder = default_folder() if folder is None else folder
        self.limit_bytes = limit_bytes
        self._warned = threading.Event()

    def get(self, key: str) -> tuple[FloatArray, str] | None:
        """The embedding and note of a key (letters, digits, "-" and "_"), or None."""
        path = self._path(key)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        digest, body = content[:_DIGEST], content[_DIGEST:]
        if len(body) < _ROW or digest != _digest(key, body):
            return None
        with contextlib.suppress(OSError):  # gone again, or not ours to touch
            os.utime(path)
        row = np.frombuffer(body[:_ROW], "<f4").astype(np.float32)
        return row, body[_ROW:].decode()

    def put(self, key: str, embedding: FloatArray, note: str = "") -> None:
        """Keep an embedding f32[768] and a note; a note of more than 4,096 characters is cut."""
        row = np.asarray(embedding, "<f4")
        if row.shape != (EMBEDDING_WIDTH,):
            raise ValueError(f"embedding: expected [{EMBEDDING_WIDTH}], got {list(row.shape)}")
        body = row.tobytes() + note[:MAX_NOTE].encode(errors="replace")
        path = self._path(key)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write(path, _digest(key, body) + body)
            self._evict()
        except OSError as error:
            if not self._warned.is_set():
                self._warned.set()
                _log.warning("style embeddings are not kept on disk: %s", error)

    def clear(self) -> None:
        """Remove every entry; files of other kinds stay."""
        for _, _, path in self._entries():
            path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        if not key or not key.replace("-", "").replace("_", "").isalnum() or not key.isascii():
            raise ValueError(f"key: expected letters, digits, '-' and '_', got {key!r}")
        return self.folder / f"{key}{_SUFFIX}"

    def _entries(self) -> list[tuple[float, int, Path]]:
        """Time of last use, bytes and path of each entry; others may be adding and removing meanwhile."""
        found = []
        try:
            with os.scandir(self.folder) as listing:
                for item in listing:
                    if not item.name.endswith((_SUFFIX, _PARTIAL)):
                        continue
                    try:
                        status = item.stat(follow_symlinks=False)
                    except OSError:
                        continue
                    if item.name.endswith(_SUFFIX):
                        found.append((status.st_mtime, status.st_size, Path(item.path)))
                    elif status.st_mtime < time.time() - _ABANDONED:
                        Path(item.path).unlink(missing_ok=True)
        except FileNotFoundError:
            return []
        return found

    def _evict(self) -> None:
        entries = self._entries()
        excess = sum(size for _, size, _ in entries) - self.limit_bytes
        if excess <= 0:
            return
        for _, size, path in sorted(entries):
            path.unlink(missing_ok=True)
            excess -= size
            if excess <= 0:
                return


class CachedStyleEncoder:
    """A style encoder that looks prompts up before it embeds them. As thread-safe as the encoder that it wraps."""

    def __init__(self, encoder: FingerprintedStyleEncoder, cache: EmbeddingCache | None = None) -> None:
        self.encoder = encoder
        self.cache = EmbeddingCache() if cache is None else cache

    @property
    def name(self) -> str:
        return self.encoder.name

    @property
    def takes_audio(self) -> bool:
        return self.encoder.takes_audio

    def embed(self, prompts: Sequence[Prompt]) -> EmbeddedPrompts:
        """As the encoder embeds them, bit for bit, whether found or made now.

        One at a time, so that a prompt which is refused costs nothing of what was done before it; equal ones once.
        """
        known: dict[str, tuple[FloatArray, str]] = {}
        pairs = []
        for prompt in prompts:
            key = self._key(prompt)
            if key not in known:
                known[key] = self.cache.get(key) or self._embed(key, prompt)
            pairs.append(known[key])
        rows = np.stack([row for row, _ in pairs]) if pairs else np.zeros((0, EMBEDDING_WIDTH), np.float32)
        return EmbeddedPrompts(rows, tuple(note for _, note in pairs))

    def blend(self, embeddings: FloatArray, weights: FloatArray) -> FloatArray:
        """As the encoder blends."""
        return self.encoder.blend(embeddings, weights)

    def quantise(self, embeddings: FloatArray) -> NDArray[np.int32]:
        """As the encoder quantises."""
        return self.encoder.quantise(embeddings)

    def _embed(self, key: str, prompt: Prompt) -> tuple[FloatArray, str]:
        embedded = self.encoder.embed([prompt])
        row, note = embedded.embeddings[0], embedded.notes[0]
        self.cache.put(key, row, note)
        return row, note

    def _key(self, prompt: Prompt) -> str:
        hashed = hashlib.sha256()
        for part in _parts(prompt):
            hashed.update(len(part).to_bytes(8, "little") + part)
        hashed.update(self.encoder.fingerprint(prompt).encode())
        return hashed.hexdigest()


def default_folder() -> Path:
    """Where embeddings are kept unless told otherwise: `styles` in the user's cache of Segue."""
    from platformdirs import user_cache_path

    return user_cache_path("segue") / "styles"


def _parts(prompt: Prompt) -> list[bytes]:
    """What tells prompts apart. Nothing is normalised: which texts are alike is the encoder's business."""
    text = b"" if prompt.text is None else prompt.text.encode("utf-8", "surrogatepass")
    if prompt.audio is None:
        return [b"text", text]
    audio = np.ascontiguousarray(prompt.audio)
    return [b"audio", text, f"{audio.dtype.str}{audio.shape}{prompt.sample_rate}".encode(), audio.tobytes()]


def _digest(key: str, body: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\0" + body).digest()


def _write(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(_PARTIAL, dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
