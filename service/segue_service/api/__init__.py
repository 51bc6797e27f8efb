# SPDX-License-Identifier: Apache-2.0
"""Plain handlers of the wire contract, and the adapters that speak gRPC and gRPC-Web."""
