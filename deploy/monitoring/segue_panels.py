# SPDX-License-Identifier: Apache-2.0
"""What the dashboard shows: rows of panels, and the queries of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

HIT: Final = 'cache="hit"'
BY_LISTENER: Final = 'by="listener"'


@dataclass(frozen=True, slots=True)
class Panel:
    """queries: (PromQL, legend); in them NAME{} stands for the chosen servers' series, and [R] for a rate's window."""

    title: str
    unit: str
    queries: Sequence[tuple[str, str]]
    says: str = ""
    kind: str = "timeseries"
    width: int = 8
    limit: float | None = None


def rate(name: str, by: str = "", labels: str = "") -> str:
    """Per second, summed."""
    return f"sum{f' by ({by})' if by else ''} (rate({name}{{{labels}}}[R]))"


def quantile(share: float, name: str, by: str = "", labels: str = "") -> str:
    """Of a histogram, over all servers chosen."""
    return f"histogram_quantile({share}, {rate(f'{name}_bucket', f'le, {by}' if by else 'le', labels)})"


def mean(name: str, by: str = "") -> str:
    """Of a histogram."""
    return f"{rate(f'{name}_sum', by)} / {rate(f'{name}_count', by)}"


def spread(name: str, *shares: float) -> list[tuple[str, str]]:
    """Quantiles of a histogram, a line each."""
    return [(quantile(share, name), f"p{round(100 * share)}") for share in shares]


ROWS: Final[Sequence[tuple[str, Sequence[Panel]]]] = (
    (
        "Health",
        (
            Panel(
                "Ready",
                "short",
                [("sum(segue_ready{})", "ready"), ("count(segue_ready{})", "all")],
                kind="stat",
                width=4,
            ),
            Panel("Draining", "short", [("sum(segue_draining{})", "draining")], kind="stat", width=4),
            Panel(
                *(
                    "What runs",
                    "short",
                    [("count by (version, model, device) (segue_build_info{})", "{{model}} {{version}}")],
                ),
                kind="table",
                width=8,
            ),
            Panel(
                *(
                    "Device thread, at it for",
                    "s",
                    [("max by (instance) (segue_device_busy_seconds{})", "{{instance}}")],
                ),
                says="How long the device thread has been at what it does now. Seconds mean that it hangs.",
                limit=5,
            ),
            Panel(
                *("Step time", "s", spread("segue_step_seconds", 0.5, 0.99)),
                says="A step makes one frame of 40 ms for every session that is due.",
                limit=0.04,
            ),
            Panel(
                *(
                    "Deadline misses",
                    "percentunit",
                    [(f"{rate('segue_late_steps_total')} / {rate('segue_step_seconds_count')}", "late steps")],
                ),
                says="Share of the steps that took longer than a frame.",
            ),
            Panel(
                *(
                    "Where a frame's time goes",
                    "s",
                    [
                        (
                            f"{rate('segue_part_seconds_sum', 'part')} / scalar({rate('segue_step_seconds_count')})",
                            "{{part}}",
                        )
                    ],
                ),
                says="Per step: engine, commands, flush, background on the device thread; hand_over on the event loop.",
            ),
            Panel("Commands that wait", "short", [("max by (instance) (segue_device_queue{})", "{{instance}}")]),
            Panel("Event loop, late by", "s", spread("segue_loop_lag_seconds", 0.5, 0.99), limit=0.1),
            Panel("Processor", "short", [("sum by (instance) (rate(process_cpu_seconds_total{}[R]))", "{{instance}}")]),
            Panel("Memory", "bytes", [("sum by (instance) (process_resident_memory_bytes{})", "{{instance}}")]),
            Panel(
                "Open files",
                "short",
                [("max by (instance) (process_open_fds{} / process_max_fds{})", "{{instance}}")],
                says="Share of what the process may open.",
            ),
        ),
    ),
    (
        "Capacity",
        (
            Panel("Free slots", "short", [("sum(segue_free_slots{})", "free")], kind="stat", width=4),
            Panel(
                "In use",
                "percentunit",
                [("sum(segue_sessions{}) / sum(segue_slots{})", "in use")],
                kind="stat",
                width=4,
            ),
            Panel(
                *(
                    "Slots",
                    "short",
                    [
                        ("sum(segue_slots{})", "slots"),
                        ("sum(segue_sessions{})", "sessions"),
                        ("sum(segue_free_slots{})", "free"),
                        ("sum(segue_suspended_sessions{})", "suspended"),
                    ],
                ),
                width=16,
            ),
            Panel(
                "Created and closed",
                "ops",
                [
                    (rate("segue_sessions_created_total"), "created"),
                    (rate("segue_sessions_closed_total", "reason"), "closed: {{reason}}"),
                ],
            ),
            Panel(
                "Refused because full",
                "ops",
                [(rate("segue_refused_total", "instance", 'reason="server_full"'), "{{instance}}")],
            ),
            Panel("Sessions in a step", "short", spread("segue_step_rows", 0.5, 0.99)),
            Panel(
                "Due and without a frame",
                "short",
                [(mean("segue_step_waiting"), "a step")],
                says="History or an encoder's pass came first.",
            ),
            Panel(
                "Frames",
                "ops",
                [(rate("segue_frames_total"), "a second")],
                says="25 a second for each session that plays.",
            ),
            Panel(
                "Styles found in the cache",
                "percentunit",
                [
                    (
                        f"{rate('segue_style_lookups_total', labels=HIT)} / {rate('segue_style_lookups_total')}",
                        "found",
                    )
                ],
            ),
        ),
    ),
    (
        "Music",
        (
            Panel(
                "Lead",
                "s",
                spread("segue_lead_seconds", 0.01, 0.5, 0.99),
                says="When a frame is handed over, how far its session is ahead of its playhead.",
            ),
            Panel(
                "Sessions short of lead",
                "short",
                [("sum by (instance) (segue_sessions_short_of_lead{})", "{{instance}}")],
                says="Those that have less than half of it.",
            ),
            Panel(
                "Underruns",
                "ops",
                [(rate("segue_underruns_total", "by"), "{{by}}")],
                says="server: a playhead reached the head. listener: gaps that clients report.",
            ),
            Panel(
                "Steering: call to sound",
                "s",
                spread("segue_audible_seconds", 0.5, 0.95, 0.99),
                says="As predicted when a control lands. What waits for a bar waits here too.",
            ),
            Panel(
                "Steering: call to landing",
                "s",
                spread("segue_landing_seconds", 0.5, 0.99),
                says="The server's own part of it.",
            ),
            Panel("Controls", "ops", [(rate("segue_controls_total", "kind"), "{{kind}}")]),
            Panel(
                "Where controls land",
                "ops",
                [(rate("segue_controls_total", "landing"), "{{landing}}")],
                says="head_limited: the session has used up its rewinds.",
            ),
            Panel(
                "Takes",
                "ops",
                [(rate("segue_rewinds_total"), "takes"), (rate("segue_landing_retries_total"), "placed again")],
            ),
            Panel(
                "Replaced audio",
                "percentunit",
                [(f"{rate('segue_replaced_frames_total')} / {rate('segue_frames_total')}", "replaced")],
                says="Of the frames made, those that a later take replaced.",
            ),
            Panel(
                "Adherence",
                "percentunit",
                spread("segue_adherence", 0.05, 0.5),
                says="What sounds against what was asked for. Scales differ between models.",
            ),
            Panel(
                "Loudness",
                "none",
                spread("segue_loudness_lufs", 0.05, 0.5, 0.95),
                says="LUFS of 400 ms, after the loudness rider.",
            ),
            Panel(
                "Fresh beginnings",
                "ops",
                [
                    (rate("segue_refreshes_total", "cause"), "{{cause}}"),
                    (rate("segue_guard_given_up_total"), "given up"),
                ],
            ),
            Panel(
                "Faulty sound",
                "percentunit",
                [
                    (f"{rate('segue_silent_seconds_total')} * 25 / {rate('segue_frames_total')}", "near-silence"),
                    (f"{rate('segue_over_range_frames_total')} / {rate('segue_frames_total')}", "over range"),
                ],
            ),
            Panel("Time to judge a session", "s", spread("segue_adherence_seconds", 0.5, 0.99)),
        ),
    ),
    (
        "Clients",
        (
            Panel("Listeners", "short", [("sum(segue_listeners{})", "listeners")], kind="stat", width=4),
            Panel(
                "A session's listeners",
                "short",
                [("sum(segue_listeners{}) / sum(segue_sessions{})", "on average")],
                kind="stat",
                width=4,
            ),
            Panel("Open streams", "short", [("sum by (instance) (segue_listeners{})", "{{instance}}")], width=16),
            Panel("Audio sent", "Bps", [(rate("segue_audio_bytes_total", "encoding"), "{{encoding}}")]),
            Panel("Messages", "ops", [(rate("segue_chunks_total"), "audio")]),
            Panel("Listeners cut off", "ops", [(rate("segue_cut_listeners_total", "reason"), "{{reason}}")]),
            Panel(
                "Gaps that listeners report",
                "ops",
                [
                    (
                        f"{rate('segue_underruns_total', labels=BY_LISTENER)} / sum(segue_listeners{{}})",
                        "per listener",
                    )
                ],
            ),
            Panel("Resume points", "ops", [(rate("segue_resumes_total", "result"), "{{result}}")]),
        ),
    ),
    (
        "Errors",
        (
            Panel("Calls", "ops", [(rate("segue_call_seconds_count", "method"), "{{method}}")]),
            Panel("Time of calls, p99", "s", [(quantile(0.99, "segue_call_seconds", "method"), "{{method}}")]),
            Panel("Refusals by reason", "ops", [(rate("segue_refused_total", "reason"), "{{reason}}")]),
            Panel("Refusals by method", "ops", [(rate("segue_refused_total", "method, code"), "{{method}} {{code}}")]),
            Panel("Faults of ours", "ops", [(rate("segue_faults_total", "method"), "{{method}}")]),
            Panel(
                "Audit lines lost, hook failures",
                "ops",
                [
                    (rate("segue_audit_lost_total", "cause"), "audit: {{cause}}"),
                    (rate("segue_prompt_hook_failures_total"), "hook"),
                ],
            ),
            Panel(
                "Certificate good for",
                "s",
                [("min by (instance) (segue_tls_not_after_seconds{}) - time()", "{{instance}}")],
            ),
        ),
    ),
)
