# SPDX-License-Identifier: Apache-2.0
"""`segue bake`: a seamless loop of every state and a recording of every stinger, for when the network is gone."""
