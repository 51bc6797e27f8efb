# SPDX-License-Identifier: Apache-2.0
"""The sixteen moods as data: what each family plays with. Order is that of `styles.tags.FAMILIES`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from segue_engine.models.starter import tokens as tk
from segue_engine.styles.tags import FAMILIES

_B = {name: i for i, name in enumerate(tk.BASS_PATCHES)}
_K = {name: i for i, name in enumerate(tk.KITS)}
_E = {name: i for i, name in enumerate(tk.BEDS)}
_C = {name: i for i, name in enumerate(tk.COUNTER_PATCHES)}
_P = {name: i for i, name in enumerate(tk.PAD_PATCHES)}
_A = {name: i for i, name in enumerate(tk.ARP_PATCHES)}
_L = {name: i for i, name in enumerate(tk.LEAD_PATCHES)}
_M = {name: i for i, name in enumerate(tk.MODES)}


@dataclass(frozen=True)
class Family:
    """One mood. Tuples are options of which a piece picks one; numbers are means that a blend of families averages.

    `register` is semitones of the lead above its usual place; `effects` are mean counts per 8-bar phrase.
    """

    name: str
    frames: tuple[int, ...]
    modes: tuple[int, ...]
    progressions: tuple[tuple[int, ...], ...]
    colour: str
    chord_bars: int
    drums: tuple[tuple[str, int], ...]
    bass_patterns: tuple[str, ...]
    bass_patches: tuple[int, ...]
    arp_patterns: tuple[str, ...]
    arp_patches: tuple[int, ...]
    lead_patches: tuple[int, ...]
    pad_patches: tuple[int, ...]
    pad_patterns: tuple[str, ...]
    counters: tuple[tuple[str, int], ...]
    beds: tuple[int, ...]
    intensity: float
    drum_density: float
    lead_density: float
    counter: float
    reverb: float
    brightness: float
    register: float
    cells: tuple[tuple[int, ...], ...]
    contours: tuple[str, ...]
    legato: bool = True
    swing: bool = False
    effects: Mapping[str, float] = field(default_factory=dict)


def _family(
    name: str, frames: tuple[int, ...], modes: str, progressions: str, colour: str, chord_bars: int, drums: str,
    bass: str,
    bass_patches: str, arp: str, arp_patches: str, lead_patches: str, pad_patches: str, pads: str, counters: str,
    beds: str,
    levels: tuple[float, float, float, float, float, float, float], cells: str, contours: str,
    legato: bool = True, swing: bool = False, effects: Mapping[str, float] | None = None,
) -> Family:  # fmt: skip
    """Options are separated by commas; `levels` = intensity, drum and lead density, counter, reverb, brightness,
    register.
    """

    def split(text: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in text.split(",") if part.strip())

    def pick(text: str, table: Mapping[str, int]) -> tuple[int, ...]:
        return tuple(table[part] for part in split(text))

    def pairs(text: str, table: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
        return tuple((p.split("/")[0].strip(), table[p.split("/")[1].strip()]) for p in split(text))

    return Family(
        name, frames, pick(modes, _M), tuple(tuple(int(d) for d in p) for p in split(progressions)), colour, chord_bars,
        pairs(drums, _K), split(bass), pick(bass_patches, _B), split(arp), pick(arp_patches, _A), pick(lead_patches,
        _L),
        pick(pad_patches, _P), split(pads), pairs(counters, _C), pick(beds, _E), *levels,
        tuple(tuple(int(d) for d in c) for c in split(cells)), split(contours), legato, swing, effects or {},
    )  # fmt: skip


TABLE: Final[tuple[Family, ...]] = (
    _family("exploration", (5, 4), "maj, lyd, mix", "0453, 0234, 3045, 0130, 0514", "triad", 1,
            "light/orchestral, none/orchestral, light/acoustic", "half, whole", "low strings, low strings, sub",
            "updown8, up8, alberti", "harp", "flute, violin, flute", "strings, warm", "sustain",
            "long/strings, answer/soft bell", "wind, forest", (.40, .40, .62, .40, 2.0, 1.8, 0.),
            "62, 44, 422, 332, 8, 3122", "arch, wave, rise", effects={"reverse cymbal": .15}),
    _family("stealth", (5, 4), "min, phr", "0010, 0050, 0300, 0001", "triad", 2,
            "stealth/electronic, stealth/acoustic", "sparse, sync", "upright", "ping, ost8", "marimba",
            "e-piano", "dark drone", "sustain", "stabs/strings, bells/soft bell", "rumble",
            (.35, .45, .28, .30, 1.3, .8, -4.), "2222, 1133, 26, 332", "creep, wave", False,
            effects={"scrape": .3, "thump": .5, "whoosh": .3}),
    _family("combat", (3,), "min, harm, phr", "0054, 0534, 0654, 0565", "power", 1,
            "war/orchestral, taiko/orchestral", "gallop, eighth", "low strings, low strings, saw", "ost16",
            "staccato strings",
            "horn", "brass, strings", "accent", "stabs/brass stab", "rumble",
            (.85, .80, .55, .65, 1.2, 2.2, -2.), "332, 44, 62, 422, 2114", "repeat, rise, arch", False,
            effects={"reverse cymbal": .5, "whoosh": .3, "sub hit": .4}),
    _family("boss", (2, 3), "harm, phr, min", "0010, 0514, 0050, 0154", "power", 1,
            "metal/acoustic, taiko/orchestral, metal/acoustic", "eighth, gallop", "drive", "ost16, ost8",
            "staccato strings, staccato strings, saw pluck", "violin, horn", "choir", "accent, sustain",
            "stabs/brass stab, long/brass stab", "rumble", (1.0, .95, .62, .70, 1.3, 2.6, -1.),
            "332, 2222, 44, 2114, 1124", "fall, leap, repeat", False,
            effects={"sub hit": .8, "riser": .5, "reverse cymbal": .6, "toll": .3}),
    _family("victory", (3, 4), "maj, mix", "0345, 0340, 0453, 0304", "triad", 1, "march/orchestral",
            "root5, half", "low strings", "updown8, alberti", "harp", "horn", "strings, brass", "accent, sustain",
            "stabs/brass stab, fanfare/brass stab", "none", (.75, .70, .82, .65, 1.6, 2.6, 3.),
            "314, 2114, 422, 44, 3122", "leap, rise", False, effects={"reverse cymbal": .5}),
    _family("village", (4, 3), "maj, mix, dor", "0304, 0630, 0454, 0340", "triad", 1, "folk/acoustic",
            "root5, half", "upright", "alberti, updown8", "oud, harp", "flute, oud", "organ, airy", "offbeat, sustain",
            "answer/strings, bells/soft bell", "forest", (.45, .55, .75, .30, 1.0, 2.0, 2.),
            "2222, 422, 224, 31112, 2114, 3122", "wave, arch, fall", False),
    _family("horror", (6, 5), "phr, harm", "0010, 0105, 0040, 0016", "dim", 2, "heartbeat/orchestral, none/orchestral",
            "drone", "drone", "sparse", "bell", "violin", "dark drone", "sustain", "long/strings", "wind, rumble",
            (.25, .30, .28, .20, 3.0, .5, 5.), "8, 62, 26, 44", "creep, fall",
            effects={"riser": .8, "cluster": 1.3, "sub hit": .9, "scrape": 1.6, "toll": 1.2, "whoosh": .6, "thump": .8,
                     "reverse cymbal": .3}),
    _family("synthwave", (3, 4), "min, dor", "0526, 0356, 5600, 0562", "triad", 1, "four/electronic, outrun/electronic",
            "octave, sixteen", "saw", "up16", "saw pluck", "saw", "warm", "sustain, pump", "bells/pulse, long/pulse",
            "none",
            (.70, .75, .55, .35, 1.6, 2.2, 0.), "332, 62, 44, 3122, 2222", "wave, rise, fall",
            effects={"riser": .4, "reverse cymbal": .4, "whoosh": .2}),
    _family("lofi", (5, 4), "maj, dor", "1405, 3210, 3625, 0514", "seventh", 1, "boombap/acoustic, boombap/electronic",
            "lofi, walk", "upright, sub", "comp", "e-piano", "piano, e-piano", "airy", "sustain", "bells/soft bell",
            "vinyl", (.35, .50, .45, .25, .9, .8, -1.), "332, 2114, 1313, 422, 26", "fall, wave, arch", False, True),
    _family("underwater", (6, 5), "lyd, maj", "0101, 0304, 0213", "sus7", 2, "none/electronic", "whole", "sub",
            "slow, broken4", "bell, harp", "e-piano", "glass, airy", "sustain", "bells/soft bell, long/strings",
            "bubbles",
            (.20, .20, .34, .35, 2.8, 1.0, 3.), "8, 62, 44, 26", "wave, fall", effects={"whoosh": .25}),
    _family("chiptune", (3, 2), "maj, min, mix", "0453, 0564, 0345, 0560", "triad", 1, "chip/chip", "octave, eighth",
            "pulse",
            "chip16", "pulse", "pulse", "warm", "none", "echo/pulse, stabs/pulse", "none",
            (.65, .65, .88, .50, 0., 3.0, 4.), "2222, 11222, 2114, 332, 112112", "leap, wave, rise", False),
    _family("desert", (4, 5), "phrdom", "0101, 0016, 0106, 0610", "triad", 1, "maqsum/acoustic", "drone, half",
            "low strings", "ost8", "oud", "oud, flute", "dark drone, strings", "sustain",
            "answer/strings, long/strings", "wind",
            (.45, .60, .68, .30, 1.5, 1.5, 0.), "3122, 21122, 1124, 62, 31112", "creep, wave, fall",
            effects={"reverse cymbal": .1}),
    _family("space", (6, 5), "lyd, dor", "0101, 0304, 0010, 0506", "sus7", 2, "none/electronic, minimal/electronic",
            "drone", "sub", "up8, ping", "saw pluck", "saw", "warm", "sustain", "long/soft bell, bells/soft bell",
            "hum",
            (.30, .25, .32, .30, 3.0, 1.4, 2.), "8, 62, 44, 332", "rise, leap, wave",
            effects={"whoosh": .7, "sub hit": .3, "reverse cymbal": .3, "riser": .15}),
    _family("winter", (5, 4), "lyd, min", "0102, 0530, 0425, 0343", "triad", 1, "none/orchestral, sleigh/orchestral",
            "whole",
            "low strings", "up8, broken4", "bell", "flute, e-piano", "glass, strings", "sustain",
            "bells/soft bell, echo/soft bell", "wind", (.30, .30, .50, .50, 2.4, 2.4, 6.), "44, 422, 62, 2222",
            "arch, fall, wave",
            effects={"toll": .2}),
    _family("sad", (6, 5), "min, maj", "0526, 0354, 5604, 0453", "triad", 1, "none/acoustic", "whole", "low strings",
            "alberti, broken4", "e-piano", "piano", "strings", "sustain", "long/strings", "rain",
            (.25, .15, .58, .40, 2.0, .9, -2.), "62, 44, 422, 8, 26", "fall, arch"),
    _family("puzzle", (4,), "maj, dor, mix", "0103, 0463, 0415, 0304", "triad", 1, "clock/acoustic, minimal/electronic",
            "sync, sparse", "upright", "ping, up8", "marimba", "e-piano", "airy", "sustain, offbeat",
            "bells/soft bell, answer/soft bell", "none", (.40, .45, .55, .50, .8, 2.0, 3.),
            "2222, 332, 1133, 2114, 422", "leap, wave, repeat", False),
)  # fmt: skip

if tuple(f.name for f in TABLE) != FAMILIES:
    raise AssertionError("families must be in the order of styles.tags.FAMILIES")
