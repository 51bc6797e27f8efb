# SPDX-License-Identifier: Apache-2.0
"""What has to be set before jax starts its backend: platform and compile cache. No other module sets jax's config."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from pathlib import Path
from typing import Any, Final

import jax
import platformdirs

from segue_engine.batch.visible import ALL, Choice, accelerators
from segue_engine.contract import EngineError

_log = logging.getLogger(__name__)

MAX_CPU_DEVICES: Final = 8
"""Programs on one CPU device run one after the other, so each core gets a device of its own."""


def prepare(device: str, compile_cache: Path | None, choice: Choice | None = None) -> str:
    """Start the backend for "auto", "cpu", "gpu" or "tpu" on the chosen devices; gives its platform. Raises EngineError
    if there is none, ValueError for a choice that can't be.

    Compiled programs are kept in `compile_cache`, by default in the user's cache folder; a folder that can't be written
    costs only time at the next start.
    """
    if device != "auto":
        _set("jax_platforms", "cuda" if device == "gpu" else device)
    _hide_others(device, choice or Choice())
    with contextlib.suppress(RuntimeError):  # the backend runs already: banks share the devices that there are
        _set("jax_num_cpu_devices", max(1, min(os.cpu_count() or 1, MAX_CPU_DEVICES)))
    _keep_programs(compile_cache or Path(platformdirs.user_cache_dir("segue")) / "programs")
    _set("jax_persistent_cache_min_compile_time_secs", 0.0)
    _set("jax_persistent_cache_min_entry_size_bytes", -1)
    try:
        return str(jax.default_backend())
    except (RuntimeError, AssertionError) as error:  # which of the two depends on what is installed
        extra = {"gpu": " (needs the extra `cuda`)", "tpu": " (needs the extra `tpu`)"}.get(device, "")
        raise EngineError(f"device: no {device} backend here{extra}: {str(error) or 'none is installed'}") from None


def device_memory() -> int | None:
    """Bytes of memory of the first device, None where the backend does not say. After `prepare`."""
    stats = jax.local_devices()[0].memory_stats()
    return None if not stats else stats.get("bytes_limit")


def _keep_programs(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        _log.warning("compiled programs can't be kept in %s, so every start compiles: %s", folder, error.strerror)
        return
    _set("jax_compilation_cache_dir", str(folder))


def _hide_others(device: str, choice: Choice) -> None:
    with contextlib.suppress(RuntimeError):  # the backend runs already, with what it sees
        for maker in ("cuda", "rocm"):
            name = f"jax_{maker}_visible_devices"
            if choice.everything or choice.indices is not None or jax.config.values.get(name) == ALL:
                _set(name, choice.gpus)
    if device == "tpu" or (device == "auto" and accelerators("tpu")):
        os.environ.update(choice.tpu_settings(os.environ))


def _set(name: str, value: Any) -> None:
    jax.config.update(name, value)  # type: ignore[no-untyped-call]
