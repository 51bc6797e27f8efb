# SPDX-License-Identifier: Apache-2.0
"""One entry of jax's compile cache for all CPU devices of a process.

jax makes the device a part of the cache's key, except on GPUs, though what it then loads runs on whichever device it
is loaded for. Without this, each CPU device would compile the same programs for itself. It reaches into jax, and does
nothing where a version of jax has moved what it needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def shared_between_devices() -> Iterator[None]:
    """While this lasts, compiling for one device finds what was compiled for another. Not for two threads at once."""
    try:
        from jax._src import cache_key

        module: Any = cache_key
        original = module._hash_serialized_compile_options
    except (ImportError, AttributeError):
        yield
        return

    def without_device(hashed: Any, options: Any, strip_device_assignment: bool = False) -> Any:
        return original(hashed, options, strip_device_assignment=True)

    module._hash_serialized_compile_options = without_device
    try:
        yield
    finally:
        module._hash_serialized_compile_options = original
