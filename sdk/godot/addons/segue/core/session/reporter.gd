# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## Tells the server what has been played, which paces the session by it, and how much lead is wished for. One thread's.

const Call := preload("res://addons/segue/core/net/call.gd")
const LeadWish := preload("res://addons/segue/core/session/lead_wish.gd")
const Link := preload("res://addons/segue/core/session/link.gd")
const Options := preload("res://addons/segue/core/session/options.gd")
const Playout := preload("res://addons/segue/core/session/playout.gd")
const Status := preload("res://addons/segue/core/net/status.gd")

const MOST_FAILURES: int = 2
const PATIENCE_S: float = 2.0

## Round trip of the last report in seconds; 0 before there was one.
var round_trip_s: float = 0.0
## What the server keeps, as far as it has said.
var lead_ms: int = 0

var _link: Link
var _playout: Playout
var _wish: LeadWish
var _every_s: float = 0.5
var _failures: int = 0
var _told_underruns: int = 0
var _call: Call = null
var _call_underruns: int = 0
var _sent_s: float = 0.0
var _next_s: float = -1.0


func _init(link: Link) -> void:
	_link = link
	_playout = link.playout
	var options: Options = link.options
	_wish = LeadWish.new(options.lead(), options.most_lead())
	lead_ms = options.lead()


## Something has come, or a stream begins.
func alive() -> void:
	_failures = 0


## How often the server would like to be told.
func every(milliseconds: int) -> void:
	if milliseconds > 0:
		_every_s = clampi(milliseconds, 50, 60000) / 1000.0


## Whether neither reports have got through nor anything has come for a while: a connection may be dead without anybody
## telling. True once.
func is_cut_off() -> bool:
	if _failures < MOST_FAILURES:
		return false
	_failures = 0
	return true


## Whether a report is under way.
func is_calling() -> bool:
	return _call != null


func step(now_s: float) -> void:
	if _call != null:
		if _call.done:
			_answered(now_s)
		return
	if _next_s < 0.0:
		_next_s = now_s + _every_s
	if now_s < _next_s or _link.id.is_empty() or _link.reception.listener_id.is_empty():
		return
	_next_s = now_s + _every_s
	_sent_s = now_s
	var ladder: Playout.Ladder = _playout.ladder
	_call_underruns = ladder.underruns
	_wish.observe(now_s, _playout.take_lowest_ms(), ladder.underruns, ladder.timeline.take)
	var has_begun: bool = ladder.timeline.has_begun
	var fields: Dictionary = {
		"session_id": _link.id,
		"listener_id": _link.reception.listener_id,
		"playhead_sample": ladder.timeline.playhead if has_begun else maxi(0, _link.reception.first_sample),
		"underruns": ladder.underruns - _told_underruns,
		"round_trip_ms": mini(600000, roundi(round_trip_s * 1000.0)),
		"target_lead_ms": _wish.milliseconds if _wish.has_changed else 0,
	}
	_call = _link.begin(&"ReportPlayback", fields, PATIENCE_S)


func _answered(now_s: float) -> void:
	var call: Call = _call
	_call = null
	if call.status.ok:
		round_trip_s = now_s - _sent_s
		_told_underruns = _call_underruns
		_failures = 0
		every(call.response.get("report_every_ms", 0))
		_keep(call.response.get("target_lead_ms", 0))
	elif call.status.code in [Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED]:
		# The stream finds out by itself what is the matter, if it is not deaf.
		_failures += 1


## The server keeps this lead now; 0: one that doesn't say.
func _keep(milliseconds: int) -> void:
	if milliseconds <= 0 or milliseconds == lead_ms:
		return
	lead_ms = milliseconds
	_playout.ladder.most_prime = Options.most_prime(milliseconds)
	_playout.relearn()
