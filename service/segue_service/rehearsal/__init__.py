# SPDX-License-Identifier: Apache-2.0
"""`segue test`: every way through a soundtrack's graph is played once, measured, and held against thresholds."""
