# SPDX-License-Identifier: Apache-2.0
"""The batched music engine. Importing this package imports nothing: name the module that you need."""
