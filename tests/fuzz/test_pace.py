# SPDX-License-Identifier: Apache-2.0
"""The clock of limits: it never runs ahead of the wall's, whatever threads come and go."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from fuzzing import pace


def test_threads_that_end_do_not_turn_it_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "_FRESH", 0.0)
    clock = pace.Pace()
    wall = time.monotonic()
    began = clock.now()
    busy = [threading.Thread(target=lambda: sum(range(400_000))) for _ in range(6)]
    for thread in busy:
        thread.start()
    times = [clock.now()]
    for thread in busy:
        thread.join()
        times.append(clock.now())
    assert max(times) - began <= time.monotonic() - wall + 1e-6


def test_what_was_waited_for_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(pace, "_FRESH", 0.0)
    monkeypatch.setattr(pace, "Path", lambda path: tmp_path)
    for name, waited in (("1", 5), ("2", 7)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "schedstat").write_text(f"0 {waited * 10**9} 0\n", encoding="ascii")
    clock = pace.Pace()
    before = time.monotonic() - clock.now()
    (tmp_path / "1" / "schedstat").write_text(f"0 {15 * 10**9} 0\n", encoding="ascii")
    assert time.monotonic() - clock.now() - before == pytest.approx(10, abs=1)
    (tmp_path / "2" / "schedstat").unlink()
    (tmp_path / "2").rmdir()
    assert time.monotonic() - clock.now() - before == pytest.approx(10, abs=1)
