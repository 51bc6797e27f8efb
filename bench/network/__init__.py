# SPDX-License-Identifier: Apache-2.0
"""Bad networks and clients, for benches: a proxy that delays and loses, a pretended sound card, and what must hold.

`link` is a lossy TCP connection as arithmetic, `proxy` puts it before a server, `serving` starts servers and looks at
them from outside, `player` plays in real time, `transcript` compares what several listeners got; `check_*` are the
checks of `bench/survival.py`.
"""
