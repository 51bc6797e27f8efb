# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## What became of a control: where it landed on the timeline, or why it did not.

## How a control found its place.
enum Landing {
	## Nothing landed.
	NONE,
	## It changes the music from `audible_at_sample` on, on audio that had not been generated yet.
	HEAD,
	## Audio that nobody has heard yet is replaced.
	REWOUND,
	## A rewind would have been sooner, but the session is past its rewind limit.
	HEAD_LIMITED,
	## Accepted, but the music doesn't change because of it (yet); `reason` says why.
	UNCHANGED,
}

const Status := preload("res://addons/segue/core/net/status.gd")
const Self := preload("res://addons/segue/core/session/outcome.gd")

## Whether the server took it.
var ok: bool:
	get:
		return status.ok
## How the call ended: the server's sentence, near misses, …
var status: Status = null
## How it landed.
var landing: Landing = Landing.NONE
## First sample of the timeline that can differ because of it; −1 if nothing changes.
var audible_at_sample: int = -1
## Version of the timeline in which it is heard.
var take: int = 0
## The state that the music is in, or on its way to, after it.
var state: String = ""
## Whether a transition is scheduled or fading.
var in_transition: bool = false
## Why nothing changed, in words; empty otherwise.
var reason: String = ""


## fields: of the ControlOutcome, where there is one.
static func make(how: Status, fields: Dictionary = {}) -> Self:
	var made: Self = Self.new()
	made.status = how
	made.landing = fields.get("landing", 0)
	made.audible_at_sample = fields.get("audible_at_sample", -1)
	made.take = fields.get("take", 0)
	made.state = fields.get("state", "")
	made.in_transition = fields.get("in_transition", false)
	made.reason = fields.get("reason", "")
	return made


func _to_string() -> String:
	if not ok:
		return str(status)
	return '%s in "%s", heard at %d' % [Landing.find_key(landing), state, audible_at_sample]
