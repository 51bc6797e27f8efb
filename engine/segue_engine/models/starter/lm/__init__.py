# SPDX-License-Identifier: Apache-2.0
"""The starter's language model: a temporal transformer over frames and a depth transformer over the codes of a frame."""
