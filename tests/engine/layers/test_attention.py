# SPDX-License-Identifier: Apache-2.0
"""Window attention, one frame at a time and whole, against a plain numpy reference; rotary positions; depth loop."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from segue_engine.layers import ring, rotary
from segue_engine.layers.attention import Sink, attend_ahead, attend_ring, attend_whole, default_scale, per_dim_scale
from segue_engine.layers.depth import Growing, run_levels
from segue_engine.layers.norms import layer_norm, rms_norm

B, T, N, H = 2, 24, 3, 8


def reference(q: np.ndarray, s: np.ndarray, k: np.ndarray, v: np.ndarray, window: int, sink: Sink | None) -> np.ndarray:
    out = np.zeros_like(q)
    for b in range(B):
        for t in range(T):
            for n in range(N):
                past = range(max(0, t - window), t + 1)
                logits, values = [s[b, t, n] @ k[b, u, n] for u in past], [v[b, u, n] for u in past]
                if sink is not None:
                    logits.append(q[b, t, n] @ np.asarray(sink.key[n]))
                    values.append(np.asarray(sink.value[n]))
                w = np.exp(np.array(logits) - max(logits))
                out[b, t, n] = (w / w.sum()) @ np.array(values)
    return out


@pytest.fixture
def qkv() -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(2)
    return tuple(rng.normal(size=(B, T, N, H)).astype(np.float32) for _ in range(3))


@pytest.mark.parametrize("sunk", [False, True])
@pytest.mark.parametrize("window", [5, 8, 40])
def test_whole_and_stream_equal_the_reference(qkv: tuple[np.ndarray, ...], window: int, sunk: bool) -> None:
    q, k, v = qkv
    rng = np.random.default_rng(3)
    sink = Sink(*(jnp.asarray(rng.normal(size=(N, H)), jnp.float32) for _ in range(2))) if sunk else None
    scaled = np.asarray(per_dim_scale(jnp.asarray(q), jnp.asarray(rng.normal(size=H), jnp.float32)))
    wanted = reference(q, scaled, k, v, window, sink)
    whole = attend_whole(*(jnp.asarray(x) for x in (q, scaled, k, v)), window, sink)
    np.testing.assert_allclose(whole, wanted, atol=2e-5)

    for begin in (0, 3, 7):  # the frames before `begin` as a past, the rest at once
        past = [np.full((B, window, N, H), 7.0, np.float32) for _ in range(2)]
        known = min(begin, window)
        for old, new in zip(past, (k, v), strict=True):
            old[:, window - known :] = new[:, begin - known : begin]
        seen = jnp.asarray(np.tile(np.arange(window) >= window - known, (B, 1)))
        rest = [jnp.asarray(x[:, begin:]) for x in (q, scaled, k, v)]
        ahead = attend_ahead(
            rest[0], rest[1], (jnp.asarray(past[0]), jnp.asarray(past[1])), seen, (rest[2], rest[3]), sink
        )
        np.testing.assert_allclose(ahead, wanted[:, begin:], atol=2e-5)

    length = ring.ring_length(window, 3)
    keys = values = jnp.full((B, N, length, H), 7.0)  # garbage from an earlier owner
    late = jnp.array([0, 4], jnp.int32)  # row 1 begins four steps later than row 0

    @jax.jit
    def step(keys: jax.Array, values: jax.Array, frame: jax.Array, at: list[jax.Array]) -> tuple[jax.Array, ...]:
        query, by, key, value = at
        due = (frame >= 0) & (frame < T)
        keys, values = ring.write(keys, key, frame, due, 2), ring.write(values, value, frame, due, 2)
        seen = ring.visible(frame, length, window)
        own = (key[:, None], value[:, None])
        return keys, values, attend_ring(query[:, None], by[:, None], keys, values, seen, own, sink)[:, 0]

    rows = np.arange(B)
    for tick in range(T + 4):
        frame = tick - late
        inside = np.clip(np.asarray(frame), 0, T - 1)
        keys, values, out = step(keys, values, frame, [jnp.asarray(x[rows, inside]) for x in (q, scaled, k, v)])
        for row in rows:
            if 0 <= frame[row] < T:
                np.testing.assert_allclose(out[row], wanted[row, int(frame[row])], atol=2e-5)


def test_branches_share_the_past_but_not_the_present(qkv: tuple[np.ndarray, ...]) -> None:
    q, k, v = (jnp.asarray(x) for x in qkv)
    past_k, past_v = jnp.swapaxes(k, 1, 2), jnp.swapaxes(v, 1, 2)
    seen = jnp.ones((B, T), bool)
    pair = tuple(x[:, :2] for x in (q, k, v))
    both = attend_ring(pair[0], default_scale(pair[0]), past_k, past_v, seen, (pair[1], pair[2]))
    for g in range(2):
        one = tuple(x[:, g : g + 1] for x in pair)
        alone = attend_ring(one[0], default_scale(one[0]), past_k, past_v, seen, (one[1], one[2]))
        np.testing.assert_allclose(both[:, g], alone[:, 0], atol=1e-6)


def test_per_dim_scale_of_zero_is_the_usual_scale() -> None:
    q = jnp.ones((1, 16))
    np.testing.assert_allclose(per_dim_scale(q, jnp.zeros(16)), default_scale(q), rtol=1e-6)


def test_rotary_is_relative_and_exact_for_any_frame() -> None:
    rng = np.random.default_rng(0)
    q, k = (jnp.asarray(rng.normal(size=(1, 2, 32)), jnp.float32) for _ in range(2))

    def product(at: int, past: int) -> np.ndarray:
        turn = [rotary.rotate(x, *rotary.phases(jnp.array([f], jnp.int32), 32)) for x, f in ((q, at), (k, past))]
        return np.asarray(jnp.sum(turn[0] * turn[1], -1))

    np.testing.assert_allclose(product(50, 40), product(1050, 1040), atol=1e-5)
    far = 4096 * 500_000
    np.testing.assert_array_equal(product(50, 40), product(far + 50, far + 40))
    assert np.abs(product(50, 40) - product(50, 41)).max() > 1e-3
    turns = rotary.frequencies(32)
    assert turns.dtype == np.int32
    assert turns[0] == round(4096 / (2 * np.pi))
    assert turns.min() >= 1
    with pytest.raises(ValueError, match="even"):
        rotary.frequencies(7)


def test_growing_depth_attention_equals_causal_attention(qkv: tuple[np.ndarray, ...]) -> None:
    q, k, v = (jnp.asarray(x) for x in qkv)
    whole = attend_whole(q, default_scale(q), k, v, T)

    @jax.jit
    def grow(q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
        growing = Growing()
        return jnp.stack([growing.attend(default_scale(q[:, t]), k[:, t], v[:, t]) for t in range(6)], 1)

    np.testing.assert_allclose(grow(q, k, v), whole[:, :6], atol=2e-5)


def test_levels_see_the_codes_below() -> None:
    def logits_of(level: int, codes: list[jax.Array]) -> jax.Array:
        return jax.nn.one_hot(sum(codes, jnp.array([1, 2])), 16)

    codes = run_levels(4, logits_of, lambda level, logits: jnp.argmax(logits, -1))
    np.testing.assert_array_equal(codes, [[1, 2, 4, 8], [2, 4, 8, 0]])


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_norms(dtype: jnp.dtype) -> None:
    rng = np.random.default_rng(1)
    x, scale, bias = rng.normal(2, 3, (4, 16)), rng.normal(size=16), rng.normal(size=16)
    arrays = [jnp.asarray(a, dtype) for a in (x, scale, bias)]
    rms = rms_norm(arrays[0], arrays[1], dtype=jnp.float32)
    layer = layer_norm(*arrays)
    assert rms.dtype == layer.dtype == dtype
    tolerance = 1e-5 if dtype == jnp.float32 else 6e-2
    np.testing.assert_allclose(
        np.asarray(rms, np.float32), x / np.sqrt((x**2).mean(-1, keepdims=True)) * scale, atol=tolerance, rtol=tolerance
    )
    wanted = (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True) * scale + bias
    np.testing.assert_allclose(np.asarray(layer, np.float32), wanted, atol=tolerance, rtol=tolerance)


def test_blocks_agree_with_the_full_mask(qkv: tuple[np.ndarray, ...]) -> None:
    q, k, v = (jnp.asarray(x) for x in qkv)
    grad = jax.grad(lambda q, w: jnp.sum(jnp.sin(attend_whole(q, default_scale(q), k, v, w))), argnums=0)
    blocks = jax.jit(partial(grad, w=8))(q)  # 24 frames are three blocks of eight
    past = jnp.arange(T)[:, None] - jnp.arange(T)

    def full(q: jax.Array) -> jax.Array:
        logits = jnp.where((past >= 0) & (past <= 8), jnp.einsum("btnh,bsnh->bnts", default_scale(q), k), -1e9)
        return jnp.sum(jnp.sin(jnp.einsum("bnts,bsnh->btnh", jax.nn.softmax(logits, -1), v)))

    np.testing.assert_allclose(blocks, jax.jit(jax.grad(full))(q), atol=2e-5)
