# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## What a session shall be. Not changed once it is handed over.

const Decoder := preload("res://addons/segue/core/audio/decoder.gd")

const USUAL_LEAD_MS: int = 300
const USUAL_MOST_LEAD_MS: int = 2000
const MOST_PRIME: int = 9600

## Id of a soundtrack that the server has.
var soundtrack: String = ""
## Its version; 0: the newest.
var version: int = 0
## State to begin in; empty: the soundtrack's initial one.
var initial_state: String = ""
## Seed of the music; −1: drawn by the server.
var music_seed: int = -1
## Parameters' first values, by name.
var parameters: Dictionary = {}
## How far the server generates ahead, 100 to 10,000; 0: 300.
var lead_ms: int = 0
## How far a bad network may push it; 0: 2,000, or lead_ms if that is more; lead_ms: it is not pushed.
var most_lead_ms: int = 0
## Create it paused, to be started by Play.
var paused: bool = false
## Free labels for operators: texts by names.
var labels: Dictionary = {}
## A number of AudioEncoding; 0: the best that this engine decodes.
var encoding: int = 0
## Length of chunks, 40 to 1,000; 0: 80.
var chunk_ms: int = 0
## Whether beats and bars are told.
var clock: bool = true
## Keep what it takes to go on when the server is gone; some 5 kbit/s.
var resume: bool = true
## The operator's or tenant's, where the server asks for one to create sessions.
var client_token: String = ""


## lead_ms, or what it is if nothing was said.
func lead() -> int:
	return lead_ms if lead_ms > 0 else USUAL_LEAD_MS


## most_lead_ms, or what it is if nothing was said.
func most_lead() -> int:
	return maxi(lead(), most_lead_ms if most_lead_ms > 0 else USUAL_MOST_LEAD_MS)


## Samples that have to be there before they are played: two thirds of the lead, at most 200 ms.
func prime() -> int:
	@warning_ignore("integer_division")
	return mini(MOST_PRIME, lead() * 48 * 2 / 3)


## Samples that may have to be there after the stream has run dry: the server sends no more than the lead.
static func most_prime(of_lead_ms: int) -> int:
	@warning_ignore("integer_division")
	return of_lead_ms * 48 * 4 / 5


## The encoding to ask for.
func wanted_encoding() -> int:
	return encoding if encoding > 0 else Decoder.best_encoding()


## Fields of CreateSessionRequest. state: to begin in, if it is another one than was asked for; or empty.
func request(request_id: String, state: String) -> Dictionary:
	var fields: Dictionary = {
		"soundtrack_id": soundtrack,
		"soundtrack_version": version,
		"initial_state": state if not state.is_empty() else initial_state,
		"parameters": values(parameters),
		"target_lead_ms": lead_ms,
		"paused": paused,
		"labels": labels,
		"request_id": request_id,
	}
	if music_seed >= 0:
		fields["seed"] = music_seed
	return fields


## Fields of CreateSessionRequest for a session that goes on from a ResumeRequest.
func resume_request(request_id: String, from: Dictionary) -> Dictionary:
	return {"resume": from, "request_id": request_id, "target_lead_ms": lead_ms, "paused": paused, "labels": labels}


## Numbers by names as fields of ParameterValue.
static func values(of: Dictionary) -> Array[Dictionary]:
	var found: Array[Dictionary] = []
	for name: Variant in of:
		found.append({"name": str(name), "value": float(of[name])})
	return found


## 32 unguessable characters.
static func unguessable() -> String:
	return Crypto.new().generate_random_bytes(16).hex_encode()
