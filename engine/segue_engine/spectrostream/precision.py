# SPDX-License-Identifier: Apache-2.0
"""The decoder's arithmetic, a setting of its own: the codec is most of a small model's work and none of its judgement.

* float32: what the golden vectors are compared in.
* tf32: float32 weights and activations, products at the device's reduced precision where it has one (TensorFloat-32 on
  GPUs, three bfloat16 passes on TPUs). The same as float32 on CPUs.
* bfloat16: weights and activations of all convolutions but the last are bfloat16, sums are float32. On CPUs it is slow,
  and there for its damage to be measured.

Quantiser, last convolution's output, inverse STFT and its overlap are float32 throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike

CodecPrecision = Literal["float32", "tf32", "bfloat16"]
PRECISIONS: Final[tuple[CodecPrecision, ...]] = get_args(CodecPrecision)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """dtype: of convolution weights and of what they read; products: how exact their products are."""

    dtype: DTypeLike
    products: lax.Precision


EXACT: Final = Arithmetic(jnp.float32, lax.Precision.HIGHEST)

# HIGH is "tensorfloat32" in JAX's own words: TF32 where there is such a thing. DEFAULT would be bfloat16 on TPUs.
REDUCED: Final = Arithmetic(jnp.float32, lax.Precision.HIGH)

_ARITHMETIC: Final[dict[CodecPrecision, Arithmetic]] = {
    "float32": EXACT,
    "tf32": REDUCED,
    "bfloat16": Arithmetic(jnp.bfloat16, lax.Precision.DEFAULT),
}


def arithmetic(precision: CodecPrecision) -> Arithmetic:
    """Raises ValueError listing the settings there are."""
    if precision not in _ARITHMETIC:
        raise ValueError(f"precision: expected one of {', '.join(PRECISIONS)}, got {precision!r}")
    return _ARITHMETIC[precision]
