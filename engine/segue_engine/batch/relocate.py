# SPDX-License-Identifier: Apache-2.0
"""Compiled programs for a second CPU device without compiling them again.

jax offers no public way: its own loader of serialised executables keeps them on the device that they were compiled for.
So this reaches into jax, and says None where a version of jax has moved what it needs; the caller compiles then.
"""

from __future__ import annotations

import io
from typing import Any

import jax
import numpy as np


def relocate(program: Any, source: jax.Device, target: jax.Device) -> Any | None:
    """A `jax.stages.Compiled` for a single device `source`, loaded for `target`; None where that can't be done."""
    try:
        from jax._src.compiler import get_compile_options
        from jax.experimental import serialize_executable as serial

        place = np.array([[target.id]])
        options = get_compile_options(num_replicas=1, num_partitions=1, device_assignment=place)
        reader_class: Any = serial._JaxPjrtUnpickler

        class Reader(reader_class):  # type: ignore[misc]
            """Reads what was serialised a moment ago in this process, so unpickling it is safe."""

            def persistent_load(self, pid: Any) -> Any:
                if pid[0] == "exec":
                    return self.backend.deserialize_executable(pid[1], self.execution_devices, options)
                return super().persistent_load(pid)

        payload, inputs, outputs = serial.serialize(program)
        reader = Reader(io.BytesIO(payload), target.client, [target])
        reader.devices_by_id = {source.id: target}
        unloaded, arguments, no_kwargs = reader.load()
        return jax.stages.Compiled(unloaded.load(), [], inputs.unflatten(arguments), outputs, no_kwargs=no_kwargs)
    except (ImportError, AttributeError, TypeError, ValueError, KeyError, jax.errors.JaxRuntimeError):
        return None
