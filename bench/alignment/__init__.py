# SPDX-License-Identifier: Apache-2.0
"""What `bench/bars.py` plays and measures."""
