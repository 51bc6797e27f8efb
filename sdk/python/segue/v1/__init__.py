# SPDX-License-Identifier: Apache-2.0
"""The generated stubs of proto/segue/v1. Written by proto/generate.py; do not edit."""
