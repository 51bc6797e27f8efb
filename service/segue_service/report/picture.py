# SPDX-License-Identifier: Apache-2.0
"""Draws a recording: states and parameters, spectrogram, loudness, lead, and when each control was heard."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from segue_service.report.recording import Recording

INK, PAPER, GRID = "#1d1d26", "#ffffff", "#d7d7de"
PALETTE = ("#4c78a8", "#f58518", "#e45756", "#72b7b2", "#54a24b", "#b279a2", "#9d755d", "#eeca3b")
WINDOW = 4096
HOP = 1024
FLOOR_DB = -90.0


def spectrogram(mono: NDArray[np.float32], sample_rate: int, bands: int = 160) -> tuple[NDArray[np.float32], Any]:
    """Power in dB, f32[bands, columns], on a logarithmic axis from 30 Hz to 20 kHz; and the band edges in Hz."""
    if len(mono) < WINDOW:
        mono = np.pad(mono, (0, WINDOW - len(mono)))
    frames = np.lib.stride_tricks.sliding_window_view(mono, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(WINDOW).astype(np.float32), axis=1)).astype(np.float32) ** 2
    edges = np.geomspace(30.0, min(20_000.0, sample_rate / 2), bands + 1)
    bins = np.clip(np.rint(edges * WINDOW / sample_rate).astype(int), 1, power.shape[1] - 1)
    columns = np.stack([power[:, a : max(b, a + 1)].mean(1) for a, b in pairwise(bins)])
    return 10 * np.log10(columns / (WINDOW / 4) ** 2 + 1e-12), edges


def short_term_level(stereo: NDArray[Any], sample_rate: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """K-weighted loudness in LUFS of the last 0.4 s and the last 3 s, ten points a second: (momentary, short-term)."""
    import pyloudnorm

    meter = pyloudnorm.Meter(sample_rate)
    weighted = stereo
    for stage in meter._filters.values():
        weighted = np.stack([stage.apply_filter(weighted[:, c]) for c in range(stereo.shape[1])], axis=1)
    step = sample_rate // 10
    usable = len(weighted) // step * step
    power = (weighted[:usable] ** 2).reshape(-1, step, stereo.shape[1]).mean(1).sum(1)
    total = np.concatenate([[0.0], np.cumsum(power)])

    def trailing(points: int) -> NDArray[Any]:
        ends = np.arange(1, len(total))
        starts = np.maximum(ends - points, 0)
        level: NDArray[Any] = -0.691 + 10 * np.log10((total[ends] - total[starts]) / (ends - starts) + 1e-12)
        return level

    return trailing(4), trailing(30)


def draw(recording: Recording, path: Path) -> None:
    """Write the picture (PNG or SVG by the path's suffix)."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    audio = recording.pcm.astype(np.float32) / 32768
    with plt.rc_context({"font.size": 9, "axes.edgecolor": GRID, "axes.labelcolor": INK, "text.color": INK}):
        heights = [1.5, 0.75, 4.2, 1.5] + ([0.9] if recording.lead else [])
        figure, axes = plt.subplots(
            len(heights), 1, figsize=(14, 1.06 * sum(heights)), sharex=True, facecolor=PAPER,
            gridspec_kw={"height_ratios": heights, "hspace": 0.09},
        )  # fmt: skip
        _controls(axes[0], recording)
        _states(axes[1], recording)
        _spectrum(axes[2], recording, audio.mean(1))
        _loudness(axes[3], recording, audio)
        if recording.lead:  # an offline rendering has none
            _lead(axes[4], recording)
        for axis in axes:
            axis.set_xlim(0, recording.seconds)
            axis.tick_params(length=0)
            axis.spines[["top", "right"]].set_visible(False)
        axes[0].set_title(recording.title, loc="left", fontsize=13, pad=10)
        axes[-1].set_xlabel("seconds of the timeline")
        figure.savefig(path, dpi=110, bbox_inches="tight")
        plt.close(figure)


def state_colours(recording: Recording) -> dict[str, str]:
    """One colour per state, in order of appearance."""
    order = list(dict.fromkeys(span.state for span in recording.states))
    return {state: PALETTE[i % len(PALETTE)] for i, state in enumerate(order)}


def _controls(axis: Axes, recording: Recording) -> None:
    """Each control from where it was sent (dot) to where it is heard (arrow head), labelled, in three lanes."""
    lanes, rate = 3, recording.sample_rate
    for i, control in enumerate(recording.controls):
        sent, heard, lane = control.sent_sample / rate, control.audible_sample / rate, lanes - 1 - i % lanes
        axis.plot([sent, heard], [lane, lane], color=INK, lw=1.1)
        axis.plot(sent, lane, "o", color=INK, ms=3)
        axis.plot(heard, lane, ">", color="#c0392b", ms=5)
        right = sent > 0.86 * recording.seconds
        axis.annotate(
            f"{control.label}  +{control.latency * 1000:.0f} ms",
            (sent if right else heard, lane), xytext=(-6 if right else 6, 0), textcoords="offset points",
            va="center", ha="right" if right else "left", fontsize=8,
        )  # fmt: skip
    axis.set_ylim(-0.6, lanes - 0.4)
    axis.set_yticks([])
    axis.set_ylabel("said → heard")
    axis.spines["left"].set_visible(False)


def _states(axis: Axes, recording: Recording) -> None:
    colours, rate = state_colours(recording), recording.sample_rate
    spans = recording.states
    for i, span in enumerate(spans):
        start = span.sample / rate
        end = spans[i + 1].sample / rate if i + 1 < len(spans) else recording.seconds
        axis.axvspan(start, end, color=colours[span.state], alpha=0.85, lw=0)
        if end - start > 0.03 * recording.seconds:
            axis.text((start + end) / 2, 0.5, span.state, ha="center", va="center", color="white", fontsize=10)
    for fade in recording.fades:
        axis.axvspan(fade.start / rate, fade.end / rate, 0, 0.18, color="white", alpha=0.65, lw=0)
    axis.set_ylim(0, 1)
    axis.set_yticks([])
    axis.set_ylabel("state")
    for name, points in recording.parameters.items():
        if points:
            times = [p[0] / rate for p in points] + [recording.seconds]
            values = [p[1] for p in points] + [points[-1][1]]
            axis.step(times, np.clip(values, 0, 1), where="post", color=INK, lw=1.2, label=name)
    if any(recording.parameters.values()):
        axis.legend(loc="upper right", fontsize=7, frameon=False, borderaxespad=0.1)


def _spectrum(axis: Axes, recording: Recording, mono: NDArray[np.float32]) -> None:
    level, edges = spectrogram(mono, recording.sample_rate)
    times = np.arange(level.shape[1] + 1) * HOP / recording.sample_rate
    axis.pcolormesh(times, edges, level, cmap="magma", vmin=FLOOR_DB, vmax=-15, rasterized=True)
    axis.set_yscale("log")
    axis.set_yticks([50, 200, 1000, 5000, 15000], ["50", "200", "1 k", "5 k", "15 k"])
    axis.minorticks_off()
    axis.set_ylabel("Hz")
    for control in recording.controls:
        axis.axvline(control.audible_sample / recording.sample_rate, color="white", lw=0.8, ls=":")


def _loudness(axis: Axes, recording: Recording, audio: NDArray[Any]) -> None:
    momentary, short = short_term_level(audio, recording.sample_rate)
    times = (np.arange(len(short)) + 1) / 10
    axis.plot(times, np.maximum(momentary, -60), color="#9aa5b8", lw=0.7, label="momentary")
    axis.plot(times, np.maximum(short, -60), color="#1f4e79", lw=1.6, label="short-term")
    axis.axhline(-18, color="#54a24b", lw=0.9, ls="--", label="target −18 LUFS")
    axis.set_ylim(-45, -6)
    axis.set_ylabel("LUFS")
    axis.legend(loc="lower right", ncols=3, fontsize=7, frameon=False)


def _lead(axis: Axes, recording: Recording) -> None:
    times, lead = np.array(recording.lead).T
    axis.fill_between(times, lead * 1000, step="post", color="#72b7b2", alpha=0.8, lw=0)
    axis.set_ylim(0, max(100.0, float(lead.max()) * 1100))
    for sample in recording.underruns:
        axis.axvline(sample / recording.sample_rate, color="#c0392b", lw=1.5)
    axis.set_ylabel("lead ms")
    axis.text(
        0.998, 0.9, f"{len(recording.underruns)} underruns", transform=axis.transAxes, ha="right", va="top", fontsize=8
    )
