# SPDX-License-Identifier: Apache-2.0
"""Who calls, what they may do and how much of it, and what is written down of it. Knows nothing of sessions."""
