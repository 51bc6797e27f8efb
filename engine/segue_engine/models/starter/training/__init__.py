# SPDX-License-Identifier: Apache-2.0
"""Training of the starter's language model on music that is composed while it trains."""
