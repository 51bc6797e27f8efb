# SPDX-License-Identifier: Apache-2.0
"""The faults of `bench/faults.py`, each a coroutine from a `Scene` to a `Fault`; `games` plays and listens."""
