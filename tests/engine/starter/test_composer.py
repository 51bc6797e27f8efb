# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cache
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue_engine.models.starter import tokens as tk
from segue_engine.models.starter.composer import Composer, compose_batch, lead_line, piano_roll
from segue_engine.models.starter.composer.attributes import Latents, crossing, family_shares, make_plan
from segue_engine.models.starter.composer.harmony import chord_at, chord_tones, scale_of
from segue_engine.models.starter.composer.trajectories import sample_style
from segue_engine.models.starter.evaluation.music import Figures, measure
from segue_engine.styles.tags import FAMILIES, TAG_INDEX, tag_vector

Tokens = np.ndarray
VOICES = (tk.BASS, tk.PAD, tk.ARP, tk.LEAD, tk.COUNTER)


def _style(frames: int, **weights: float) -> np.ndarray:
    return np.repeat(tag_vector(weights)[None], frames, axis=0)


@cache
def _piece(family: str, seed: int = 0, frames: int = 1500) -> Tokens:
    return Composer(seed).run(_style(frames, **{family: 1.0}))


@cache
def _figures(family: str) -> Figures:
    return measure(_piece(family, 1, 2500))


def _assert_lawful(x: Tokens) -> None:
    """What every piece obeys, whatever its style, flags and mistakes."""
    assert (x >= 0).all()
    assert (x < np.array(tk.SIZES)).all()
    clock = x[:, tk.CLOCK]
    step, sub = tk.CLOCK_STEP[clock], tk.CLOCK_SUBFRAME[clock]
    grid = (sub == 0) | ((sub == 1) & (step % 2 == 1))
    assert grid[x[:, tk.DRUMS] > 0].all()
    for level in VOICES:
        code = x[:, level]
        assert grid[code >= tk.FIRST_ONSET].all()
        before = code[:-1][code[1:] == tk.HOLD]
        assert (before != tk.SILENT).all(), "a hold must continue a note"
        if level == tk.COUNTER:
            assert (before < tk.FIRST_EFFECT).all()
        assert code[0] != tk.HOLD
    jumps = np.flatnonzero(tk.CLOCK_SUCCESSOR[clock[:-1]] != clock[1:]) + 1
    position, frames = tk.CLOCK_POSITION[clock], tk.CLOCK_FRAMES[clock]
    assert (position[jumps] % (4 * frames[jumps]) == 0).all(), "the clock jumps to beats only"
    assert (x[x[:, tk.MIX] & 1 == 0, tk.DRUMS] == 0).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_every_piece_is_lawful(seed: int, augment: bool) -> None:
    batch = compose_batch(seed, 1, 900, augment)
    _assert_lawful(batch.tokens[0].astype(np.int64))


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32),
    st.lists(st.floats(0, 1, width=32), min_size=34, max_size=34).filter(lambda w: sum(w) > 0.1),
    st.lists(st.integers(-1, 1), min_size=1, max_size=6),
)
def test_any_style_and_any_flags_are_lawful(seed: int, weights: list[float], flags: list[int]) -> None:
    styles = np.repeat(np.array(weights, np.float32)[None], 400, axis=0)
    x = Composer(seed).run(styles, np.resize(np.repeat(flags, 37), 400))
    _assert_lawful(x.astype(np.int64))


def test_the_same_seed_gives_the_same_piece() -> None:
    styles = _style(700, village=1.0, bright=0.4)
    np.testing.assert_array_equal(Composer(5).run(styles), Composer(5).run(styles))
    assert (Composer(5).run(styles) != Composer(6).run(styles)).any()
    a, b = compose_batch(9, 2, 300), compose_batch(9, 3, 300)
    np.testing.assert_array_equal(a.tokens, b.tokens[:2])
    np.testing.assert_array_equal(a.style, b.style[:2])


@pytest.mark.parametrize("family", FAMILIES)
def test_each_mood_is_in_key_on_the_beat_and_moves_on(family: str) -> None:
    f = _figures(family)
    assert f.in_key >= 0.97
    assert f.on_grid == 1.0
    assert f.clock == 1.0
    assert f.bass_chord >= 0.85
    assert f.strong_chord >= 0.97
    assert f.motif_field == 1.0
    assert f.stuck == 0.0
    assert f.silent_frames < 0.1
    assert f.notes_per_second > 0.4


def test_motifs_return_and_change() -> None:
    busy = [f for f in FAMILIES if f not in ("horror", "space", "underwater", "stealth")]
    exact = np.array([_figures(f).motif_exact for f in busy])
    rhythm = np.array([_figures(f).motif_rhythm for f in busy])
    assert exact.mean() > 0.45
    assert (rhythm > 0.45).all()
    assert all(_figures(f).lead_distinct > 0.1 for f in busy)


def test_ten_minutes_keep_evolving() -> None:
    x = _piece("exploration", 4, 15_000)
    bars = np.flatnonzero(tk.CLOCK_POSITION[x[:, tk.CLOCK]] == 0)
    thirds = np.array_split(bars[:-1], 3)
    chords = [{tuple(x[b, (tk.CHORD,)] // 4) for b in part} for part in thirds]
    leads = [{x[b : b + 64, tk.LEAD].tobytes() for b in part} for part in thirds]
    assert len(set(x[:, tk.KEY] // 64)) >= 2, "the key changes"
    assert len(leads[2] - leads[0]) > 5, "later motifs are new"
    assert all(len(c) >= 3 for c in chords)
    assert len(set(x[:, tk.PALETTE_HIGH])) + len(set(x[:, tk.PALETTE_LOW])) > 2, "the orchestration changes"


def test_tempo_and_energy_tell_moods_apart() -> None:
    assert _figures("boss").intensity > _figures("combat").intensity - 0.05 > _figures("village").intensity
    assert _figures("combat").notes_per_second > 2 * _figures("exploration").notes_per_second
    assert _figures("horror").notes_per_second < 2.0
    assert _figures("horror").effects_per_minute > 5.0
    assert _figures("lofi").effects_per_minute == 0.0


def test_lofi_swings_and_others_do_not() -> None:
    def late(family: str) -> bool:
        x = _piece(family, 2, 1500)
        clock = x[:, tk.CLOCK]
        sub = tk.CLOCK_SUBFRAME[clock]
        return bool(((x[:, tk.ARP] >= tk.FIRST_ONSET) & (sub == 1)).any())

    assert late("lofi")
    assert not late("village")


@pytest.mark.parametrize("seed", range(6))
def test_a_jump_is_answered_within_a_beat(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.choice(16, 2, replace=False)
    at = int(rng.integers(200, 400))
    styles = np.zeros((700, 34), np.float32)
    styles[:at, a] = styles[at:, b] = 1.0
    x = Composer(seed).run(styles)
    after = x[at - 1 :]
    starts = np.flatnonzero((tk.CLOCK_POSITION[after[:, tk.CLOCK]] == 0) & (after[:, tk.KEY] % 8 == 0))
    reaction = int(starts[0]) - 1
    assert 0 <= reaction <= 4 * int(tk.CLOCK_FRAMES[x[at, tk.CLOCK]])
    plan = make_plan(tag_vector({FAMILIES[b]: 1.0}), Latents.draw(Random(seed)))
    assert plan.lead.family == b


@pytest.mark.parametrize(
    ("family", "seed"), [("combat", 0), ("sad", 1), ("horror", 2), ("village", 3), ("underwater", 4)]
)
def test_the_drum_flag_wins_over_the_style(family: str, seed: int) -> None:
    flags = np.repeat(np.array([-1, 0, 1, 0, 1, -1], np.int8), 250)
    x = Composer(seed).run(_style(len(flags), **{family: 1.0}), flags).astype(np.int64)
    beat = 4 * int(tk.CLOCK_FRAMES[x[:, tk.CLOCK]].max())
    for part, flag in enumerate((-1, 0, 1, 0, 1, -1)):
        rows = x[250 * part + (beat if part else 0) : 250 * (part + 1)]
        hits = int((rows[:, tk.DRUMS] > 0).sum())
        if flag == 0:
            assert hits == 0
            assert (rows[:, tk.MIX] & 1 == 0).all()
        elif flag == 1:
            assert hits >= 8
            assert (rows[:, tk.MIX] & 1 == 1).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.01, 1), min_size=16, max_size=16))
def test_coupled_choices_have_the_shares_as_marginals(weights: list[float]) -> None:
    style = np.zeros(34, np.float32)
    style[:16] = weights
    style /= np.linalg.norm(style)
    shares = family_shares(style)
    grid = (np.arange(4000) + 0.5) / 4000
    picked = np.bincount([crossing(shares, u) for u in grid], minlength=16) / 4000
    np.testing.assert_allclose(picked, shares, atol=1e-3)


def test_a_crossfade_flips_every_group_exactly_once() -> None:
    for seed in range(20):
        latents = Latents.draw(Random(seed))
        picks = []
        for share in np.linspace(0, 1, 60):
            shares = family_shares(tag_vector({"exploration": 1.0 - share, "combat": share}))
            picks.append([crossing(shares, u) for u in latents.family])
        flips = (np.diff(np.array(picks), axis=0) != 0).sum(axis=0)
        assert (flips == 1).all()


def test_a_blend_sounds_between_its_parts() -> None:
    frames = 2500
    densities = []
    for share in (0.0, 0.5, 1.0):
        per = [measure(Composer(s).run(_style(frames, exploration=1 - share, combat=share))) for s in range(4)]
        densities.append((np.mean([p.notes_per_second for p in per]), np.mean([p.intensity for p in per])))
    for low, middle, high in zip(*densities, strict=True):
        assert low < middle < high


def test_modifiers_do_what_they_say() -> None:
    latents = Latents.draw(Random(3))

    def plan(**weights: float) -> object:
        return make_plan(tag_vector(weights), latents)

    base = make_plan(tag_vector({"village": 1.0}), latents)
    assert make_plan(tag_vector({"village": 1.0, "fast": 0.6}), latents).frames < base.frames
    assert make_plan(tag_vector({"village": 1.0, "slow": 0.6}), latents).frames > base.frames
    assert make_plan(tag_vector({"village": 1.0, "intense": 0.6}), latents).intensity > base.intensity
    assert make_plan(tag_vector({"village": 1.0, "calm": 0.6}), latents).intensity < base.intensity
    assert make_plan(tag_vector({"village": 1.0, "drumless": 0.6}), latents).drums.pattern == "none"
    assert make_plan(tag_vector({"sad": 1.0, "drums": 0.6}), latents).drums.pattern == "rock"
    assert make_plan(tag_vector({"exploration": 1.0, "dark": 0.6}), latents).harmony.mode != base.harmony.mode
    assert make_plan(tag_vector({"combat": 1.0, "piano": 0.6}), latents).lead.patch == tk.LEAD_PATCHES.index("piano")
    assert make_plan(tag_vector({"bells": 1.0, "bright": 0.5}), latents).arp.patch == tk.ARP_PATCHES.index("bell")
    assert plan(bells=1.0) == plan(bells=1.0)


@pytest.mark.parametrize("mode", range(8))
@pytest.mark.parametrize("colour", ["triad", "power", "seventh", "sus7", "dim"])
def test_chords_stay_in_their_scale(mode: int, colour: str) -> None:
    assert chord_at(mode, 0, colour) is not None
    for degree in range(7):
        chord = chord_at(mode, degree, colour)
        if chord is not None:
            assert {(chord.root + t) % 12 for t in chord_tones(chord.quality)} <= set(scale_of(mode))


def test_the_lead_line_and_roll_follow_the_tokens() -> None:
    x = _piece("victory", 3, 800)
    lead = lead_line(x)
    onsets = x[:, tk.LEAD] >= tk.FIRST_ONSET
    np.testing.assert_array_equal(lead > 0, onsets)
    np.testing.assert_array_equal(lead < 0, x[:, tk.LEAD] == tk.HOLD)
    held = np.flatnonzero(lead < 0)
    np.testing.assert_array_equal(-lead[held], np.abs(lead[held - 1]))
    roll = piano_roll(lead)
    assert roll.shape == (800, 128)
    np.testing.assert_array_equal(roll.max(axis=1), np.where(onsets, 2, np.where(lead < 0, 1, 0)))
    np.testing.assert_array_equal(roll.argmax(axis=1)[lead != 0], np.abs(lead[lead != 0]))


def test_batches_carry_flags_jumps_and_mistrust() -> None:
    batch = compose_batch(11, 40, 700)
    assert batch.tokens.dtype == np.int16
    assert batch.style.shape == (40, 700, 34)
    np.testing.assert_allclose(np.linalg.norm(batch.style, axis=2), 1.0, atol=1e-4)
    assert {-1, 0, 1} <= set(np.unique(batch.drums_flag))
    changes = (np.einsum("ntd,ntd->nt", batch.style[:, 1:], batch.style[:, :-1]) < 0.88).any(axis=1)
    assert changes.mean() > 0.4
    assert 0.9 < batch.trusted.mean() < 1.0
    assert compose_batch(11, 3, 300, augment=False).trusted.all()


def test_sampled_styles_are_unit_length() -> None:
    rng = np.random.default_rng(0)
    styles = np.stack([sample_style(rng) for _ in range(300)])
    np.testing.assert_allclose(np.linalg.norm(styles, axis=1), 1.0, atol=1e-5)
    assert (styles.max(axis=0) > 0).all()
    assert (styles[:, : TAG_INDEX["fast"]].sum(axis=1) == 0).any(), "some styles name no mood"


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="styles"):
        Composer(0).run(np.zeros((5, 3)))
    with pytest.raises(ValueError, match="not zero"):
        Composer(0).run(np.zeros((5, 34)))
    with pytest.raises(ValueError, match="drums_flag"):
        Composer(0).run(_style(5, combat=1.0), np.full(5, 2))
    with pytest.raises(ValueError, match="n >= 1"):
        compose_batch(0, 0, 10)
