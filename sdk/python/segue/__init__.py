# SPDX-License-Identifier: Apache-2.0
"""Segue's Python client."""
