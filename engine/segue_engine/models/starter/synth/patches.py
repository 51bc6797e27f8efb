# SPDX-License-Identifier: Apache-2.0
"""Timbres of the starter's synthesiser: one row of numbers per patch, in the order of the names in `tokens.py`.

A note is a series oscillator (saw- or square-like with an exponential roll-off), a two-operator FM oscillator and a
noise layer under one envelope, twice (left and right, detuned). Times are in seconds, frequencies in Hz, deviations in
cents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.models.starter import tokens


@dataclass(frozen=True)
class Patch:
    """One timbre. Ratios are multiples of 0.25, so that phases stay continuous over frames (`oscillators.py`)."""

    trim: float = 0.0  # dB; evens out the loudness of the patches of one voice
    series: float = 0.0  # level of the series oscillator
    saw: float = 1.0  # 1 all harmonics, 0 odd harmonics
    fm: float = 0.0  # level of the FM oscillator
    carrier: float = 1.0  # ratio to the note
    modulator: float = 1.0  # ratio to the note
    index: float = 0.0  # modulation depth in radians, sustained
    index_env: float = 0.0  # and added at the onset
    noise: float = 0.0  # level of the noise layer, sustained
    noise_env: float = 0.0  # and added at the onset
    cutoff: float = 2000.0  # harmonics fall by exp(-f / cutoff)
    cutoff_env: float = 0.0  # relative opening at the onset
    mod_decay: float = 0.2  # decay of the index, cutoff and noise at the onset
    attack: float = 0.005
    decay: float = 1.0
    sustain: float = 1.0
    release: float = 0.15
    detune: float = 0.0  # cents between the left and the right oscillator
    vibrato: float = 0.0  # cents, same on both sides, fades in
    rate: float = 5.2  # of the vibrato; the drift runs at an eighth of it
    drift: float = 0.0  # cents, opposite on both sides: a slow ensemble motion
    octave: float = 0.0  # transposition in octaves
    width: float = 0.6  # 0 both oscillators in the middle, 1 one on each side
    reverb: float = 0.3
    echo: float = 0.0
    duck: float = 0.0  # how far the electronic kick pushes this patch down
    reset: float = 0.0  # 1: phases start at 0 on every onset (a repeatable attack)
    touch: float = 0.5  # how much softer notes are duller


_BASS: Final[Mapping[str, Patch]] = {
    "sub": Patch(trim=-4.8, fm=1.0, series=0.25, saw=0.0, cutoff=420, attack=0.012, decay=1.6, sustain=0.7,
                 release=0.14, index=0.25, width=0.0, reverb=0.03, duck=0.5, reset=1),
    "upright": Patch(trim=-0.8, series=0.7, fm=0.5, index_env=0.9, cutoff=420, cutoff_env=3.0, mod_decay=0.11,
                     attack=0.004, decay=0.75, sustain=0.12, release=0.12, noise_env=0.10, detune=2, width=0.15,
                     reverb=0.10, reset=1),
    "saw": Patch(trim=-1.5, series=1.0, fm=0.4, carrier=0.5, cutoff=1000, cutoff_env=1.6, mod_decay=0.22,
                 attack=0.004, decay=0.6, sustain=0.7, release=0.10, detune=9, drift=2, width=0.35, reverb=0.05,
                 duck=0.7, reset=1),
    "pulse": Patch(trim=-9.1, series=1.0, saw=0.0, cutoff=2400, attack=0.002, decay=0.35, sustain=0.65, release=0.05,
                   width=0.0, reverb=0.02, reset=1),
    "fm": Patch(trim=0.2, fm=1.0, index=0.5, index_env=2.0, modulator=1.0, mod_decay=0.16, attack=0.003, decay=0.6,
                sustain=0.45, release=0.12, series=0.15, cutoff=1200, width=0.1, reverb=0.06, duck=0.4, reset=1),
    "low strings": Patch(trim=-2.4, series=1.0, cutoff=1100, cutoff_env=0.5, mod_decay=0.25, attack=0.07, decay=1.5,
                         sustain=0.8, release=0.28, detune=11, vibrato=5, drift=4, noise=0.05, noise_env=0.06,
                         width=0.55, reverb=0.35),
    "drone": Patch(trim=-4.6, series=0.9, fm=0.5, carrier=0.5, index=0.8, modulator=0.5, cutoff=520, attack=1.0,
                   decay=4, sustain=0.9, release=1.6, detune=14, drift=9, rate=3.2, noise=0.03, width=0.8, reverb=0.4,
                   mod_decay=2.0, cutoff_env=0.8),
    "drive": Patch(trim=-2.2, series=0.8, fm=0.7, modulator=1.0, index=1.7, index_env=1.2, mod_decay=0.12,
                   cutoff=2300, cutoff_env=0.7, attack=0.003, decay=0.5, sustain=0.75, release=0.07, detune=12,
                   noise_env=0.12, width=0.5, reverb=0.08, reset=1),
}  # fmt: skip

_PAD: Final[Mapping[str, Patch]] = {
    "warm": Patch(trim=-6.0, series=1.0, cutoff=1300, cutoff_env=0.5, mod_decay=1.2, attack=0.35, decay=3,
                  sustain=0.85, release=0.9, detune=15, drift=7, rate=4.0, noise=0.02, width=0.9, reverb=0.5,
                  duck=0.75),
    "strings": Patch(trim=-6.4, series=1.0, cutoff=2600, cutoff_env=0.3, mod_decay=0.6, attack=0.28, decay=3,
                     sustain=0.85, release=0.6, detune=13, vibrato=7, drift=6, noise=0.06, noise_env=0.05, width=0.85,
                     reverb=0.55),
    "choir": Patch(trim=-8.4, series=0.8, saw=0.3, fm=0.35, carrier=2.0, modulator=1.0, index=0.7, cutoff=1150,
                   attack=0.3, decay=3, sustain=0.9, release=0.7, detune=14, vibrato=11, drift=8, rate=4.9,
                   noise=0.10, noise_env=0.08, width=0.85, reverb=0.65),
    "glass": Patch(trim=-7.9, fm=0.8, carrier=2.0, modulator=5.0, index=0.25, index_env=0.7, series=0.35, saw=0.0,
                   cutoff=2200, mod_decay=1.4, attack=0.15, decay=3.5, sustain=0.55, release=1.3, detune=10, drift=8,
                   rate=3.2, noise=0.05, width=0.95, reverb=0.7, echo=0.15, duck=0.3),
    "organ": Patch(trim=-8.3, series=0.7, saw=0.0, fm=0.55, carrier=2.0, modulator=4.0, index=0.5, cutoff=2600,
                   attack=0.025, decay=1, sustain=1.0, release=0.14, detune=4, vibrato=4, rate=6.1, drift=5,
                   noise=0.03, noise_env=0.08, mod_decay=0.06, width=0.7, reverb=0.45),
    "dark drone": Patch(trim=-7.8, series=0.8, fm=0.5, carrier=0.5, modulator=0.75, index=0.7, cutoff=650,
                        cutoff_env=0.7, mod_decay=2.5, attack=0.9, decay=4, sustain=0.9, release=1.8, detune=22,
                        drift=14, rate=2.4, noise=0.05, width=1.0, reverb=0.7),
    "airy": Patch(trim=-6.3, series=0.6, cutoff=1500, fm=0.4, carrier=2.0, index=0.15, modulator=1.0, attack=0.4,
                  decay=3, sustain=0.8, release=1.1, detune=11, drift=7, rate=3.6, noise=0.18, noise_env=0.05,
                  mod_decay=0.8, width=0.95, reverb=0.6, echo=0.1, duck=0.4),
    "brass": Patch(trim=-3.8, series=1.0, cutoff=1300, cutoff_env=1.1, mod_decay=0.5, attack=0.09, decay=1.2,
                   sustain=0.8, release=0.3, detune=9, vibrato=4, drift=3, noise=0.03, noise_env=0.06, width=0.65,
                   reverb=0.45, touch=0.8),
}  # fmt: skip

_ARP: Final[Mapping[str, Patch]] = {
    "harp": Patch(trim=-6.3, series=0.9, saw=1.0, fm=0.35, modulator=2.0, index_env=0.8, cutoff=900, cutoff_env=3.2,
                  mod_decay=0.13, attack=0.002, decay=0.9, sustain=0.0, release=0.7, noise_env=0.07, detune=3,
                  width=0.5, reverb=0.45, echo=0.15, reset=1),
    "bell": Patch(trim=-10.1, fm=0.9, carrier=1.0, modulator=3.5, index=0.25, index_env=1.7, mod_decay=0.5,
                  series=0.25, saw=0.0, cutoff=3000, attack=0.002, decay=1.3, sustain=0.0, release=1.3, detune=5,
                  drift=3, width=0.75, reverb=0.6, echo=0.25, octave=1, reset=1),
    "pulse": Patch(trim=-8.7, series=1.0, saw=0.0, cutoff=5200, attack=0.002, decay=0.22, sustain=0.3, release=0.05,
                   width=0.35, detune=3, reverb=0.05, echo=0.1, reset=1),
    "saw pluck": Patch(trim=-2.8, series=1.0, cutoff=900, cutoff_env=4.5, mod_decay=0.11, attack=0.002, decay=0.35,
                       sustain=0.12, release=0.22, detune=14, width=0.9, reverb=0.3, echo=0.35, duck=0.5),
    "marimba": Patch(trim=-0.9, fm=1.0, modulator=4.0, index_env=1.3, mod_decay=0.045, attack=0.001, decay=0.32,
                     sustain=0.0, release=0.3, noise_env=0.08, width=0.4, detune=2, reverb=0.35, echo=0.12, reset=1),
    "staccato strings": Patch(trim=-0.9, series=1.0, cutoff=2700, cutoff_env=0.8, mod_decay=0.08, attack=0.016,
                              decay=0.16, sustain=0.25, release=0.13, noise=0.04, noise_env=0.30, detune=14, drift=5,
                              width=0.7, reverb=0.45),
    "e-piano": Patch(trim=-3.6, fm=1.0, modulator=1.0, index=0.12, index_env=1.1, mod_decay=0.35, series=0.18,
                     saw=0.0, cutoff=2600, attack=0.002, decay=1.0, sustain=0.05, release=0.25, noise_env=0.05,
                     detune=4, drift=4, width=0.6, reverb=0.3, echo=0.12, touch=0.9, reset=1),
    "oud": Patch(trim=-3.3, series=1.0, saw=0.8, cutoff=1300, cutoff_env=2.6, mod_decay=0.09, attack=0.002,
                 decay=0.42, sustain=0.0, release=0.25, noise_env=0.20, detune=8, vibrato=4, width=0.35, reverb=0.3,
                 echo=0.06, fm=0.25, modulator=3.0, index_env=1.5, reset=1),
}  # fmt: skip

_LEAD: Final[Mapping[str, Patch]] = {
    "flute": Patch(trim=-2.7, series=0.75, saw=0.75, cutoff=720, cutoff_env=0.4, mod_decay=0.10, attack=0.055,
                   decay=0.8, sustain=0.85, release=0.16, vibrato=13, rate=5.0, noise=0.16, noise_env=0.22, detune=3,
                   drift=3, width=0.35, reverb=0.5, echo=0.18),
    "piano": Patch(trim=-3.1, series=0.85, saw=1.0, cutoff=1150, cutoff_env=2.2, mod_decay=0.22, fm=0.35,
                   modulator=3.0, index_env=0.6, attack=0.002, decay=1.2, sustain=0.0, release=0.22, noise_env=0.09,
                   detune=3.5, width=0.55, reverb=0.32, echo=0.05, touch=0.9, reset=1),
    "saw": Patch(trim=-4.7, series=1.0, cutoff=2500, cutoff_env=1.2, mod_decay=0.25, attack=0.008, decay=0.7,
                 sustain=0.7, release=0.2, detune=15, vibrato=9, drift=4, width=0.75, reverb=0.35, echo=0.4,
                 duck=0.35),
    "pulse": Patch(trim=-8.4, series=1.0, saw=0.0, cutoff=5200, attack=0.002, decay=0.3, sustain=0.65, release=0.06,
                   vibrato=9, rate=6.0, width=0.25, detune=2, reverb=0.06, echo=0.2, reset=1),
    "violin": Patch(trim=-5.1, series=1.0, cutoff=2900, cutoff_env=0.3, mod_decay=0.12, attack=0.06, decay=0.8,
                    sustain=0.85, release=0.2, vibrato=16, rate=5.7, noise=0.05, noise_env=0.14, detune=7, drift=4,
                    width=0.45, reverb=0.5, echo=0.12),
    "oud": Patch(trim=-2.0, series=1.0, saw=0.8, cutoff=1500, cutoff_env=2.4, mod_decay=0.10, attack=0.002,
                 decay=0.55, sustain=0.0, release=0.25, noise_env=0.20, detune=8, vibrato=8, width=0.35, reverb=0.35,
                 echo=0.14, fm=0.25, modulator=3.0, index_env=1.5, reset=1),
    "e-piano": Patch(trim=-3.5, fm=1.0, modulator=1.0, index=0.15, index_env=1.3, mod_decay=0.4, series=0.2, saw=0.0,
                     cutoff=3000, attack=0.002, decay=1.3, sustain=0.06, release=0.28, noise_env=0.05, detune=4,
                     drift=5, width=0.6, reverb=0.35, echo=0.22, touch=0.9, reset=1),
    "horn": Patch(trim=-4.3, series=1.0, cutoff=950, cutoff_env=0.9, mod_decay=0.3, attack=0.055, decay=0.9,
                  sustain=0.85, release=0.2, vibrato=6, rate=4.8, noise=0.03, noise_env=0.10, detune=7, drift=3,
                  width=0.5, reverb=0.5, echo=0.08, touch=0.8),
}  # fmt: skip

_COUNTER: Final[Mapping[str, Patch]] = {
    "soft bell": Patch(trim=-1.7, fm=0.9, modulator=3.5, index=0.1, index_env=0.9, mod_decay=0.35, attack=0.004,
                       decay=1.1, sustain=0.0, release=1.1, detune=5, drift=3, width=0.85, reverb=0.6, echo=0.35,
                       reset=1),
    "strings": Patch(trim=-7.0, series=1.0, cutoff=2200, attack=0.18, decay=2, sustain=0.85, release=0.4, detune=12,
                     vibrato=9, drift=5, noise=0.06, noise_env=0.05, width=0.8, reverb=0.55),
    "pulse": Patch(trim=-5.9, series=1.0, saw=0.0, cutoff=4200, attack=0.002, decay=0.25, sustain=0.4, release=0.06,
                   width=0.5, detune=4, reverb=0.08, echo=0.25, reset=1),
    "brass stab": Patch(trim=-1.7, series=1.0, cutoff=1500, cutoff_env=1.3, mod_decay=0.18, attack=0.025, decay=0.45,
                        sustain=0.5, release=0.16, detune=10, noise_env=0.12, width=0.65, reverb=0.45, echo=0.05,
                        touch=0.8),
}  # fmt: skip

_VOICES: Final = (
    (tokens.BASS_PATCHES, _BASS), (tokens.PAD_PATCHES, _PAD), (tokens.ARP_PATCHES, _ARP), (tokens.LEAD_PATCHES, _LEAD),
    (tokens.COUNTER_PATCHES, _COUNTER),
)  # fmt: skip
FIELDS: Final = {f.name: i for i, f in enumerate(fields(Patch))}
FIRST_PATCH: Final[tuple[int, ...]] = tuple(int(x) for x in np.cumsum([0] + [len(n) for n, _ in _VOICES[:-1]]))
"""Row of the first patch of each voice (bass, pad, arp, lead, counter) in `patch_rows`."""
VOICE_GAIN_DB: Final = (-22.5, -24.8, -18.8, -17.5, -20.3)
"""Level of each voice before velocity; a pad is four notes."""


def patch_rows() -> NDArray[np.float32]:
    """All patches in voice order as [36, fields]; the column `trim` is the linear gain with the level of its voice."""
    rows = [
        (10 ** ((table[name].trim + gain) / 20), *astuple(table[name])[1:])
        for (names, table), gain in zip(_VOICES, VOICE_GAIN_DB, strict=True)
        for name in names
    ]
    return np.array(rows, np.float32)
