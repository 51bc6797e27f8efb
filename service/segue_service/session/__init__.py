# SPDX-License-Identifier: Apache-2.0
"""Sessions: the device thread, pacing, timelines, steering, listeners."""
