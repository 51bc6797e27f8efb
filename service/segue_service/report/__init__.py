# SPDX-License-Identifier: Apache-2.0
"""What was played, as a table and as a picture."""
