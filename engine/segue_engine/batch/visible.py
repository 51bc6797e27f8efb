# SPDX-License-Identifier: Apache-2.0
"""Which of a host's devices a process takes. Of accelerators it is one unless more are asked for, so that a host runs a
process for each; of a CPU it is all cores. Importing this does not import jax.

A process must not touch what is another's: JAX reserves memory on every GPU that it sees, and a TPU chip serves one
process. So the choice is made before the backend starts, and what it does not see is not counted.
"""

from __future__ import annotations

import os
import re
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

Device = TypeVar("Device")

AUTO: Final = "auto"
ALL: Final = "all"
MOST: Final = 64

_CHIPS: Final = {1: "1,1,1", 2: "1,2,1", 4: "2,2,1", 8: "2,4,1"}
"""How so many TPU chips of one host lie: TPU_CHIPS_PER_PROCESS_BOUNDS."""
_TPU_SETTINGS: Final = (
    *("TPU_VISIBLE_CHIPS", "TPU_VISIBLE_DEVICES", "TPU_PROCESS_BOUNDS", "TPU_HOST_BOUNDS"),
    *("TPU_CHIPS_PER_PROCESS_BOUNDS", "TPU_CHIPS_PER_HOST_BOUNDS"),
)
_TPU_PORT: Final = 8476


@dataclass(frozen=True, slots=True)
class Choice:
    """`indices` among the devices that the process could see, None: "auto" or "all", which `everything` tells."""

    indices: tuple[int, ...] | None = None
    everything: bool = False

    @classmethod
    def of(cls, text: str) -> Choice:
        """From "auto", "all", or indices as in "0,2". Raises ValueError with what was expected."""
        words = [word.strip() for word in text.split(",")]
        if words in ([AUTO], [ALL]):
            return cls(everything=words == [ALL])
        if not all(re.fullmatch(r"[0-9]{1,4}", word) for word in words):
            raise ValueError(f'expected "{AUTO}", "{ALL}" or numbers of devices as in "0" or "0,2", got {text!r}')
        indices = tuple(int(word) for word in words)
        if len(set(indices)) < len(indices):
            raise ValueError(f"expected every device once, got {text!r}")
        if max(indices) >= MOST:
            raise ValueError(f"expected numbers below {MOST}, got {text!r}")
        return cls(indices)

    @property
    def gpus(self) -> str:
        """What JAX's settings for visible GPUs are to be."""
        return ALL if self.everything else ",".join(str(index) for index in self.indices or (0,))

    def tpu_settings(self, environment: MutableMapping[str, str]) -> dict[str, str]:
        """What libtpu has to find in its environment. Nothing for "all", and for "auto" where whoever started the
        process has chosen already. Raises ValueError for a number of chips that no process can have."""
        if self.everything or (self.indices is None and any(name in environment for name in _TPU_SETTINGS)):
            return {}
        indices = self.indices or (0,)
        if len(indices) not in _CHIPS:
            raise ValueError(f"expected {', '.join(map(str, _CHIPS))} TPU chips, got {len(indices)}")
        port = str(_TPU_PORT + indices[0])
        return {
            "TPU_VISIBLE_CHIPS": ",".join(str(index) for index in indices),
            "TPU_CHIPS_PER_PROCESS_BOUNDS": _CHIPS[len(indices)],
            "TPU_PROCESS_BOUNDS": "1,1,1",
            "TPU_MESH_CONTROLLER_ADDRESS": f"localhost:{port}",
            "TPU_MESH_CONTROLLER_PORT": port,
        }

    def pick(self, kind: str, devices: Sequence[Device]) -> list[Device]:
        """Of the devices that JAX found: all that it sees of an accelerator, and of a CPU those that were named.
        Raises ValueError."""
        if kind != "cpu" or self.indices is None:
            return list(devices)
        if max(self.indices) >= len(devices):
            raise ValueError(f"expected numbers below {len(devices)} on this {kind}, got {max(self.indices)}")
        return [devices[index] for index in self.indices]


def accelerators(kind: str, dev: Path = Path("/dev")) -> int:
    """How many GPUs of NVIDIA, or TPU chips, this host (or container) has by its device files; 0 where unknown."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if kind == "gpu" and visible is not None:
        return len([one for one in visible.split(",") if one.strip() and one.strip() != "-1"])
    if kind == "gpu":
        return _files(dev, r"nvidia\d+")
    return _files(dev, r"accel\d+") or _files(dev / "vfio", r"\d+") if kind == "tpu" else 0


def _files(folder: Path, pattern: str) -> int:
    if not folder.is_dir():
        return 0
    return sum(1 for path in folder.iterdir() if re.fullmatch(pattern, path.name))
