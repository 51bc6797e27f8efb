# SPDX-License-Identifier: Apache-2.0
"""Pytrees as flat dicts of named arrays, for files."""

from __future__ import annotations

from typing import Any

import jax
from flax import serialization, traverse_util


def flatten(tree: Any) -> dict[str, Any]:
    """Leaves by path such as "temporal/0/qkv"; lists and tuples count as dicts of their indices."""
    flat: dict[str, Any] = traverse_util.flatten_dict(  # type: ignore[no-untyped-call]
        serialization.to_state_dict(tree), sep="/"
    )
    return flat


def restore(like: Any, flat: dict[str, Any]) -> Any:
    """`flatten` undone into the structure of `like`."""
    leaves, structure = jax.tree.flatten(like)
    order = flatten(jax.tree.unflatten(structure, range(len(leaves))))
    named = {index: name for name, index in order.items()}
    return jax.tree.unflatten(structure, [flat[named[i]] for i in range(len(leaves))])


def unflatten(flat: dict[str, Any]) -> Any:
    """`flatten` undone for dicts and lists; a dict whose keys are all numbers becomes a list."""
    return _listed(_nested(flat))


def _nested(flat: dict[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = traverse_util.unflatten_dict(flat, sep="/")  # type: ignore[no-untyped-call]
    return nested


def _listed(tree: Any) -> Any:
    if not isinstance(tree, dict):
        return tree
    if tree and all(key.isdigit() for key in tree):
        return [_listed(tree[str(i)]) for i in range(len(tree))]
    return {key: _listed(value) for key, value in tree.items()}
