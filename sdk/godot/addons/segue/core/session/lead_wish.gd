# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## How far ahead of the playhead the server should generate: further when the reserve gets low, and step by step back
## when it has been ample for a minute. Told the time; one thread.

## Seconds that the reserve has to be ample for before less is asked for.
const CALM_S: float = 60.0
## A reserve that was not looked at, as nothing was heard.
const UNSEEN: int = 0x7fffffff

## What is asked for.
var milliseconds: int = 0
## Whether it has ever been anything else than at first.
var has_changed: bool = false

var _least: int = 0
var _most: int = 0
var _underruns: int = 0
var _take: int = 0
var _heedless_s: float = 0.0
var _calm_since_s: float = 0.0
var _lowest: int = UNSEEN


## least: milliseconds to begin with, and the least that is ever asked for. most: what is asked for at most.
func _init(least: int, most: int) -> void:
	milliseconds = least
	_least = least
	_most = maxi(least, most)


## What was seen since it was last called. lowest: milliseconds that the reserve fell to while the stream was heard, or
## UNSEEN. underruns: times that the stream ran dry, in all. take: after a new one the reserve is small for a while.
func observe(now_s: float, lowest: int, underruns: int, take: int) -> void:
	var ran: int = underruns - _underruns
	_underruns = underruns
	if take != _take:
		_take = take
		_ignore(now_s)
	if now_s < _heedless_s:
		return
	_lowest = mini(_lowest, lowest)
	if ran > 0:
		_ask(now_s, floori(milliseconds * 1.5))
	elif lowest < floori(milliseconds / 4.0):
		_ask(now_s, milliseconds + floori(milliseconds / 4.0))
	elif now_s - _calm_since_s >= CALM_S:
		if _lowest != UNSEEN and _lowest > floori(milliseconds / 2.0):
			_ask(now_s, milliseconds - floori(milliseconds / 10.0))
		else:
			_begin(now_s)


func _ask(now_s: float, wanted: int) -> void:
	wanted = clampi(wanted, _least, _most)
	has_changed = has_changed or wanted != milliseconds
	milliseconds = wanted
	_ignore(now_s)


## It takes its length until a lead is there again.
func _ignore(now_s: float) -> void:
	_heedless_s = now_s + milliseconds / 1000.0 + 1.0
	_begin(_heedless_s)


func _begin(now_s: float) -> void:
	_calm_since_s = now_s
	_lowest = UNSEEN
