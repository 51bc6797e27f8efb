# SPDX-License-Identifier: Apache-2.0
"""The Segue service: sessions, steering and streaming. Never imports jax."""
