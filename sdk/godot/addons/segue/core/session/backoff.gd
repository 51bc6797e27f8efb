# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## How long to wait before trying again; with jitter, so that clients don't come back all at once.

const LONGEST_S: float = 3.0


## Seconds after n tries in vain: at once, then 0.1, 0.2, … 3 s, times 0.5 to 1. Any thread.
static func before(tries: int) -> float:
	if tries <= 0:
		return 0.03 * randf()
	return minf(LONGEST_S, 0.1 * pow(2.0, mini(tries - 1, 10))) * (0.5 + 0.5 * randf())
