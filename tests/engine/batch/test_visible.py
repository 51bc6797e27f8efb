# SPDX-License-Identifier: Apache-2.0
"""A process takes one accelerator unless more are asked for, and what it does not take it does not touch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue_engine import assemble as assembling
from segue_engine.batch.visible import MOST, Choice, accelerators

HIDDEN = """
import os
import sys
import jax
from segue_engine.batch import platform
from segue_engine.batch.visible import Choice

platform._hide_others(sys.argv[1], Choice.of(sys.argv[2]))
print(jax.config.values["jax_cuda_visible_devices"], os.environ.get("TPU_VISIBLE_CHIPS"))
"""

UNWRITABLE = """
import logging
from pathlib import Path
import jax
from segue_engine.batch.platform import prepare

logging.basicConfig(level="WARNING")
assert prepare("cpu", Path("/dev/null/programs")) == "cpu"
assert jax.config.jax_compilation_cache_dir is None
assert int(jax.jit(lambda x: x + 1)(1)) == 2
"""


@given(st.lists(st.integers(0, MOST - 1), min_size=1, max_size=8, unique=True))
def test_numbers_are_kept_in_their_order(indices: list[int]) -> None:
    choice = Choice.of(", ".join(map(str, indices)))
    assert choice.indices == tuple(indices)
    assert choice.gpus == ",".join(map(str, indices))


@pytest.mark.parametrize("text", ["", "gpu0", "-1", "0,", "1.5", "auto,0", "0;1", "99999", "０"])
def test_what_is_no_choice_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        Choice.of(text)


@pytest.mark.parametrize(("text", "told"), [("1,1", "every device once"), (str(MOST), f"below {MOST}")])
def test_what_can_not_be_is_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Choice.of(text)
    with pytest.raises(assembling.AssembleError, match=f"devices: .*{told}"):
        assembling.assemble("fake", devices=text)


def test_nobody_asked_so_it_is_one_accelerator() -> None:
    assert Choice.of("auto").gpus == "0"
    assert Choice.of("all").gpus == "all"


def test_tpu_chips_by_what_libtpu_reads() -> None:
    one = Choice.of("auto").tpu_settings({})
    assert (one["TPU_VISIBLE_CHIPS"], one["TPU_CHIPS_PER_PROCESS_BOUNDS"]) == ("0", "1,1,1")
    two = Choice.of("2,3").tpu_settings({})
    assert (two["TPU_VISIBLE_CHIPS"], two["TPU_CHIPS_PER_PROCESS_BOUNDS"]) == ("2,3", "1,2,1")
    assert two["TPU_MESH_CONTROLLER_PORT"] != one["TPU_MESH_CONTROLLER_PORT"], "processes beside each other"
    with pytest.raises(ValueError, match="1, 2, 4, 8 TPU chips, got 3"):
        Choice.of("0,1,2").tpu_settings({})


def test_chips_that_were_chosen_from_outside_are_kept() -> None:
    outside = {"TPU_CHIPS_PER_HOST_BOUNDS": "2,2,1"}
    assert Choice.of("auto").tpu_settings(outside) == {}
    assert Choice.of("all").tpu_settings({}) == {}
    assert Choice.of("1").tpu_settings(outside)["TPU_VISIBLE_CHIPS"] == "1"


@pytest.mark.parametrize(
    ("device", "text", "seen"),
    [
        ("auto", "auto", "0 None"),
        ("gpu", "1,0,2", "1,0,2 None"),
        ("tpu", "auto", "0 0"),
        ("tpu", "2,3", "2,3 2,3"),
        ("tpu", "all", "all None"),
        ("cpu", "0,1,2", "0,1,2 None"),
    ],
)
def test_others_are_hidden_before_the_backend_starts(device: str, text: str, seen: str, tmp_path: Path) -> None:
    assert _run(HIDDEN, device, text, home=tmp_path).stdout.strip() == seen


def test_a_cache_that_can_not_be_written_costs_only_time(tmp_path: Path) -> None:
    assert "compiled programs can't be kept in /dev/null/programs" in _run(UNWRITABLE, home=tmp_path).stderr


def _run(script: str, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "", "HOME": str(home)}
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment)


def test_of_a_cpu_it_is_all_cores_or_those_that_were_named() -> None:
    cores = ["a", "b", "c"]
    assert Choice.of("auto").pick("cpu", cores) == cores
    assert Choice.of("all").pick("cpu", cores) == cores
    assert Choice.of("2,0").pick("cpu", cores) == ["c", "a"]
    with pytest.raises(ValueError, match="expected numbers below 3 on this cpu, got 7"):
        Choice.of("0,7").pick("cpu", cores)
    assert Choice.of("4,6").pick("gpu", cores[:2]) == cores[:2], "JAX sees those alone"


def test_accelerators_are_counted_by_their_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [accelerators(kind, tmp_path / "none") for kind in ("cpu", "gpu", "tpu")] == [0, 0, 0]
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "accel0", "accel1", "accel2", "accel", "null"):
        (tmp_path / name).touch()
    assert [accelerators(kind, tmp_path) for kind in ("cpu", "gpu", "tpu")] == [0, 2, 3]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-1a,GPU-2b,GPU-3c")
    assert accelerators("gpu", tmp_path) == 3
    (tmp_path / "other" / "vfio").mkdir(parents=True)
    (tmp_path / "other" / "vfio" / "0").touch()
    assert accelerators("tpu", tmp_path / "other") == 1


@pytest.mark.parametrize(("family", "each"), [("mrt2", 256), ("mrt1", 64), ("starter", 256)])
def test_every_accelerator_has_a_bank_of_its_own(family: str, each: int) -> None:
    plan = assembling._plan("gpu", family, None, ["first", "second", "third"])  # type: ignore[list-item]
    assert (plan.slots, plan.rows, plan.spread) == (3 * each, each, True)
    plan = assembling._plan("tpu", family, 100, ["first", "second", "third"])  # type: ignore[list-item]
    assert (plan.slots, plan.rows) == (100, 34)


def test_cores_share_banks_that_fit_their_caches() -> None:
    plan = assembling._plan("cpu", "starter", None, ["first", "second"])  # type: ignore[list-item]
    assert (plan.slots, plan.rows, plan.spread) == (32, 16, False)
