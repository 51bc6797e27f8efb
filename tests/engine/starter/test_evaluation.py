# SPDX-License-Identifier: Apache-2.0
"""Each part of the evaluation on cases whose answer is known. No audio is rendered here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray

from segue_engine.contract import FRAME_SAMPLES, SAMPLE_RATE, Capabilities, Sampling
from segue_engine.frame_model import StepRows
from segue_engine.mastering.measure import find_clicks
from segue_engine.models.starter import tokens as tk
from segue_engine.models.starter.composer import Composer
from segue_engine.models.starter.evaluation.audio_features import audio_features
from segue_engine.models.starter.evaluation.blends import Blends, between, blend, monotone
from segue_engine.models.starter.evaluation.classifier import (
    LinearClassifier,
    accuracy,
    cached,
    content_key,
    family_vectors,
    fit,
)
from segue_engine.models.starter.evaluation.crossfade import Ramps, measure_crossfades
from segue_engine.models.starter.evaluation.drum_flag import drum_flag, hits_per_second
from segue_engine.models.starter.evaluation.edges import edge_clicks, edge_figures, quiet_edges
from segue_engine.models.starter.evaluation.generate import (
    Advance,
    ComposerPerformer,
    Draw,
    ModelPerformer,
    constant,
    free_flags,
    piece_seeds,
    style_codes,
)
from segue_engine.models.starter.evaluation.groups import GROUPS, fits, group_values
from segue_engine.models.starter.evaluation.judges import Training, token_judge, token_windows
from segue_engine.models.starter.evaluation.percentiles import JUDGED, compare, window_figures
from segue_engine.models.starter.evaluation.reaction import (
    NEVER,
    Jumps,
    Reactions,
    flip_seconds,
    measure_reaction,
)
from segue_engine.models.starter.evaluation.sizes import Sizes
from segue_engine.models.starter.evaluation.sound import CENTRES, correlation, loudness_range, spectral_balance
from segue_engine.models.starter.evaluation.token_features import token_features, windows
from segue_engine.styles.rvq import ResidualQuantiser
from segue_engine.styles.tags import FAMILIES

COMBAT, SAD, LOFI, CHIPTUNE = (FAMILIES.index(name) for name in ("combat", "sad", "lofi", "chiptune"))
COMPOSER = ComposerPerformer()


def piece(family: int, frames: int, seed: int = 1) -> NDArray[np.int16]:
    return Composer(seed).run(constant(family_vectors([family])[0], frames))


@pytest.fixture(scope="module")
def trailing() -> LinearClassifier:
    return token_judge(Training((COMBAT, SAD), 3, 400, 0), 75, None, None)


# -- who plays --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def quantiser() -> ResidualQuantiser:
    books = np.random.default_rng(0).standard_normal((12, 1024, 34)).astype(np.float32) * 0.1
    return ResidualQuantiser(books)


def test_style_codes_follow_jumps_at_once_and_fades_every_five_frames(quantiser: ResidualQuantiser) -> None:
    a, b = family_vectors([COMBAT, SAD])
    jump = np.where((np.arange(20) >= 7)[:, None], b, a)
    codes = style_codes(quantiser, jump)
    assert (codes[:7] == quantiser.encode(a[None])).all()
    assert (codes[7:] == quantiser.encode(b[None])).all()
    share = (np.arange(60) / 60.0)[:, None].astype(np.float32)
    codes = style_codes(quantiser, (1 - share) * a + share * b)
    changes = np.flatnonzero((codes[1:] != codes[:-1]).any(1)) + 1
    assert len(changes) > 5
    assert (changes % 5 == 0).all()


class Echo:
    """A frame model whose codes say what it was given; the ring counts the frames of each row."""

    name, version, levels, codec_delay, clock = "echo", "echo-1", tk.LEVELS, 0, None
    capabilities = Capabilities(notes=False, drums=True, guidance=True, clock=False)
    default_sampling = Sampling(temperature=0.5, min_p=0.25)
    two_pass_guidance, codec_memory, memory = True, None, 64
    params = jnp.zeros(())

    def init_rings(self, rows: int, rewind: int) -> Any:
        return jnp.zeros(rows, jnp.int32)

    def init_codec(self, rows: int) -> Any:
        return ()

    def step(self, params: Any, rings: Any, rows: StepRows, *, guided: bool) -> tuple[Any, jax.Array]:
        made = jnp.zeros((len(rows.frame), tk.LEVELS), jnp.int32)
        told = [rows.frame, rings, rows.style_codes[:, 0], rows.drums + 1, rows.seed[:, 1] % 1000]
        told += [rows.temperature * 100, rows.min_p * 100, rows.guidance[:, 0] * 10, jnp.full_like(rows.frame, guided)]
        for level, value in enumerate(told):
            made = made.at[:, level].set(value.astype(jnp.int32))
        return jnp.where(rows.due, rings + 1, rings), made

    def force(self, params: Any, rings: Any, rows: StepRows, codes: jax.Array) -> Any:
        return rings

    def absorb(self, params: Any, rings: Any, rows: StepRows, codes: jax.Array, count: jax.Array) -> Any:
        return rings

    def decode(self, params: Any, codec: Any, codes: jax.Array, due: jax.Array) -> tuple[Any, jax.Array]:
        raise NotImplementedError


def test_a_model_is_given_its_own_row_of_everything(quantiser: ResidualQuantiser) -> None:
    frames, styles = 12, family_vectors([COMBAT, SAD, LOFI])
    flags = np.array([[-1] * frames, [0] * frames, [1] * frames], np.int8)
    flags[1, 6:] = 1
    seeds = piece_seeds(3, 1, 3)
    told: list[int] = []
    player = ModelPerformer(Echo(), quantiser, rows=2, chunk=5)
    out = player.perform(constant(styles, frames), flags, seeds, told.append)
    assert out.shape == (3, frames, tk.LEVELS)
    assert sum(told) == 3 * frames
    assert (out[:, :, 0] == np.arange(frames)).all()  # the frame's index, also past a chunk
    assert (out[:, :, 1] == np.arange(frames)).all()  # rings carried on, and fresh for the second batch
    assert (out[:, 0, 2] == quantiser.encode(styles)[:, 0]).all()
    assert (out[:, :, 3] == flags + 1).all()
    assert (out[:, 0, 4] == (seeds & 0xFFFF_FFFF) % 1000).all()
    assert (out[:, :, 5:9] == (50, 25, 10, 0)).all()  # the model's own sampling, unguided
    guided = ModelPerformer(Echo(), quantiser, draw=Draw(temperature=0.8, guidance=2.0), rows=3, chunk=5)
    out = guided.perform(constant(styles, frames), flags, seeds)
    assert (out[:, :, 5:9] == (80, 25, 20, 1)).all()


def test_performers_refuse_shapes_that_do_not_fit() -> None:
    styles = constant(family_vectors([COMBAT]), 8)
    with pytest.raises(ValueError, match="drums_flag: expected"):
        COMPOSER.perform(styles, free_flags(1, 7), piece_seeds(0, 1, 1))
    with pytest.raises(ValueError, match="seeds: expected"):
        COMPOSER.perform(styles, free_flags(1, 8), piece_seeds(0, 1, 2))
    with pytest.raises(ValueError, match="guidance: expected"):
        Draw(guidance=9.0)
    assert len(set(piece_seeds(0, 1, 50)) | set(piece_seeds(0, 2, 50)) | set(piece_seeds(1, 1, 50))) == 150


# -- judges -----------------------------------------------------------------------------------------------------------


def test_token_features_hear_no_plan_code() -> None:
    parts = windows(piece(COMBAT, 300), 250, 25)
    changed = parts.copy()
    rng = np.random.default_rng(0)
    for level in (tk.CLOCK, tk.PALETTE_LOW, tk.PALETTE_HIGH, tk.MIX):
        changed[:, :, level] = rng.integers(0, tk.SIZES[level], changed.shape[:2])
    assert (token_features(parts) == token_features(changed)).all()
    changed[:, :, tk.DRUMS] = 0
    assert (token_features(parts) != token_features(changed)).any()
    assert token_features(parts[:, :40]).shape[1] == token_features(parts).shape[1]


def test_token_judge_knows_styles_that_it_did_not_train_on_the_seeds_of() -> None:
    families = (COMBAT, SAD, LOFI, CHIPTUNE)
    judge = token_judge(Training(families, 2, 500, 0), 250, None, None)
    held_out = np.stack([piece(f, 500, seed=99 + f) for f in families])
    result = accuracy(judge, *token_windows(held_out, np.array(families), 250, 250))
    assert result.confusion.sum() == 8
    assert result.share >= 0.75
    assert np.isnan(result.per_class()[0])  # nobody asked for exploration


def test_audio_features_tell_noise_from_a_tone() -> None:
    rng = np.random.default_rng(0)
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    rows, labels = [], []
    for i in range(6):
        tone = 0.1 * np.sin(2 * np.pi * (300 + 40 * i) * time)
        noise = 0.1 * rng.standard_normal(len(time))
        for label, signal in enumerate((tone, noise)):
            rows.append(audio_features(np.stack([signal, signal], 1).astype(np.float32)))
            labels.append(label)
    features, truth = np.stack(rows), np.array(labels)
    assert np.isfinite(features).all()
    assert accuracy(fit(features[:8], truth[:8], 2), features[8:], truth[8:]).share == 1.0
    assert np.isfinite(audio_features(np.zeros((SAMPLE_RATE, 2), np.float32))).all()
    with pytest.raises(ValueError, match="audio: expected"):
        audio_features(np.zeros(4800, np.float32))


def test_a_judge_is_kept_and_a_damaged_one_trained_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((30, 4)).astype(np.float32)
    labels = np.repeat([0, 2, 5], 10)
    features[labels == 2] += 4.0
    trained: list[int] = []

    def train() -> LinearClassifier:
        trained.append(1)
        return fit(features, labels, 16)

    first = cached(tmp_path, "a", train)
    assert set(first.predict(features)) <= {0, 2, 5}
    assert (cached(tmp_path, "a", train).predict(features) == first.predict(features)).all()
    assert len(trained) == 1
    (tmp_path / "a.npz").write_bytes(b"not a judge")
    cached(tmp_path, "a", train)
    assert len(trained) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]
    source = tmp_path / "source.py"
    source.write_text("x = 1")
    before = content_key([source], "s")
    source.write_text("x = 2")
    assert len({before, content_key([source], "s"), content_key([source], "t")}) == 3


# -- steering ---------------------------------------------------------------------------------------------------------


def test_the_composer_stays_within_what_its_families_allow() -> None:
    for family in range(len(FAMILIES)):
        assert fits(group_values(piece(family, 400)), family).all(), FAMILIES[family]
    assert not fits(group_values(piece(SAD, 10)), CHIPTUNE)[:, GROUPS.index("tempo")].any()


@pytest.mark.parametrize("late", [0, 30])
def test_a_late_reaction_is_measured_as_late(trailing: LinearClassifier, late: int) -> None:
    at, after = 100, 200
    played = np.concatenate([piece(COMBAT, at + late), piece(SAD, after - late)])
    changed, settled, flipped, correct = measure_reaction(played, at, SAD, trailing, after)
    assert changed == settled == pytest.approx(late / 25.0)
    assert late / 25.0 < flipped <= late / 25.0 + 3.4
    assert correct


def test_no_reaction_is_never(trailing: LinearClassifier) -> None:
    assert measure_reaction(piece(COMBAT, 300), 100, SAD, trailing, 200) == (NEVER, NEVER, NEVER, False)
    some = np.array([0.2, 0.4, NEVER])
    summary = Reactions(some, some, some, np.array([True, True, False]), 8.0).summary()
    assert summary["changed_median_s"] == 0.4
    assert summary["changed_p90_s"] == NEVER
    assert summary["flipped_share"] == pytest.approx(2 / 3)


def test_a_stray_verdict_is_no_flip() -> None:
    verdicts = np.array([0, 0, 7, 0, 7, 7, 7, 7, 7, 0])
    assert flip_seconds(verdicts, 7, hop=2, hold=5) == pytest.approx(4 * 2 / 25)
    assert flip_seconds(verdicts, 7, hop=2, hold=6) == NEVER
    assert flip_seconds(verdicts[:3], 7) == NEVER


def test_jumps_are_drawn_alike_and_lead_from_one_family_to_another() -> None:
    first, second = (Jumps.draw(np.random.default_rng(5), (COMBAT, SAD, LOFI), 9, 100, 80) for _ in range(2))
    assert (first.styles() == second.styles()).all()
    assert (first.sources != first.targets).all()
    assert (first.at > 75).all()
    assert (first.at <= 100).all()
    styles = first.styles()
    for i, at in enumerate(first.at):
        assert styles[i, at - 1, first.sources[i]] == 1.0 == styles[i, at, first.targets[i]]


def test_a_group_that_misses_the_ramp_is_found() -> None:
    ramps = Ramps(np.array([COMBAT, COMBAT]), np.array([SAD, SAD]), before=80, ramp=50, after=125)
    held = ramps.styles()
    assert held[0, 79, COMBAT] > held[0, 104, COMBAT] > held[0, 129, COMBAT] == 0.0
    arrived = np.concatenate([piece(COMBAT, 100), piece(SAD, 155)])
    stale = arrived.copy()
    stale[:180, tk.PALETTE_HIGH] = arrived[0, tk.PALETTE_HIGH]  # arp, lead and pad 2 s late
    stale[:, tk.PALETTE_LOW] = arrived[0, tk.PALETTE_LOW]  # kit, bass, counter and bed never
    result = measure_crossfades(np.stack([arrived, stale]), ramps)
    summary = result.summary()
    assert summary["ramp_end"]["lead"] == 0.5
    assert summary["later"]["lead"] == 1.0
    assert summary["later"]["tempo"] == 1.0
    assert summary["later"]["bed"] == 0.5
    assert summary["ramp_end"]["whole runs"] == 0.5
    assert result.curve()[:100].max() == 0.0


def test_blends_are_between_their_parts_or_not() -> None:
    assert between(np.array([0.0, 0.4, 1.05, 2.0, 1.0])) == pytest.approx(2 / 3)
    assert between(np.array([1.0, 0.5, 0.0])) == 1.0
    assert monotone(np.array([0.0, 1.0, 2.0])) == 1.0 == monotone(np.array([2.0, 1.0, 0.0]))
    assert monotone(np.array([0.0, 2.0, 1.0])) == pytest.approx(1 / 3)
    blends = Blends.draw(np.random.default_rng(0), (COMBAT, SAD), 3, (0.0, 0.5, 1.0), 1, 250)
    assert blends.pairs.tolist() == [[SAD, COMBAT]]
    summary = blend(COMPOSER, blends, 0).summary()
    assert summary["intensity"] == {"between": 1.0, "rising": 1.0, "pairs": 1.0}
    with pytest.raises(ValueError, match="families: expected"):
        Blends.draw(np.random.default_rng(0), (COMBAT,), 3, (0.0, 1.0), 1, 250)


class Deaf:
    """A composer that does not listen to the drum flag."""

    name = "deaf"

    def perform(
        self,
        styles: NDArray[np.float32],
        drums_flag: NDArray[np.int8],
        seeds: NDArray[np.int64],
        advance: Advance | None = None,
    ) -> NDArray[np.int16]:
        return COMPOSER.perform(styles, np.full_like(drums_flag, -1), seeds, advance)


def test_the_drum_flag_is_heard_or_not() -> None:
    obeyed = drum_flag(COMPOSER, (COMBAT, SAD), 250, 0).summary()
    assert obeyed["silent_when_off"] == obeyed["drums_when_on"] == 1.0
    ignored = drum_flag(Deaf(), (COMBAT, SAD), 250, 0).summary()
    assert ignored["hits_per_second_off"] == ignored["hits_per_second_free"] > 1.0
    assert ignored["silent_when_off"] == 0.5  # sad has no drums anyway
    one = np.zeros((1, 50, tk.LEVELS), np.int16)
    one[0, 10, tk.DRUMS] = 0b101 * 2
    assert hits_per_second(one).tolist() == [1.0]


# -- percentiles ------------------------------------------------------------------------------------------------------


def test_a_stuck_bar_and_wrong_notes_fall_below_the_composer() -> None:
    frames, families = 1500, np.array([COMBAT, COMBAT, COMBAT])
    pieces = np.stack([piece(COMBAT, frames, seed) for seed in range(3)])
    reference = window_figures(pieces, 500)
    assert reference.shape == (3, 3, len(JUDGED))
    stuck = pieces[:1].copy()
    bar = 48  # combat is played at 3 frames a sixteenth
    stuck[0, : 30 * bar] = np.tile(pieces[0, 2 * bar : 3 * bar], (30, 1))
    stuck[0, 30 * bar :] = stuck[0, : frames - 30 * bar]
    stuck[0, stuck[0, :, tk.BASS] >= 2, tk.BASS] += 2  # a semitone up
    rows = {row.judged.name: row for row in compare(reference, families, window_figures(stuck, 500), families[:1])}
    assert rows["stuck"].model == 1.0
    for name in ("stuck", "in_key", "bass_chord"):
        assert [(s.family, s.render) for s in rows[name].shortfalls] == [(COMBAT, 0)], name
    assert not rows["on_grid"].shortfalls
    assert not rows["notes_per_second"].shortfalls  # only reported
    assert np.isnan(rows["notes_per_second"].bar)


def test_what_cannot_be_measured_is_no_shortfall() -> None:
    reference = np.full((2, 2, len(JUDGED)), 0.5)
    model = np.full((1, 2, len(JUDGED)), np.nan)
    rows = compare(reference, np.array([0, 0]), model, np.array([0]))
    assert not any(row.shortfalls for row in rows)
    with pytest.raises(ValueError, match="window: expected"):
        window_figures(np.zeros((1, 10, tk.LEVELS), np.int16), 20)


# -- sound ------------------------------------------------------------------------------------------------------------


def test_a_step_at_frame_edges_is_found_and_a_smooth_tone_is_not() -> None:
    frames = 50
    time = np.arange(frames * FRAME_SAMPLES) / SAMPLE_RATE
    smooth = np.repeat(0.3 * np.sin(2 * np.pi * 331.0 * time)[:, None], 2, axis=1)
    quiet = np.ones(frames, np.bool_)
    assert edge_figures(smooth, quiet).ratio == pytest.approx(1.0, abs=0.1)
    clicking = smooth + 0.02 * (np.arange(frames).repeat(FRAME_SAMPLES) % 2)[:, None]
    found = edge_figures(clicking, quiet)
    assert found.ratio > 10.0
    assert (found.outliers, found.control_outliers, found.edges) == (1.0, 0.0, frames - 2)
    assert edge_clicks(find_clicks(clicking), quiet) == frames - 1
    inside = smooth + 0.02 * ((np.arange(len(smooth)) - 320) // FRAME_SAMPLES % 2)[:, None]
    assert edge_figures(inside, quiet).ratio < 1.0
    assert edge_clicks(find_clicks(inside), quiet) < 0
    assert edge_figures(clicking, ~quiet).edges == 0
    with pytest.raises(ValueError, match="audio: expected"):
        edge_figures(clicking[:-1], quiet)


def test_attacks_make_an_edge_unquiet() -> None:
    tokens = np.zeros((8, tk.LEVELS), np.int16)
    tokens[2, tk.LEAD] = tk.FIRST_ONSET
    tokens[3, tk.LEAD] = tk.HOLD
    tokens[6, tk.DRUMS] = 2
    assert quiet_edges(tokens).tolist() == [False, True, False, False, True, True, False, False]


def test_levels_and_balance_of_known_signals() -> None:
    time = np.arange(20 * SAMPLE_RATE) / SAMPLE_RATE
    tone = 0.1 * np.sin(2 * np.pi * 1000.0 * time)
    stereo = np.stack([tone, tone], 1)
    assert loudness_range(stereo) == pytest.approx(0.0, abs=0.1)
    swelling = stereo * np.where(time < 10.0, 1.0, 0.3162)[:, None]
    assert loudness_range(swelling) == pytest.approx(10.0, abs=0.2)
    assert np.isnan(loudness_range(stereo[:SAMPLE_RATE]))
    balance, top = spectral_balance(stereo[:SAMPLE_RATE])
    assert balance[CENTRES.index(1000.0)] == pytest.approx(0.0, abs=0.01)
    assert max(b for i, b in enumerate(balance) if CENTRES[i] != 1000.0) < -50.0
    assert top < -50.0
    assert correlation(stereo) == pytest.approx(1.0)
    assert correlation(stereo * [1.0, -1.0]) == pytest.approx(-1.0)
    assert np.isnan(correlation(np.zeros((100, 2))))


def test_sizes_that_do_not_fit_are_refused() -> None:
    assert Sizes.quick().render < Sizes().render
    with pytest.raises(ValueError, match="window: expected 1"):
        Sizes(render=500, excerpt=300)
    with pytest.raises(ValueError, match="families: expected"):
        Sizes(families=(1,))
