# SPDX-License-Identifier: Apache-2.0
"""What is thrown at a server: generators, targets and the watch over both, for `bench/fuzz.py` and `tests/fuzz`."""
