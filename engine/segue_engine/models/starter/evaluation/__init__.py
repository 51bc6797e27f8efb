# SPDX-License-Identifier: Apache-2.0
"""Figures about music and reactions, computed from tokens."""
