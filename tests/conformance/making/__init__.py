# SPDX-License-Identifier: Apache-2.0
"""How the vectors are made: a module per file; each has `make() -> dict`, the same for everybody who runs it."""
