# SPDX-License-Identifier: Apache-2.0
"""Every Prometheus metric of a service process. Buckets derive from the frame: 40 ms.

One `Metrics` per server, on its own registry, so that several servers in one process don't collide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

FRAME_SECONDS: Final = 0.04
STEP_BUCKETS: Final = tuple(FRAME_SECONDS * f for f in (0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 5, 10))
LEAD_BUCKETS: Final = tuple(FRAME_SECONDS * f for f in (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 15, 25, 50, 125, 250))
ROW_BUCKETS: Final = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
SIMILARITY_BUCKETS: Final = tuple(place / 20 for place in range(1, 20))
LATENCY_BUCKETS: Final = tuple(FRAME_SECONDS * f for f in (1, 2, 3, 4, 5, 6, 7, 8, 10, 15, 25, 50, 100, 250))
CALL_BUCKETS: Final = tuple(FRAME_SECONDS * f for f in (0.025, 0.1, 0.25, 0.5, 1, 2, 5, 10, 25, 125))
LOUDNESS_BUCKETS: Final = (-60, -50, -40, -36, -33, -30, -27, -25, *range(-23, -13), -12, -9)
CAUSES: Final = ("silence", "loop", "over_range", "drift")
"""Of the liveness guard's verdicts; refreshes have "requested" too."""


class ArrayHistogram(Collector):
    """A histogram that takes a whole array at once, so that nothing runs per session and frame. One writer thread."""

    def __init__(self, name: str, documentation: str, buckets: Sequence[float], registry: CollectorRegistry) -> None:
        self._name, self._documentation = name, documentation
        self._edges: NDArray[np.float64] = np.asarray(buckets, np.float64)
        self._counts = np.zeros(len(buckets) + 1, np.int64)
        self._sum = 0.0
        registry.register(self)

    def observe(self, values: ArrayLike) -> None:
        """Count each value of an array."""
        array = np.asarray(values, np.float64)
        self._counts += np.bincount(np.searchsorted(self._edges, array), minlength=self._counts.size)
        self._sum += float(array.sum())

    @property
    def count(self) -> int:
        return int(self._counts.sum())

    def collect(self) -> Iterator[Metric]:
        """For the registry."""
        edges = [*(str(float(edge)) for edge in self._edges), "+Inf"]
        running = np.cumsum(self._counts).tolist()
        yield HistogramMetricFamily(
            self._name, self._documentation, buckets=list(zip(edges, running, strict=True)), sum_value=self._sum
        )


class Metrics:
    """What a server counts. Counters and gauges may be used from any thread."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.step_seconds = Histogram(
            "segue_step_seconds", "Wall time of one engine step.", buckets=STEP_BUCKETS, registry=registry
        )
        self.step_rows = Histogram(
            "segue_step_rows",
            "Slots that got a frame in one step.",
            buckets=ROW_BUCKETS,
            registry=registry,
        )
        self.step_waiting = Histogram(
            "segue_step_waiting",
            "Slots that were due in one step and got no frame: history or an encoder's pass came first.",
            buckets=ROW_BUCKETS,
            registry=registry,
        )
        self.late_steps = Counter(
            "segue_late_steps_total", "Steps longer than a frame: deadlines missed.", registry=registry
        )
        self.part_seconds = Histogram(
            "segue_part_seconds",
            "Wall time around a step: commands, engine, flush and background work on the device thread, "
            "hand_over on the event loop.",
            ["part"],
            buckets=STEP_BUCKETS,
            registry=registry,
        )
        self.frames = Counter("segue_frames_total", "Frames handed to sessions.", registry=registry)
        self.lead_seconds = ArrayHistogram(
            "segue_lead_seconds", "Lead of the sessions at the hand-over of their frames.", LEAD_BUCKETS, registry
        )
        self.short_of_lead = Gauge(
            "segue_sessions_short_of_lead", "Playing sessions with less than half of their lead.", registry=registry
        )
        self.device_busy = Gauge(
            "segue_device_busy_seconds",
            "How long the device thread has been at what it does now; 0 while it waits.",
            registry=registry,
        )
        self.loop_lag = Histogram(
            "segue_loop_lag_seconds",
            "How late the event loop woke whoever had slept on it.",
            buckets=STEP_BUCKETS,
            registry=registry,
        )
        self.queue_depth = Gauge("segue_device_queue", "Commands waiting for the device thread.", registry=registry)
        self.slots = Gauge("segue_slots", "Sessions that fit.", registry=registry)
        self.free_slots = Gauge(
            "segue_free_slots", "Sessions that can be created now; 0 unless the server is ready.", registry=registry
        )
        self.sessions = Gauge("segue_sessions", "Sessions that hold a slot.", registry=registry)
        self.listeners = Gauge("segue_listeners", "Open streams.", registry=registry)
        self.created = Counter("segue_sessions_created_total", "Sessions created.", registry=registry)
        self.closed = Counter("segue_sessions_closed_total", "Sessions closed.", ["reason"], registry=registry)
        self.resumes = Counter(
            "segue_resumes_total",
            "Resume points brought back: resumed, joined, refused.",
            ["result"],
            registry=registry,
        )
        self.suspended = Gauge("segue_suspended_sessions", "Paused sessions kept without a slot.", registry=registry)
        self.refused = Counter(
            "segue_refused_total",
            "Calls refused, by google.rpc code and ErrorReason.",
            ["method", "code", "reason"],
            registry=registry,
        )
        self.call_seconds = Histogram(
            "segue_call_seconds",
            "Wall time of unary calls, refused ones too.",
            ["method"],
            buckets=CALL_BUCKETS,
            registry=registry,
        )
        self.faults = Counter(
            "segue_faults_total", "Calls that ended in a fault of ours.", ["method"], registry=registry
        )
        self.controls = Counter("segue_controls_total", "Controls.", ["kind", "landing"], registry=registry)
        self.landing_seconds = Histogram(
            "segue_landing_seconds",
            "From a control's arrival until it has landed: planned, styles looked up, taken up by the engine.",
            buckets=CALL_BUCKETS,
            registry=registry,
        )
        self.audible_seconds = Histogram(
            "segue_audible_seconds",
            "From a control's arrival to the playhead reaching audible_at_sample, as predicted at landing.",
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.landing_retries = Counter(
            "segue_landing_retries_total",
            "Controls that had to be placed again because the head moved.",
            registry=registry,
        )
        self.rewinds = Counter("segue_rewinds_total", "Takes after a session's first.", registry=registry)
        self.replaced_frames = Counter(
            "segue_replaced_frames_total", "Frames that a later take replaced.", registry=registry
        )
        self.refreshes = Counter(
            "segue_refreshes_total", "Sessions whose model began afresh.", ["cause"], registry=registry
        )
        self.guard_verdicts = Counter(
            "segue_guard_verdicts_total", "Times that the liveness guard asked for that.", ["cause"], registry=registry
        )
        self.guard_given_up = Counter(
            "segue_guard_given_up_total", "Faults that refreshing did not end.", ["cause"], registry=registry
        )
        self.silent_seconds = Counter("segue_silent_seconds_total", "Near-silence generated.", registry=registry)
        self.over_range_frames = Counter(
            "segue_over_range_frames_total",
            "Frames more than 6 dB over full scale before mastering.",
            registry=registry,
        )
        self.loudness = ArrayHistogram(
            "segue_loudness_lufs",
            "Loudness of the last 400 ms of the sessions after the rider, once a second.",
            LOUDNESS_BUCKETS,
            registry,
        )
        self.adherence = Histogram(
            "segue_adherence",
            "Similarity of what sounds and what was asked for.",
            buckets=SIMILARITY_BUCKETS,
            registry=registry,
        )
        self.adherence_seconds = Histogram(
            "segue_adherence_seconds", "Wall time of one such comparison.", buckets=STEP_BUCKETS, registry=registry
        )
        self.underruns = Counter(
            "segue_underruns_total", "Playheads at the head, or gaps reported.", ["by"], registry=registry
        )
        self.cut_listeners = Counter("segue_cut_listeners_total", "Listeners cut off.", ["reason"], registry=registry)
        self.audio_bytes = Counter("segue_audio_bytes_total", "Audio sent.", ["encoding"], registry=registry)
        self.chunks = Counter("segue_chunks_total", "Audio messages sent.", registry=registry)
        self.style_codes = Counter("segue_style_lookups_total", "Blends looked up.", ["cache"], registry=registry)
        self.tls_not_after = Gauge(
            "segue_tls_not_after_seconds",
            "When the certificate in use expires, in seconds since 1970. Absent without TLS.",
            ["file"],
            registry=registry,
        )
        self.tls_stale = Gauge(
            "segue_tls_stale",
            "1 while the certificate's files hold what can't be used, and the one before serves. Absent without TLS.",
            ["file"],
            registry=registry,
        )
        self.tls_reloads = Counter(
            "segue_tls_reloads_total",
            "Certificates that were found in the files of a running server: loaded, refused.",
            ["result"],
            registry=registry,
        )
        self.reloads = Counter(
            "segue_reloads_total",
            "Files of tenants, JWT keys, words and soundtracks (as one) found changed: used, refused.",
            ["file", "result"],
            registry=registry,
        )
        self.hook_failures = Counter(
            "segue_prompt_hook_failures_total",
            "Prompts that the hook did not judge: timeout, died, raised.",
            ["how"],
            registry=registry,
        )
        self.audit_lost = Counter(
            "segue_audit_lost_total",
            "Lines missing in the audit log: disk (full or gone), slow (a disk that does not keep up), flood (too many "
            "refusals a second).",
            ["cause"],
            registry=registry,
        )
        self.ready = Gauge("segue_ready", "1 once a warm step has run and until draining.", registry=registry)
        self.draining = Gauge("segue_draining", "1 from the beginning of a drain.", registry=registry)
        self._build = Gauge("segue_build_info", "1; what runs here.", ["version", "model", "device"], registry=registry)
        ProcessCollector(registry=registry)
        self._begin_at_zero()

    def tell_build(self, version: str, model: str, device: str) -> None:
        """What runs here. Once."""
        self._build.labels(version, model, device).set(1)

    def look_at(self, gauges: Mapping[Gauge, Callable[[], float]]) -> None:
        """From now on these are asked for at every scrape, on its thread: they must be quick and only read."""
        for gauge, ask in gauges.items():
            gauge.set_function(ask)

    def _begin_at_zero(self) -> None:
        """A counter that appears with its first event has no increase for that event: alerts would miss it."""
        for cause in CAUSES:
            for counter in (self.guard_verdicts, self.guard_given_up, self.refreshes):
                counter.labels(cause)
        self.refreshes.labels("requested")
        self.cut_listeners.labels("slow")
        for reason in ("closed", "idle", "suspended", "draining"):
            self.closed.labels(reason)
        for by in ("server", "listener"):
            self.underruns.labels(by)
        for result in ("loaded", "refused"):
            self.tls_reloads.labels(result)
        for result in ("resumed", "joined", "refused"):
            self.resumes.labels(result)
        for how in ("timeout", "died", "raised"):
            self.hook_failures.labels(how)
        for cause in ("disk", "slow", "flood"):
            self.audit_lost.labels(cause)
        for cache in ("hit", "miss"):
            self.style_codes.labels(cache)
