# SPDX-License-Identifier: Apache-2.0
"""The starter's synthesiser: streaming, row independence, pitch, no clicks, any code, sound levels.

One compiled size serves the module: eight rows, which are eight independent pieces.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pyloudnorm
import pytest
from numpy.typing import NDArray

from segue_engine.models.starter import tokens as tk
from segue_engine.models.starter.composer.harmony import pad_notes
from segue_engine.models.starter.synth import SynthState, Tables, decode, init_state, load_tables
from segue_engine.models.starter.synth.notes import pad_midi
from segue_engine.models.starter.synth.oscillators import SEGMENT

ROWS = 8
FRAME = 1920
RATE = 48_000
Audio = NDArray[np.float32]
Codes = NDArray[np.int32]
Step = Callable[[Tables, SynthState, jax.Array], tuple[SynthState, jax.Array]]


@pytest.fixture(scope="module")
def tables() -> Tables:
    return load_tables()


@pytest.fixture(scope="module")
def step(tables: Tables) -> Step:
    codes = jnp.zeros((ROWS, tk.LEVELS), jnp.int32)
    compiled = jax.jit(decode, donate_argnums=1).lower(tables, init_state(ROWS), codes).compile()

    def run(tables: Tables, state: SynthState, codes: jax.Array) -> tuple[SynthState, jax.Array]:
        out: tuple[SynthState, jax.Array] = compiled(tables, state, codes)
        return out

    return run


def plan(bass: str = "sub", kit: str = "acoustic", bed: str = "none", counter: str = "soft bell", pad: str = "warm",
         arp: str = "harp", lead: str = "flute", quality: str = "maj", intensity: int = 4) -> Codes:  # fmt: skip
    """One frame of plan codes in C at 93.75 BPM, all voices silent."""
    book = tk.CODEBOOKS
    frame = np.zeros(tk.LEVELS, np.int32)
    frame[tk.CLOCK] = tk.clock_code(2, 0)
    frame[tk.KEY] = book[tk.KEY].encode(tonic=0, mode=0, bar=0)
    frame[tk.CHORD] = book[tk.CHORD].encode(root=0, quality=tk.QUALITIES.index(quality), motif=0)
    frame[tk.PALETTE_LOW] = book[tk.PALETTE_LOW].encode(
        bass=tk.BASS_PATCHES.index(bass),
        kit=tk.KITS.index(kit),
        bed=tk.BEDS.index(bed),
        counter=tk.COUNTER_PATCHES.index(counter),
    )
    frame[tk.PALETTE_HIGH] = book[tk.PALETTE_HIGH].encode(
        pad=tk.PAD_PATCHES.index(pad), arp=tk.ARP_PATCHES.index(arp), lead=tk.LEAD_PATCHES.index(lead)
    )
    frame[tk.MIX] = book[tk.MIX].encode(intensity=intensity, reverb=1, brightness=2, drums=1)
    return frame


def note(level: int, pitch: int, velocity: int = 1) -> int:
    return int(tk.CODEBOOKS[level].encode(pitch=pitch, velocity=velocity))


def chord_code(voicing: int) -> int:
    return int(tk.CODEBOOKS[tk.PAD].encode(voicing=voicing, velocity=1))


def hits(*names: str) -> int:
    return int(tk.CODEBOOKS[tk.DRUMS].encode(hits=sum(1 << tk.DRUM_VOICES.index(n) for n in names), accent=1))


def held(frames: int, base: Codes, **onsets: int) -> Codes:
    """`base` for some frames; voices given as name=code begin on the first frame and are held."""
    piece = np.tile(base, (frames, 1))
    for name, code in onsets.items():
        level = next(b.level for b in tk.CODEBOOKS if b.name == name)
        piece[:, level] = 0 if level == tk.DRUMS else tk.HOLD
        piece[0, level] = code
    return piece


def play(step: Step, tables: Tables, pieces: list[Codes], state: SynthState | None = None) -> tuple[SynthState, Audio]:
    """Up to ROWS pieces of equal length, the rest of the rows silent plans: audio [ROWS, T * FRAME, 2]."""
    frames = len(pieces[0])
    codes = np.stack([*pieces, *[np.tile(plan(), (frames, 1))] * (ROWS - len(pieces))])
    state = init_state(ROWS) if state is None else state
    out = []
    for t in range(frames):
        state, audio = step(tables, state, jnp.asarray(codes[:, t]))
        out.append(np.asarray(audio))
    return state, np.concatenate(out, 1)


def random_codes(rng: np.random.Generator, frames: int) -> Codes:
    return rng.integers(0, tk.SIZES, (frames, tk.LEVELS), dtype=np.int32)


def high_share(audio: Audio, above: float) -> float:
    power = np.abs(np.fft.rfft(audio.mean(-1))) ** 2
    return float(power[np.fft.rfftfreq(len(audio), 1 / RATE) > above].sum() / power.sum())


def test_a_row_is_the_same_among_noisy_neighbours(step: Step, tables: Tables) -> None:
    rng = np.random.default_rng(1)
    mine = random_codes(rng, 12)
    _, alone = play(step, tables, [mine])
    _, crowded = play(step, tables, [mine, *[random_codes(rng, 12) * 3 - 50 for _ in range(ROWS - 1)]])
    assert np.abs(alone[0]).max() > 0.05
    np.testing.assert_array_equal(alone[0], crowded[0])
    assert not np.array_equal(alone[1], crowded[1])


def test_streaming_in_parts_is_deterministic(step: Step, tables: Tables) -> None:
    pieces = [random_codes(np.random.default_rng(i), 14) for i in range(ROWS)]
    _, whole = play(step, tables, pieces)
    state, first = play(step, tables, [p[:5] for p in pieces])
    _, second = play(step, tables, [p[5:] for p in pieces], state)
    np.testing.assert_array_equal(whole, np.concatenate([first, second], 1))


def test_silence_stays_silent_and_sound_dies_away(step: Step, tables: Tables) -> None:
    chord = held(5, plan(), pad=chord_code(1), drums=hits("kick", "crash"))
    state, loud = play(step, tables, [chord])
    _, tail = play(step, tables, [np.tile(plan(), (200, 1))], state)
    assert np.abs(loud[0]).max() > 0.02
    assert np.abs(loud[1:]).max() == 0.0
    assert np.abs(tail[0, -5 * FRAME :]).max() < 1e-3
    assert np.abs(tail[0, -5 * FRAME :]).max() < 0.02 * np.abs(tail[0, : 5 * FRAME]).max()


@pytest.mark.parametrize("level", [tk.BASS, tk.ARP, tk.LEAD, tk.COUNTER], ids=lambda i: tk.CODEBOOKS[i].name)
def test_a_note_has_the_pitch_of_its_code(step: Step, tables: Tables, level: int) -> None:
    name = tk.CODEBOOKS[level].name
    base = plan(bass="sub", arp="e-piano", lead="flute", counter="strings")
    pitches = [12, 17, 19, 22]
    _, audio = play(step, tables, [held(12, base, **{name: note(level, p)}) for p in pitches])
    for row, pitch in enumerate(pitches):
        tail = audio[row, 3 * FRAME :].mean(-1)
        spectrum = np.abs(np.fft.rfft(tail * np.hanning(len(tail)), 1 << 18))
        peak = float(np.argmax(spectrum)) * RATE / (1 << 18)
        wanted = 440 * 2 ** ((float(tk.voice_midi(level, pitch, 0, 0)) - 69) / 12)
        assert peak == pytest.approx(wanted, rel=0.01)


def test_a_pad_sounds_the_notes_of_its_chord(step: Step, tables: Tables) -> None:
    voicings = [1, 3, 5, 7]
    base = plan(pad="organ", quality="min7")
    _, audio = play(step, tables, [held(24, base, pad=chord_code(v)) for v in voicings])
    for row, voicing in enumerate(voicings):
        wanted = pad_notes(0, 0, tk.QUALITIES.index("min7"), voicing)
        mine = np.sort(np.asarray(pad_midi(jnp.array(voicing), jnp.array(0), jnp.array(0), jnp.array(5))))
        np.testing.assert_array_equal(mine, sorted(wanted))
        tail = audio[row, 3 * FRAME :].mean(-1)
        spectrum = np.abs(np.fft.rfft(tail * np.hanning(len(tail)), 1 << 17))
        for midi in wanted:
            bin_of = 440 * 2 ** ((midi - 69) / 12) / RATE * (1 << 17)
            near = spectrum[int(bin_of * 0.992) : int(bin_of * 1.008) + 2].max()
            between = spectrum[int(bin_of * 0.972) : int(bin_of * 0.978)].max()  # a quarter tone below
            assert near > 4 * between


def test_no_clicks_at_frame_edges(step: Step, tables: Tables) -> None:
    """The third difference at frame edges is no larger than at segment edges inside frames, while notes are held."""
    pads = ["warm", "strings", "choir", "glass", "organ", "dark drone", "airy", "brass"]
    pieces = [
        held(40, plan(pad=p, bass="low strings", lead="horn"), pad=chord_code(1),
             bass=note(tk.BASS, 12), lead=note(tk.LEAD, 24))
        for p in pads
    ]  # fmt: skip
    for piece in pieces:  # a mix that moves all the time
        piece[:, tk.MIX] = tk.CODEBOOKS[tk.MIX].encode(
            intensity=np.arange(40) // 5, reverb=1, brightness=np.arange(40) // 10, drums=1
        )
    _, audio = play(step, tables, pieces)
    jerk = np.abs(np.diff(audio[:, 8 * FRAME :], n=3, axis=1)).max(-1)
    start = np.arange(1, 30) * FRAME - 3

    def size(offset: int) -> Audio:
        return np.asarray(np.stack([jerk[:, start + offset + k] for k in range(4)]).max(0).mean(1))

    inside = np.stack([size(k * SEGMENT) for k in (5, 10, 15, 20, 25)]).mean(0)
    assert (size(0) < 1.5 * inside).all()


def test_stolen_voices_do_not_click(step: Step, tables: Tables) -> None:
    """Where notes cut each other off the waveform is hardly rougher than its own roughest half per cent."""
    piece = np.tile(plan(arp="saw pluck", bass="saw", lead="saw"), (40, 1))
    for t in range(0, 40, 2):
        piece[t, tk.BASS] = note(tk.BASS, 12 + t % 5)
        piece[t, tk.LEAD] = note(tk.LEAD, 14 + t % 7, 2)
    piece[1::2, [tk.BASS, tk.LEAD]] = tk.HOLD
    _, audio = play(step, tables, [piece])
    jerk = np.abs(np.diff(audio[0], n=3, axis=0)).max(-1)
    edges = np.arange(8, 40) * FRAME
    at_edges = np.stack([jerk[edges - 3 + k] for k in range(4)]).max(0)
    inside = jerk.reshape(-1)[8 * FRAME :]
    assert at_edges.max() < 3 * np.percentile(inside, 99.5)


def test_every_code_is_valid_and_wild_codes_are_clamped(step: Step, tables: Tables) -> None:
    frames = -(-max(tk.SIZES) // ROWS)
    sweep = (
        np.stack([np.arange(frames * ROWS) % size for size in tk.SIZES], 1).astype(np.int32).reshape(frames, ROWS, -1)
    )
    state, audio = play(step, tables, list(sweep.swapaxes(0, 1)))
    assert np.isfinite(audio).all()
    assert np.abs(audio).max() < 8
    wild = np.array([[np.iinfo(np.int32).min] * 12, [np.iinfo(np.int32).max] * 12, [-1] * 12, [1 << 20] * 12], np.int32)
    state, audio = play(step, tables, list(np.repeat(wild[:, None], 5, 1)), state)
    assert np.isfinite(audio).all()
    assert all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(state))


def test_codes_out_of_range_mean_the_nearest_code(step: Step, tables: Tables) -> None:
    top = np.array(tk.SIZES, np.int32) - 1
    _, audio = play(step, tables, [np.tile(top, (6, 1)), np.tile(top + 1000, (6, 1))])
    np.testing.assert_array_equal(audio[0], audio[1])


def test_state_keeps_its_shapes_and_rows(step: Step, tables: Tables) -> None:
    fresh = init_state(ROWS)
    state, _ = play(step, tables, [random_codes(np.random.default_rng(3), 3)])
    for a, b in zip(jax.tree.leaves(fresh), jax.tree.leaves(state), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        assert a.shape[0] == ROWS


def test_a_chord_pattern_has_the_house_loudness(step: Step, tables: Tables) -> None:
    pieces = []
    bands = (("flute", "acoustic", "upright"), ("saw", "electronic", "saw"), ("horn", "orchestral", "low strings"))
    for lead, kit, bass in bands:
        piece = np.tile(plan(lead=lead, kit=kit, bass=bass), (128, 1))
        for t in range(128):
            step16 = t // 4
            if t % 4:
                piece[t, tk.BASS :] = tk.HOLD
                continue
            piece[t, tk.BASS] = note(tk.BASS, 12) if step16 % 4 == 0 else tk.HOLD
            piece[t, tk.PAD] = chord_code(1) if step16 % 16 == 0 else tk.HOLD
            piece[t, tk.ARP] = note(tk.ARP, (12, 16, 19, 24)[step16 // 2 % 4]) if step16 % 2 == 0 else tk.HOLD
            piece[t, tk.LEAD] = note(tk.LEAD, (24, 26, 28, 31)[step16 // 4 % 4], 1) if step16 % 4 == 0 else tk.HOLD
            drums = ["closed hat"] + ["kick"] * (step16 % 8 == 0) + ["snare"] * (step16 % 8 == 4)
            piece[t, tk.DRUMS] = hits(*drums) if step16 % 2 == 0 else 0
        pieces.append(piece)
    _, audio = play(step, tables, pieces)
    meter = pyloudnorm.Meter(RATE)
    for row in range(len(pieces)):
        assert -22.0 < meter.integrated_loudness(audio[row].astype(np.float64)) < -14.0
        assert np.abs(audio[row]).max() < 1.5


def test_cymbals_are_bright_and_kicks_are_not(step: Step, tables: Tables) -> None:
    drums = ("closed hat", "open hat", "shaker", "kick")
    pieces = [held(10, plan(kit=kit), drums=hits(drum)) for kit in ("acoustic", "electronic") for drum in drums]
    _, audio = play(step, tables, pieces)
    for first in (0, 4):
        assert min(high_share(audio[first + k], 8000) for k in range(3)) > 0.35
        assert high_share(audio[first + 3], 8000) < 0.05


def test_effects_ring_by_themselves_and_silence_the_counter(step: Step, tables: Tables) -> None:
    pieces = []
    for effect in range(len(tk.EFFECTS)):
        piece = np.tile(plan(counter="strings"), (76, 1))
        piece[0, tk.COUNTER] = tk.FIRST_EFFECT + effect
        pieces.append(piece)
    _, audio = play(step, tables, pieces)
    assert (np.abs(audio).max((1, 2)) > 0.05).all()
    piece = held(30, plan(counter="strings"), counter=note(tk.COUNTER, 24))
    piece[10, tk.COUNTER] = tk.FIRST_EFFECT + tk.EFFECTS.index("thump")
    piece[11:, tk.COUNTER] = tk.HOLD
    _, audio = play(step, tables, [piece])
    state, _ = play(step, tables, [piece])
    counter_slots = np.asarray(state.notes.released)[0, -2:]
    assert (counter_slots >= 0).all()


def test_a_bed_loops_without_a_seam(tables: Tables) -> None:
    samples = tables.samples
    for bed in range(1, len(tk.BEDS)):
        start = int(samples.bed_start[bed])
        whole = np.asarray(samples.blocks[start : start + 200]).swapaxes(0, 1).reshape(2, -1)
        seam = np.abs(whole[:, 0] - whole[:, -1]).max()
        assert seam <= np.abs(np.diff(whole, axis=1)).max()
        assert whole.std() > 0.004
