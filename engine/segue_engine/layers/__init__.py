# SPDX-License-Identifier: Apache-2.0
"""What the models share: rings that rewind by counting, streaming window attention, depth loop, sampler.

Plain functions on arrays; every array has the row axis first and no row is a function of another. Besides, how a flat
checkpoint is held against a layout (`flat_checkpoint`).
"""
