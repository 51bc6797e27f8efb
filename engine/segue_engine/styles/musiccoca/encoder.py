# SPDX-License-Identifier: Apache-2.0
"""MusicCoCa: text and audio prompts in one 768-d space, weighted means of them, and their 12 style codes."""

from __future__ import annotations

import hashlib
import importlib
import logging
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segue_engine.contract import (
    EMBEDDING_WIDTH,
    MASKED,
    STYLE_CODES,
    STYLE_LEVELS,
    EmbeddedPrompts,
    Prompt,
    PromptError,
)
from segue_engine.styles.musiccoca import files
from segue_engine.styles.musiccoca.audio import CLIP, RESAMPLER, clips
from segue_engine.styles.musiccoca.errors import MissingFileError, MusicCoCaError
from segue_engine.styles.musiccoca.graph import Graph, Port
from segue_engine.styles.musiccoca.settings import MusicCoCaSettings
from segue_engine.styles.musiccoca.text import PLACES, Tokeniser

FloatArray = NDArray[np.float32]

_log = logging.getLogger(__name__)


class MusicCoCa:
    """Style encoder over the files in a folder `resources/musiccoca`; each is loaded when it is first needed.

    Any thread may call any method: each LiteRT file has a lock of its own (see `Graph`), and nothing else changes.
    Embedding is slow, and audio is slower than text by its length in clips: keep embeddings (`CachedStyleEncoder`).

    Raises MusicCoCaError if the extra `musiccoca` is not installed or a file that every prompt needs is missing; the
    files for audio are asked for by the first audio prompt.
    """

    def __init__(self, folder: Path, settings: MusicCoCaSettings | None = None) -> None:
        settings = settings or MusicCoCaSettings()
        require_packages()
        folder = Path(folder)
        required = [*files.TEXT_FILES, files.QUANTISER]
        if settings.mapper == "on":
            required.append(files.MAPPER)
        files.require(folder, required)
        self.folder, self.settings = folder, settings
        self.maps_text = settings.mapper == "on" or (settings.mapper == "auto" and (folder / files.MAPPER).is_file())
        """Whether text goes through the mapper; fixed from construction on."""
        self._synthetic = files.is_synthetic(folder)
        self._tokeniser = Tokeniser(folder / files.VOCABULARY, settings.max_text)
        floats, embedding = ("float32",), Port("embedding", ("float32",), EMBEDDING_WIDTH)

        def graph(name: str, what: str, inputs: Sequence[Port], output: Port) -> Graph:
            return Graph(folder / name, what, inputs, output, settings.threads)

        tokens = Port("token ids", ("int32",), PLACES), Port("paddings", floats, PLACES)
        self._text = graph(files.TEXT_ENCODER, "text encoder", tokens, embedding)
        self._mapper = graph(files.MAPPER, "mapper", (embedding, Port("noise", floats, EMBEDDING_WIDTH)), embedding)
        samples = Port("samples of 10 s at 16 kHz", floats, CLIP)
        self._preprocessor = graph(files.AUDIO_PREPROCESSOR, "audio preprocessor", (samples,), Port("features", floats))
        self._music = graph(files.MUSIC_ENCODER, "music encoder", (Port("features", floats),), embedding)
        codes = Port("style codes", ("int32", "int64"), STYLE_LEVELS, more=True)
        self._quantiser = graph(files.QUANTISER, "vector quantizer", (embedding,), codes)
        noise = np.random.RandomState(settings.mapper_seed).randn(EMBEDDING_WIDTH)
        self._noise: FloatArray = noise.astype(np.float32)
        self._hashes: dict[str, str] = {}
        self._hashing = threading.Lock()
        _log.info("MusicCoCa in %s: text is embedded %s", folder, self._path_of_text())

    @property
    def name(self) -> str:
        """Says how text is embedded, because its codes depend on it: "musiccoca" or "musiccoca+mapper"."""
        return f"musiccoca{'-synthetic' * self._synthetic}{'+mapper' * self.maps_text}"

    @property
    def takes_audio(self) -> bool:
        """Whether the files for audio are here."""
        return not files.missing(self.folder, files.AUDIO_FILES)

    def load(self, *, audio: bool = True) -> None:
        """Load and check every file that prompts will need, so that the first prompt needn't. Raises MusicCoCaError."""
        self._tokeniser.load()
        for graph in (self._text, self._quantiser, *((self._mapper,) * self.maps_text)):
            graph.load()
        if audio:
            self._load_audio()

    def embed(self, prompts: Sequence[Prompt]) -> EmbeddedPrompts:
        """f32[n, 768] as the files give it, not renormalised (but for the mapper's, which is of unit length).

        A prompt's note names unknown characters and says where a long text was cut. Raises PromptError for a prompt
        that can't be embedded, MusicCoCaError for a file that is damaged.
        """
        embedded = [self._embed(prompt) for prompt in prompts]
        rows = np.stack([row for row, _ in embedded]) if embedded else np.zeros((0, EMBEDDING_WIDTH), np.float32)
        return EmbeddedPrompts(rows, tuple(note for _, note in embedded))

    def blend(self, embeddings: ArrayLike, weights: ArrayLike) -> FloatArray:
        """Weighted mean f32[768] of f32[n, 768] under weights f32[n], which count by their ratios; not renormalised.

        Embeddings of weight 0 are not looked at. Raises PromptError for weights that are negative, not finite or all
        zero, ValueError for shapes that differ and embeddings that are not finite.
        """
        rows, by = np.asarray(embeddings, np.float64), np.asarray(weights, np.float64)
        if rows.ndim != 2 or rows.shape[1] != EMBEDDING_WIDTH or by.shape != rows.shape[:1]:
            expected = f"[n, {EMBEDDING_WIDTH}] and [n]"
            raise ValueError(f"blend: expected {expected}, got {list(rows.shape)} and {list(by.shape)}")
        if not (np.isfinite(by).all() and (by >= 0.0).all() and by.any()):
            raise PromptError(f"weights: expected finite numbers, none negative and one above 0, got {by.tolist()}")
        rows, by = rows[by > 0.0], by[by > 0.0] / by.max()
        _check_finite(rows)
        return np.asarray((by / by.sum()) @ rows, np.float32)

    def quantise(self, embeddings: ArrayLike) -> NDArray[np.int32]:
        """f32[n, 768] → i32[n, 12] of 0..1023; levels past the setting `style_levels` are MASKED. One at a time.

        Raises ValueError for another shape or embeddings that are not finite, MusicCoCaError for a damaged file.
        """
        rows = np.asarray(embeddings, np.float32)
        if rows.ndim != 2 or rows.shape[1] != EMBEDDING_WIDTH:
            raise ValueError(f"embeddings: expected [n, {EMBEDDING_WIDTH}], got {list(rows.shape)}")
        _check_finite(rows)
        used = self.settings.style_levels
        codes = np.full((len(rows), STYLE_LEVELS), MASKED, np.int32)
        for place, row in enumerate(rows):
            found = self._quantiser.run(row)[:used]
            if found.min() < 0 or found.max() >= STYLE_CODES:
                expected = f"style codes of 0..{STYLE_CODES - 1}"
                raise MusicCoCaError(f"{self._quantiser.path}: expected {expected}, found {found.tolist()}")
            codes[place, :used] = found
        return codes

    def fingerprint(self, prompt: Prompt) -> str:
        """Hexadecimal SHA-256 over all that the embedding of such a prompt depends on, the prompt itself aside.

        That is the content of the files it goes through, and settings. Reads each file once per process.
        """
        if prompt.text is not None:
            names = (*files.TEXT_FILES, *((files.MAPPER,) * self.maps_text))
            settings = f"mapper {self.settings.mapper_seed}" if self.maps_text else "no mapper"
        else:
            names, settings = files.AUDIO_FILES, f"{RESAMPLER} {CLIP}"
        parts = ["musiccoca 1", settings, *(f"{name} {self._hash(name)}" for name in names)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _embed(self, prompt: Prompt) -> tuple[FloatArray, str]:
        if (prompt.text is None) == (prompt.audio is None):
            raise PromptError("prompt: expected either text or audio")
        if prompt.text is not None:
            return self._embed_text(prompt.text)
        return self._embed_audio(prompt), ""

    def _embed_text(self, text: str) -> tuple[FloatArray, str]:
        tokens = self._tokeniser.encode(text)
        row = self._text.run(tokens.ids, tokens.paddings)
        if self.maps_text:
            row = self._mapper.run(row, self._noise)
            row = row / np.float32(max(float(np.linalg.norm(row)), 1e-12))
        if not np.isfinite(row).all():
            at_fault = self._mapper if self.maps_text else self._text
            raise MusicCoCaError(f"{at_fault.path}: expected a finite embedding of {text!r}, found one that is not")
        return row, tokens.note

    def _embed_audio(self, prompt: Prompt) -> FloatArray:
        parts = clips(prompt.audio, prompt.sample_rate, self.settings.max_audio_seconds)
        try:
            self._load_audio()
        except MissingFileError as error:
            raise PromptError(f"audio prompt: only text is understood here, for lack of a file: {error}") from error
        rows = np.stack([self._music.run(self._preprocessor.run(clip)) for clip in parts])
        if not np.isfinite(rows).all():
            raise MusicCoCaError(f"{self._music.path}: expected a finite embedding, found one that is not")
        return np.asarray(rows.mean(axis=0, dtype=np.float64), np.float32)

    def _load_audio(self) -> None:
        files.require(self.folder, files.AUDIO_FILES)
        made, taken = self._preprocessor.output_size(), self._music.input_size()
        if made is not None and made != taken:
            raise MusicCoCaError(
                f"{self._music.path}: expected an input of {made} features, as {self._preprocessor.path.name} gives, "
                f"found {taken}"
            )

    def _hash(self, name: str) -> str:
        with self._hashing:
            if name not in self._hashes:
                if files.missing(self.folder, (name,)):
                    return "absent"  # embedding will say so better
                self._hashes[name] = files.sha256(self.folder / name)
            return self._hashes[name]

    def _path_of_text(self) -> str:
        if self.maps_text:
            return f"through the mapper (seed {self.settings.mapper_seed}), into the space of audio"
        why = "off" if self.settings.mapper == "off" else f"no {files.MAPPER}"
        return f"without the mapper ({why}), in a space of its own: blends of text and audio mean little"


def require_packages() -> None:
    """Raises MusicCoCaError saying how to install the extra, if it isn't."""
    try:
        for package in ("ai_edge_litert.interpreter", "sentencepiece"):
            importlib.import_module(package)
    except ImportError as error:
        raise MusicCoCaError(
            f"MusicCoCa needs LiteRT and SentencePiece: `pip install segue[musiccoca]` installs both ({error})"
        ) from error


def _check_finite(rows: NDArray[np.floating]) -> None:
    if not np.isfinite(rows).all():
        raise ValueError("embeddings: expected finite values, got some that are not")
