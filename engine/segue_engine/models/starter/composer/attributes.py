# SPDX-License-Identifier: Apache-2.0
"""From a style vector and a piece's latent uniforms to what the composer acts on.

Categorical choices are coupled: each of eight groups takes the family at which the cumulative family shares cross the
group's one uniform. So every group flips once in a crossfade, at its own moment, and a family's chance is its share.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from segue_engine.models.starter import tokens as tk
from segue_engine.models.starter.composer.families import TABLE, Family
from segue_engine.models.starter.composer.voices import ARP_FASTER, ARP_SLOWER, BASS_FASTER, BASS_SLOWER
from segue_engine.styles.tags import FAMILIES, TAG_INDEX, TAGS

GROUPS: Final = ("harmony", "drums", "bass", "arp", "lead", "pad", "counter", "ambience")
_T = TypeVar("_T")
_OPTIONS: Final = 3  # second uniforms of a group, for choices inside a family
_FAMILY_COUNT: Final = len(FAMILIES)


@dataclass(frozen=True)
class Latents:
    """A piece's uniforms: one per group for the family, three per group for options inside it, one for the tempo."""

    family: tuple[float, ...]
    option: tuple[tuple[float, ...], ...]
    tempo: float

    @staticmethod
    def draw(rng: Random) -> Latents:
        return Latents(
            tuple(rng.random() for _ in GROUPS),
            tuple(tuple(rng.random() for _ in range(_OPTIONS)) for _ in GROUPS),
            rng.random(),
        )

    def redraw(self, rng: Random, groups: Sequence[str], families: bool) -> Latents:
        """New options for some groups, and new families too if asked."""
        option, family = list(self.option), list(self.family)
        for name in groups:
            g = GROUPS.index(name)
            option[g] = tuple(rng.random() for _ in range(_OPTIONS))
            if families:
                family[g] = rng.random()
        return replace(self, option=tuple(option), family=tuple(family))


@dataclass(frozen=True)
class Harmony:
    mode: int
    family: int
    colour: str
    chord_bars: int


@dataclass(frozen=True)
class Drums:
    pattern: str
    kit: int
    swing: bool


@dataclass(frozen=True)
class Voice:
    """A pattern (or counter kind, or pad rhythm), its patch, and the family that lends its idiom."""

    pattern: str
    patch: int
    family: int


@dataclass(frozen=True)
class Plan:
    """What the composer acts on for one style; the fields named in `GROUPS` may go stale one by one in training."""

    frames: int
    intensity: float
    drum_density: float
    lead_density: float
    counter_share: float
    reverb: float
    brightness: float
    register: float
    dense: float
    harmony: Harmony
    drums: Drums
    bass: Voice
    arp: Voice
    lead: Voice
    pad: Voice
    counter: Voice
    ambience: int


# What a style without any family leans on: instruments and modifiers alone still name a mood.
_LEANING: Final[dict[str, str]] = {
    "fast": "chiptune",
    "slow": "underwater",
    "intense": "combat",
    "calm": "exploration",
    "dark": "stealth",
    "bright": "village",
    "dense": "victory",
    "sparse": "underwater",
    "drums": "combat",
    "drumless": "sad",
    "piano": "sad",
    "bells": "winter",
    "strings": "exploration",
    "flute": "village",
    "organ": "horror",
    "plucked": "village",
    "brass": "victory",
    "synth": "synthwave",
}
_LEAN: Final = np.zeros((len(TAGS) - _FAMILY_COUNT, _FAMILY_COUNT))
for _tag, _name in _LEANING.items():
    _LEAN[TAG_INDEX[_tag] - _FAMILY_COUNT, FAMILIES.index(_name)] = 1.0

_LEVELS: Final = np.array(
    [[f.intensity, f.drum_density, f.lead_density, f.counter, f.reverb, f.brightness, f.register] for f in TABLE]
)
_DARKER: Final = {"maj": "min", "lyd": "min", "mix": "dor", "dor": "min", "min": "phr"}
_BRIGHTER: Final = {"min": "maj", "phr": "min", "dor": "mix", "mix": "maj", "harm": "min"}


def family_shares(style: NDArray[np.float32]) -> NDArray[np.float64]:
    """Shares f64[16] of the families, w^1.5 normalised; instruments and modifiers lean on families only if none is
    named.
    """
    weights = np.maximum(style.astype(np.float64), 0.0)
    weights[weights < 0.02] = 0.0
    family = weights[:_FAMILY_COUNT]
    need = max(0.0, 1.0 - 4.0 * float(family.max()))
    if need > 0.0:
        family = family + need * (weights[_FAMILY_COUNT:] @ _LEAN)
        if not family.any():
            family = np.zeros(_FAMILY_COUNT)
            family[0] = 1.0
    shares = np.asarray(family**1.5, np.float64)
    return np.asarray(shares / shares.sum(), np.float64)


def crossing(shares: NDArray[np.float64], u: float) -> int:
    """The family at which the cumulative shares cross u in [0, 1): the coupled inverse CDF."""
    index = int(np.searchsorted(np.cumsum(shares), u, side="right"))
    return min(index, int(np.flatnonzero(shares)[-1]))


def _pick(options: Sequence[_T], u: float) -> _T:
    return options[min(int(u * len(options)), len(options) - 1)]


def make_plan(style: NDArray[np.float32], latents: Latents) -> Plan:
    """The plan of a style vector f32[34] under fixed latents; deterministic."""
    shares = family_shares(style)
    strongest = max(float(style[:_FAMILY_COUNT].max()), 0.45)
    m = {tag: min(1.0, max(0.0, float(style[i])) / strongest) for tag, i in TAG_INDEX.items() if i >= _FAMILY_COUNT}
    intensity, drum_density, lead_density, counter, reverb, brightness, register = (float(x) for x in shares @ _LEVELS)

    tempo = sum(
        share * math.log(_pick(f.frames, latents.tempo)) for share, f in zip(shares, TABLE, strict=True) if share > 0
    )
    frames = min(6, max(2, round(math.exp(tempo) - 1.1 * m["fast"] + 1.1 * m["slow"])))
    power = 0.40 * m["intense"] - 0.35 * m["calm"]
    dense = m["dense"] - m["sparse"]
    shade = m["dark"] - m["bright"]

    picked = [crossing(shares, u) for u in latents.family]
    family = {name: TABLE[i] for name, i in zip(GROUPS, picked, strict=True)}
    index = dict(zip(GROUPS, picked, strict=True))
    option = dict(zip(GROUPS, latents.option, strict=True))

    pattern, kit = _pick(family["drums"].drums, option["drums"][0])
    if m["drums"] > 0.35 and pattern == "none":
        pattern = "rock"
    if m["drumless"] > 0.35:
        pattern = "none"
    bass_pattern = _pick(family["bass"].bass_patterns, option["bass"][0])
    arp_pattern = _pick(family["arp"].arp_patterns, option["arp"][0])
    if power > 0.22 or dense > 0.45:
        bass_pattern = BASS_FASTER.get(bass_pattern, bass_pattern)
    if power < -0.22 or dense < -0.45:
        bass_pattern = BASS_SLOWER.get(bass_pattern, bass_pattern)
    if dense > 0.35:
        arp_pattern = ARP_FASTER.get(arp_pattern, arp_pattern)
    if dense < -0.35 or power < -0.28:
        arp_pattern = ARP_SLOWER.get(arp_pattern, arp_pattern)
    counter_kind, counter_patch = _pick(family["counter"].counters, option["counter"][0])
    patches = _patches(family, option, m)
    if counter_kind != "stabs":
        counter_patch = patches.get("counter", counter_patch)

    return Plan(
        frames=frames,
        intensity=min(1.0, max(0.0, intensity + power)),
        drum_density=min(1.0, max(0.12, drum_density + 0.3 * dense + (0.25 if power > 0 else 0.28) * power / 0.4)),
        lead_density=min(1.0, lead_density * (1.0 + 0.5 * m["dense"]) * (1.0 - 0.7 * m["sparse"])),
        counter_share=min(1.0, max(0.0, counter + 0.3 * dense)),
        reverb=reverb,
        brightness=brightness - 1.6 * shade,
        register=register - 4.0 * shade,
        dense=dense,
        harmony=Harmony(
            _mode(_pick(family["harmony"].modes, option["harmony"][0]), shade),
            index["harmony"],
            family["harmony"].colour,
            family["harmony"].chord_bars,
        ),
        drums=Drums(pattern, kit, family["drums"].swing and pattern != "none"),
        bass=Voice(bass_pattern, patches["bass"], index["bass"]),
        arp=Voice(arp_pattern, patches["arp"], index["arp"]),
        lead=Voice("motif", patches["lead"], index["lead"]),
        pad=Voice(_pick(family["pad"].pad_patterns, option["pad"][0]), patches["pad"], index["pad"]),
        counter=Voice(counter_kind, counter_patch, index["counter"]),
        ambience=_pick(family["ambience"].beds, option["ambience"][0]),
    )


def _mode(mode: int, shade: float) -> int:
    table = _DARKER if shade > 0.45 else _BRIGHTER if shade < -0.45 else {}
    name = tk.MODES[mode]
    return tk.MODES.index(table.get(name, name))


def _patches(family: dict[str, Family], option: dict[str, tuple[float, ...]], m: dict[str, float]) -> dict[str, int]:
    """Patches of the families' options; instrument tags above 0.3 replace some, the strongest tag last."""
    chosen = {
        "bass": _pick(family["bass"].bass_patches, option["bass"][1]),
        "arp": _pick(family["arp"].arp_patches, option["arp"][1]),
        "lead": _pick(family["lead"].lead_patches, option["lead"][1]),
        "pad": _pick(family["pad"].pad_patches, option["pad"][1]),
    }
    tables = {"bass": tk.BASS_PATCHES, "arp": tk.ARP_PATCHES, "lead": tk.LEAD_PATCHES, "pad": tk.PAD_PATCHES,
              "counter": tk.COUNTER_PATCHES}  # fmt: skip
    for tag in sorted(_REPLACES, key=lambda t: m[t]):
        if m[tag] > 0.3:
            for voice, patch in _REPLACES[tag].items():
                chosen[voice] = tables[voice].index(patch)
    return chosen


_REPLACES: Final[dict[str, dict[str, str]]] = {
    "piano": {"lead": "piano", "arp": "e-piano"},
    "bells": {"arp": "bell", "counter": "soft bell"},
    "strings": {"pad": "strings", "lead": "violin", "bass": "low strings", "counter": "strings"},
    "flute": {"lead": "flute"},
    "organ": {"pad": "organ"},
    "plucked": {"arp": "harp", "lead": "oud"},
    "brass": {"lead": "horn", "pad": "brass", "counter": "brass stab"},
    "synth": {"lead": "saw", "pad": "warm", "bass": "saw", "arp": "saw pluck"},
}
