# SPDX-License-Identifier: Apache-2.0
"""`segue bench`: what it prints and writes, and what it makes of memory that runs out. No timing is asserted."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[2] / "engine" / "laws"))

from law_models import LAW_MODELS
from tiny_model import PlainMastering

from segue_engine.assemble import Assembly
from segue_engine.batch.config import SlotEngineConfig
from segue_engine.batch.engine import SlotEngine
from segue_engine.batch.fake import FakeEngine
from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_engine.contract import Blocks, SlotHandle
from segue_service.cli import console as console_module
from segue_service.cli.bench import bench, parse_sizes, report
from segue_service.cli.bench_run import Figures, Plan, out_of_memory, run
from segue_service.cli.bench_steps import FEWEST_STEPS, StepBench, StepTimes, at_p95, at_p99
from segue_service.cli.bench_tables import print_figures
from segue_service.cli.console import CommandError

NO_MEMORY = "RESOURCE_EXHAUSTED: Out of memory allocating 34359738368 bytes.\nMore about buffers"


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_module.console, "width", 400)


def measure(engine: Any, *sizes: int, parts: bool = True) -> Figures:
    plan = Plan(sizes, FEWEST_STEPS, 0.0, 0, parts)
    return run(Assembly(engine, HashStyleEncoder()), plan, time.perf_counter(), lambda _: None, lambda _: None)


def command(*arguments: str) -> Any:
    app = typer.Typer()
    app.command()(bench)
    return CliRunner().invoke(app, list(arguments))


def test_the_fake(tmp_path: Path) -> None:
    file = tmp_path / "reports" / "bench.json"
    said = command("--model", "fake", "--slots", "3,1", "--steps", "20", "--json", str(file))
    assert said.exit_code == 0, said.output
    assert "fake-1 ready in" in said.output
    assert "3 real-time sessions" in said.output
    figures = json.loads(file.read_text())
    assert [times["slots"] for times in figures["steps"]] == [1, 3]
    assert set(figures["steps"][0]) == {
        "slots", "steps", "frames", "p50_ms", "p95_ms", "p99_ms", "max_ms", "cpu_ms", "frame_ms",
    }  # fmt: skip
    assert [times["frames"] for times in figures["steps"]] == [20, 60]
    assert figures["realtime_sessions"] == figures["realtime_step"]["slots"] == figures["realtime_sessions_p99"] == 3
    assert (figures["parts"], figures["memory"], figures["left_out"]) == ([], None, [])
    assert {"cpu", "cores", "python", "jax", "jaxlib"} <= set(figures["hardware"])


@pytest.mark.parametrize("text", ["", "0,4", "one", "1,5000"])
def test_bad_sizes(text: str) -> None:
    with pytest.raises(CommandError, match="--slots"):
        parse_sizes(text)


def test_a_folder_is_no_report(tmp_path: Path) -> None:
    said = command("--model", "fake", "--json", str(tmp_path))
    assert isinstance(said.exception, CommandError)
    assert "--json" in str(said.exception)


def test_parts_and_memory_of_a_slot_engine(capsys: pytest.CaptureFixture[str]) -> None:
    config = SlotEngineConfig(slots=3, bank_rows=2, sizes=(2,), side_cost=0)
    figures = measure(SlotEngine(LAW_MODELS["tiny"]().model, PlainMastering(), config), 1, 3)
    names = ["codes", "sound", "codec", "mastering"]
    assert [(part.slots, part.name) for part in figures.parts] == [(n, name) for n in (1, 3) for name in names]
    written = json.loads(json.dumps(report(figures)))
    assert written["memory"]["session_bytes"] == figures.info.bytes_per_slot
    assert [group["name"] for group in written["memory"]["groups"]] == [
        "rings", "codec", "mastering", "kept for rewinding",
    ]  # fmt: skip
    assert written["hardware"]["device"]["platform"] == "cpu"
    print_figures(figures, "this machine")
    shown = capsys.readouterr().out
    assert re.search(r"rows of each dispatch +1 +2, 1\b", shown)
    assert re.search(r"codec +\d+\.\d+ \(\d+\.\d+\) +\d+\.\d+ \(\d+\.\d+\)", shown)
    assert re.search(r"kept for rewinding +(\d+\.\d+ kB) +\1", shown)
    assert "as measured" in shown


def test_an_encoder_is_timed_beside_the_steps(capsys: pytest.CaptureFixture[str]) -> None:
    config = SlotEngineConfig(slots=2, bank_rows=2, sizes=(2,), side_cost=0, pass_budget=1)
    figures = measure(SlotEngine(LAW_MODELS["magenta_rt_1"]().model, PlainMastering(), config), 2)
    (times,) = figures.steps
    assert times.frames < 2 * times.steps, "slots have waited for their passes"
    encoder = json.loads(json.dumps(report(figures)))["encoder"]
    assert (encoder["frames"], encoder["passes"]) == (5, 2)
    assert set(encoder["piece"]) == set(encoder["finish"]) == set(encoder["chunk"]) == {"runs", "p50_ms", "p95_ms"}
    assert [share["slots"] for share in encoder["shares"]] == [2]
    print_figures(figures, "this machine")
    shown = capsys.readouterr().out
    assert re.search(rf"encoder, its share +{encoder['shares'][0]['ms']:.2f}\b", shown)
    assert re.search(r"all passes of 5 frames +\d+\.\d+ \(\d+\.\d+\) +1\b", shown)


def test_a_bench_ends_with_whole_chunks() -> None:
    timing = StepBench(FakeEngine(slots=2, style_interval_frames=6), HashStyleEncoder(), 30, 1e9)
    assert timing.measure(2).steps == 48, "four intervals come to 24 frames"
    plain = StepBench(FakeEngine(slots=2), HashStyleEncoder(), 30, 1e9)
    assert plain.measure(2).steps == 30


class Narrow(FakeEngine):
    """Runs out of memory when more than two slots step."""

    def step(self, due: Any = None) -> Blocks | None:
        if self._table.used > 2:
            raise RuntimeError(NO_MEMORY)
        return super().step(due)


class Crowded(FakeEngine):
    """Runs out of memory when it is warmed up for the first time, or always."""

    def __init__(self, slots: int, failures: int, message: str = NO_MEMORY) -> None:
        super().__init__(slots=slots)
        self._failures, self._message = failures, message

    def warm_up(self) -> None:
        self._failures -= 1
        if self._failures >= 0:
            raise RuntimeError(self._message)

    def close(self) -> None:
        """Stays open, since one engine stands for all sizes here."""


def test_steps_that_do_not_fit_leave_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    figures = measure(Narrow(slots=4), 1, 2, 4)
    assert [times.slots for times in figures.steps] == [1, 2]
    assert [(left.slots, left.what) for left in figures.left_out] == [(4, "steps")]
    assert figures.best_p95 is not None
    assert figures.best_p95.slots == 2
    print_figures(figures, "this machine")
    assert "4 slots left out: the device's memory does not hold the steps" in capsys.readouterr().out
    assert report(figures)["left_out"][0]["reason"].endswith("bytes.")


def test_an_engine_that_does_not_fit_is_made_smaller() -> None:
    figures = measure(Crowded(4, failures=1), 1, 4)
    assert [times.slots for times in figures.steps] == [1]
    assert [(left.slots, left.what) for left in figures.left_out] == [(4, "engine")]


def test_nothing_fits() -> None:
    with pytest.raises(CommandError, match=r"1 slot do.* not fit .* 34359738368 bytes"):
        measure(Crowded(4, failures=2), 1, 4)


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match="driver"):
        measure(Crowded(4, failures=1, message="INTERNAL: the driver is gone"), 1, 4)
    assert out_of_memory(RuntimeError("INTERNAL")) is None
    assert out_of_memory(MemoryError()) == "out of memory"
    assert len(out_of_memory(RuntimeError("CUDA error: out of memory " + "x" * 999)) or "") == 200


class Even(StepBench):
    """Steps take half a millisecond a slot, and a tenth more at the 99th percentile."""

    def __init__(self) -> None:
        super().__init__(FakeEngine(), HashStyleEncoder(), FEWEST_STEPS, 0.0)
        self.asked: list[int] = []

    def _measure(self, slots: int) -> StepTimes:
        self.asked.append(slots)
        return StepTimes(slots, 20, 20 * slots, slots / 2, slots / 2, slots / 2 * 1.1, slots, 0.0, slots / 2)


@pytest.mark.parametrize(("sizes", "least", "most"), [((1, 16, 256), 75, 80), ((64,), 64, 64), ((100,), 75, 80)])
def test_the_most_sessions(sizes: tuple[int, ...], least: int, most: int) -> None:
    timing = Even()
    best, strict = timing.largest(sizes, at_p95), timing.largest(sizes, at_p99)
    assert best is not None
    assert strict is not None
    assert least <= best.slots <= most
    assert strict.slots <= best.slots
    assert strict.p99_ms <= 40.0
    assert len(timing.asked) == len(set(timing.asked))


def test_not_even_one(capsys: pytest.CaptureFixture[str]) -> None:
    class Slow(Even):
        def _measure(self, slots: int) -> StepTimes:
            return StepTimes(slots, 20, 20 * slots, 50.0, 50.0, 50.0, 50.0, 0.0, 50.0)

    assert Slow().largest((1, 4), at_p95) is None
    print_figures(Figures(FakeEngine().info, 0.0, steps=[Slow().measure(1)]), "this machine")
    assert "0 real-time sessions" in capsys.readouterr().out


def test_a_block_that_is_missing_is_said() -> None:
    class Silent(FakeEngine):
        def step(self, due: list[SlotHandle] | None = None) -> None:
            return None

    with pytest.raises(CommandError, match=r"no frame in .* this is a bug"):
        measure(Silent(), 1)

    class Lossy(FakeEngine):
        def flush(self) -> None:
            super().flush()

    with pytest.raises(CommandError, match="every frame that it dispatched: this is a bug"):
        measure(Lossy(), 1)


class Halting(FakeEngine):
    """Slots get a frame in every fourth of the steps that name them."""

    steps = 0

    def step(self, due: Sequence[SlotHandle] | None = None) -> Blocks | None:
        self.steps += 1
        return super().step(due if self.steps % 4 == 0 else [])


def test_frames_are_counted_and_not_steps() -> None:
    (times,) = measure(Halting(slots=3, style_interval_frames=10), 3).steps
    assert (times.steps, times.frames) == (160, 120), "four intervals of every slot"
    slow = replace(times, p50_ms=15.0, p95_ms=15.0, p99_ms=15.0, frame_ms=60.0)
    assert not slow.fits(at_p95)
    assert replace(slow, frame_ms=30.0).fits(at_p95)
