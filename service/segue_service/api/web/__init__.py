# SPDX-License-Identifier: Apache-2.0
"""gRPC-Web: the calls of the native adapter, over HTTP/1.1."""
