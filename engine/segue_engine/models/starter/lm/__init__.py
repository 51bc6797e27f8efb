# SPDX-License-Identifier: Apache-2.0
"""The starter's language model: a temporal transformer over frames, a depth transformer over a frame's codes."""
