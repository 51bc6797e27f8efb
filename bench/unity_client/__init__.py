# SPDX-License-Identifier: Apache-2.0
"""Parts of bench/unity.py: the C# client as a process, and what is measured in what it rendered."""
