# SPDX-License-Identifier: Apache-2.0
"""The `segue` command."""

from segue_service.cli.app import main

__all__ = ["main"]
