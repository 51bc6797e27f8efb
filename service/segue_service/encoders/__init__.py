# SPDX-License-Identifier: Apache-2.0
"""Compressed audio: codec frames of int16 samples → QOA frames and Opus packets. Knows no session."""
