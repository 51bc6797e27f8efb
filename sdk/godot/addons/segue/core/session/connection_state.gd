# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## How a session stands with its server.

enum State {
	## Not begun.
	IDLE,
	## The session is being created, or its first audio is on its way.
	CONNECTING,
	## Audio arrives.
	PLAYING,
	## Audio arrives too late or not at all: the fallback is heard, where there is one.
	STARVED,
	## The stream broke and is taken up again.
	RECONNECTING,
	## The server is gone: another one is asked to go on from what is held here.
	RESUMING,
	## A long pause freed the slot; playing on brings it back.
	SUSPENDED,
	## The music has come to its end, or the session was let go.
	STOPPED,
	## There is no way on.
	FAILED,
}

## Statuses of SessionStatus on the wire in which nothing is generated: PAUSED, STOPPED, SUSPENDED.
const STANDING: PackedInt32Array = [2, 3, 5]
