# SPDX-License-Identifier: Apache-2.0
"""Pytrees as flat dicts: names are paths, and nothing is lost on the way there and back."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np
import optax  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from segue_engine.models.starter.trees import flatten, restore, unflatten


class Pair(NamedTuple):
    left: Any
    right: Any


KEYS = st.text("abc_", min_size=1, max_size=3)
TREES: st.SearchStrategy[Any] = st.recursive(
    st.integers(0, 99),
    lambda inner: st.dictionaries(KEYS, inner, min_size=1, max_size=3) | st.lists(inner, min_size=1, max_size=3),
    max_leaves=12,
)


def test_names_are_paths() -> None:
    tree = {"temporal": [{"qkv": 1}, {"qkv": 2}], "pair": Pair((3, 4), {"a": 5})}
    assert flatten(tree) == {
        "temporal/0/qkv": 1,
        "temporal/1/qkv": 2,
        "pair/left/0": 3,
        "pair/left/1": 4,
        "pair/right/a": 5,
    }


@given(st.dictionaries(KEYS, TREES, min_size=1, max_size=3))
def test_dicts_and_lists_come_back(tree: dict[str, Any]) -> None:
    assert unflatten(flatten(tree)) == tree
    assert restore(tree, flatten(tree)) == tree


def test_an_optimisers_state_comes_back_in_its_own_types() -> None:
    params = {"w": np.ones((2, 2), np.float32), "l": [np.zeros(3, np.float32)]}
    state = optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam()).init(params)
    flat = flatten(state)
    assert set(flat) == {"1/count", "1/mu/w", "1/mu/l/0", "1/nu/w", "1/nu/l/0"}
    again = restore(state, dict(reversed(flat.items())))
    assert jax.tree.structure(again) == jax.tree.structure(state)
    assert all(a is b for a, b in zip(jax.tree.leaves(again), jax.tree.leaves(state), strict=True))
