# SPDX-License-Identifier: Apache-2.0
"""A soundtrack's styles, embedded once; blends of them become style codes, off the event loop, and are remembered."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import (
    DRUMS_OFF,
    DRUMS_ON,
    LOUDNESS_LUFS,
    MASKED,
    Conditioning,
    Guidance,
    Prompt,
    PromptError,
    Sampling,
    StyleEncoder,
)
from segue_service.session.score import Score
from segue_service.soundtrack import Output, Soundtrack, StylePoint

FloatArray = NDArray[np.float32]
AudioLoader = Callable[[str], FloatArray]
"""The samples of an audio prompt, mono or stereo at 48 kHz, by its path in the soundtrack. Raises PromptError."""

FADE_STEP: Final = 5
"""Frames between two points of a fade."""
_DRUMS: Final = {"auto": MASKED, "off": DRUMS_OFF, "on": DRUMS_ON}
_GRAIN: Final = 256


@dataclass(frozen=True, slots=True, eq=False)
class Override:
    """Prompts that play instead of the soundtrack's style: faded in over [begins, ends), until the next transition.

    codes: their style codes where the embedding is not known any more; they are not faded.
    """

    embedding: FloatArray | None
    begins: int
    ends: int
    guidance: float | None = None
    until: int | None = None
    codes: tuple[int, ...] = ()

    def share(self, frame: int) -> float:
        """How much of it sounds at a frame, 0..1."""
        if frame < self.begins or (self.until is not None and frame >= self.until):
            return 0.0
        return 1.0 if frame >= self.ends else (frame - self.begins) / (self.ends - self.begins)


class StyleTable:
    """Embeddings f32[styles, 768] of one soundtrack, in the soundtrack's order of styles. Immutable but for its cache.

    Construction embeds every prompt and may be slow: never on the event loop. Raises PromptError naming the style.
    """

    def __init__(
        self,
        soundtrack: Soundtrack,
        encoder: StyleEncoder,
        audio: AudioLoader | None = None,
        cache: int = 4096,
        score: Score | None = None,
    ) -> None:
        self.encoder = encoder
        self.names = tuple(soundtrack.styles)
        self._output = soundtrack.output
        self._score = score
        self._cache: OrderedDict[bytes, tuple[int, ...]] = OrderedDict()
        self._cache_size = cache
        self.hits = self.misses = 0
        notes: dict[str, str] = {}
        rows = []
        for name, style in soundtrack.styles.items():
            prompts, weights, said = [], [], []
            for place, prompt in enumerate(style.prompts):
                try:
                    prompts.append(_prompt(prompt.text, prompt.audio, audio))
                    weights.append(prompt.weight)
                except PromptError as error:
                    said.append(f"prompts[{place}]: {error}")
            if not prompts:
                raise PromptError(f"styles.{name}: {'; '.join(said) or 'expected at least one prompt'}")
            try:
                embedded = encoder.embed(prompts)
            except PromptError as error:
                raise PromptError(f"styles.{name}: {error}") from error
            said += [note for note in embedded.notes if note]
            if said:
                notes[name] = "; ".join(said)
            rows.append(encoder.blend(embedded.embeddings, np.asarray(weights, np.float32)))
        self.embeddings: FloatArray = np.stack(rows).astype(np.float32)
        self.notes: Mapping[str, str] = notes

    async def conditionings(
        self,
        points: Sequence[StylePoint],
        override: Override | None,
        executor: Executor,
        limit: int,
        tally: Callable[[int, int], None] = lambda hits, misses: None,
    ) -> list[tuple[int, Conditioning]]:
        """What to generate under up to frame `limit`, from each entry's frame on; equal neighbours are merged. Event
        loop only. tally: is told how many codes were remembered, and how many were not."""
        if override is not None:
            points = _with_fade(points, override)
        keys = [self._key(point, override) for point in points]
        missing = {key: point for key, point in zip(keys, points, strict=True) if key not in self._cache}
        self.hits += len(keys) - len(missing)
        self.misses += len(missing)
        tally(len(keys) - len(missing), len(missing))
        found: dict[bytes, tuple[int, ...]] = {}
        if missing:
            loop = asyncio.get_running_loop()
            codes = await loop.run_in_executor(executor, self._quantise, list(missing.values()), override)
            found = dict(zip(missing, codes, strict=True))
            self._cache.update(found)
        entries: list[tuple[int, Conditioning]] = []
        for key, point in zip(keys, points, strict=True):
            codes_of = found.get(key) or self._cache[key]
            if key in self._cache:
                self._cache.move_to_end(key)
            conditioning = _conditioning(point, codes_of, override, self._output)
            if not entries or entries[-1][1] != conditioning:
                entries.append((point.frame, conditioning))
        while len(self._cache) > self._cache_size:
            self._cache.popitem(last=False)
        return entries if self._score is None else self._score.weave(entries, limit)

    def blend(self, weights: FloatArray) -> FloatArray:
        """Embedding f32[768] of a weight vector over the styles."""
        used = np.flatnonzero(weights)
        if used.size == 1:
            row: FloatArray = self.embeddings[used[0]]
            return row
        return self.encoder.blend(self.embeddings[used], weights[used])

    def asked(self, point: StylePoint, override: Override | None) -> FloatArray | None:
        """The embedding f32[768] that a point is played under; None if it is not known any more."""
        codes = () if override is None else override.codes
        known = not codes or override is None or override.share(point.frame) == 0.0
        return self._embedding(point, override) if known else None

    def _quantise(self, points: Sequence[StylePoint], override: Override | None) -> list[tuple[int, ...]]:
        codes = () if override is None else override.codes
        given = [bool(codes) and override is not None and override.share(point.frame) > 0.0 for point in points]
        rows = [self._embedding(point, override) for point, known in zip(points, given, strict=True) if not known]
        found = iter(self.encoder.quantise(np.stack(rows)).tolist() if rows else ())
        return [codes if known else tuple(next(found)) for known in given]

    def _embedding(self, point: StylePoint, override: Override | None) -> FloatArray:
        share = 0.0 if override is None else override.share(point.frame)
        prompts = None if override is None else override.embedding
        if prompts is not None and share >= 1.0:
            return prompts
        base = self._base(point)
        if prompts is None or share == 0.0:
            return base
        both = np.stack([base, prompts])
        return self.encoder.blend(both, np.array([1.0 - share, share], np.float32))

    def _base(self, point: StylePoint) -> FloatArray:
        """The soundtrack's own embedding: a straight blend, or on the path of the fade's shape."""
        if point.fade is None:
            return self.blend(point.weights)
        source, target, progress = self.blend(point.fade.source), self.blend(point.fade.target), point.fade.progress
        if point.shape == "spherical":
            return slerp(source, target, progress)
        roots = np.sqrt(np.array([1.0 - progress, progress], np.float32))
        return self.encoder.blend(np.stack([source, target]), roots)

    def _key(self, point: StylePoint, override: Override | None) -> bytes:
        share = 0.0 if override is None else override.share(point.frame)
        parts = [_rounded(point.weights)]
        if point.fade is not None:
            parts += [point.shape.encode(), _rounded(point.fade.source), _rounded(point.fade.target)]
            parts.append(_rounded(point.fade.progress))
        if override is not None and share > 0.0:
            prompts = override.embedding
            parts += [repr(override.codes).encode() if prompts is None else prompts.tobytes(), _rounded(share)]
        return b"|".join(parts)


def slerp(source: FloatArray, target: FloatArray, progress: float) -> FloatArray:
    """Spherical interpolation of two embeddings, lengths interpolated linearly (Shoemake 1985)."""
    lengths = float(np.linalg.norm(source)), float(np.linalg.norm(target))
    if min(lengths) < 1e-9:
        return (source + (target - source) * np.float32(progress)).astype(np.float32)
    u, v = source / lengths[0], target / lengths[1]
    angle = float(np.arccos(np.clip(u @ v, -1.0, 1.0)))
    length = lengths[0] + (lengths[1] - lengths[0]) * progress
    if angle < 1e-4 or angle > np.pi - 1e-4:
        return (source + (target - source) * np.float32(progress)).astype(np.float32)
    mixed = (np.sin((1 - progress) * angle) * u + np.sin(progress * angle) * v) / np.sin(angle)
    result: FloatArray = (mixed * length).astype(np.float32)
    return result


def _prompt(text: str | None, audio: str | None, load: AudioLoader | None) -> Prompt:
    if text is not None:
        return Prompt(text=text)
    if load is None or audio is None:
        raise PromptError(f'audio prompt "{audio}": there is no audio file to read here')
    return Prompt(audio=load(audio))


def _rounded(value: FloatArray | float) -> bytes:
    return np.round(np.asarray(value, np.float32) * _GRAIN).astype(np.int16).tobytes()


def _conditioning(point: StylePoint, codes: tuple[int, ...], override: Override | None, output: Output) -> Conditioning:
    guidance = Guidance(point.guidance.style, point.guidance.notes, point.guidance.drums)
    if override is not None and override.guidance is not None and override.share(point.frame) > 0.0:
        guidance = replace(guidance, style=override.guidance)
    return Conditioning(
        style_codes=codes,
        drums=_DRUMS[point.drums],
        guidance=guidance,
        gain_db=round(float(point.gain_db) + output.loudness - LOUDNESS_LUFS, 2),
        true_peak_dbtp=output.true_peak,
        sampling=Sampling(point.temperature, point.top_k, point.min_p),
    )


def _with_fade(points: Sequence[StylePoint], override: Override) -> list[StylePoint]:
    """The points, and more of them where the override fades in or ends."""
    first, last = points[0].frame, points[-1].frame
    wanted = {*range(override.begins, override.ends, FADE_STEP), override.ends}
    if override.until is not None:
        wanted.add(override.until)
    wanted = {frame for frame in wanted if frame > first}
    out = list(points)
    held = iter(points)
    current, following = next(held), next(held, None)
    for frame in sorted(wanted):
        while following is not None and following.frame <= frame:
            current, following = following, next(held, None)
        if current.frame != frame and frame <= max(last, override.ends, override.until or 0):
            out.append(replace(current, frame=frame))
    return sorted(out, key=lambda point: point.frame)
