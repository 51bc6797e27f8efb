# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import jax
import numpy as np
import pytest
from jax import lax

from segue_engine.spectrostream import SpectroStreamConfig
from segue_engine.spectrostream.convolution import convolve, convolve_narrow
from segue_engine.spectrostream.parameters import Conv
from segue_engine.spectrostream.phases import interleave, phase_kernel
from segue_engine.spectrostream.precision import EXACT

SHAPES = sorted({(level.kernel, level.stride) for level in SpectroStreamConfig().up})


@pytest.mark.parametrize(("kernel", "stride"), SHAPES)
def test_phases_are_the_published_transposed_convolution(kernel: tuple[int, int], stride: tuple[int, int]):
    rng = np.random.default_rng(0)
    (k_t, k_f), (s_t, s_f) = kernel, stride
    x = rng.standard_normal((2, 3, 5, 4), dtype=np.float32)
    published = rng.standard_normal((k_t, k_f, 4, 3), dtype=np.float32)
    left = -(-(k_f + s_f - 2) // 2)
    expected = lax.conv_general_dilated(
        x,
        published,
        (1, 1),
        ((k_t - 1, s_t - 1), (left, k_f + s_f - 2 - left)),
        lhs_dilation=stride,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision=lax.Precision.HIGHEST,
    )
    arranged = phase_kernel(published, stride)
    conv = Conv(jax.numpy.asarray(arranged), jax.numpy.zeros(3))
    read = np.pad(x, ((0, 0), (arranged.shape[0] - 1, 0), (0, 0), (0, 0)))
    for convolution in (convolve, convolve_narrow):
        ours = interleave(convolution(conv, read, EXACT, (1, 1)), kernel, stride)
        assert ours.shape == (2, 3 * s_t, 5 * s_f, 3)
        np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_no_weight_is_lost_or_doubled():
    for kernel, stride in SHAPES:
        published = np.arange(np.prod(kernel) * 2, dtype=np.float32).reshape(*kernel, 1, 2)
        np.testing.assert_array_equal(np.sort(phase_kernel(published, stride), axis=None), published.ravel())
