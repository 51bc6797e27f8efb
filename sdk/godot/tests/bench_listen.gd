# SPDX-License-Identifier: Apache-2.0
extends SceneTree
## A player without a game, for figures: `-- SERVER SOUNDTRACK SECONDS LEAD_MS [STATE,STATE]`. It goes from one state to
## the next every three seconds, IMMEDIATE, and prints one line of JSON. `bench/godot.py` runs it.

const EVERY_S: float = 3.0
const FIRST_S: float = 1.0

var _music: SoundtrackPlayer = null
var _reserves: PackedFloat64Array = PackedFloat64Array()
var _heard_ms: PackedFloat64Array = PackedFloat64Array()
var _frames_ms: PackedFloat64Array = PackedFloat64Array()
var _first_ms: float = -1.0
var _failed: int = 0


func _initialize() -> void:
	_run.call_deferred()


func _run() -> void:
	var words: PackedStringArray = OS.get_cmdline_user_args()
	if words.size() < 4:
		printerr("expected -- SERVER SOUNDTRACK SECONDS LEAD_MS [STATE,STATE]")
		quit(2)
		return
	_music = SoundtrackPlayer.new()
	_music.server = words[0]
	_music.soundtrack = words[1]
	_music.lead_ms = words[3].to_int()
	root.add_child(_music)
	_music.play()
	var states: PackedStringArray = words[4].split(",") if words.size() > 4 else PackedStringArray()
	await _listen(words[2].to_float(), states)
	_print()
	_music.stop()
	# Its session is freed on the server meanwhile.
	await create_timer(0.5).timeout
	_music.free()
	await create_timer(0.5).timeout
	quit(0 if _first_ms >= 0.0 else 1)


func _listen(seconds: float, states: PackedStringArray) -> void:
	var begin: int = Time.get_ticks_msec()
	var asked: float = EVERY_S
	var turn: int = 0
	while Time.get_ticks_msec() - begin < seconds * 1000.0:
		await process_frame
		_frames_ms.append(Performance.get_monitor(Performance.TIME_PROCESS) * 1000.0)
		var now: float = (Time.get_ticks_msec() - begin) / 1000.0
		if _music.connection_state != SoundtrackPlayer.ConnectionState.PLAYING:
			continue
		if _first_ms < 0.0 and _music.heard_sample > 0:
			_first_ms = now * 1000.0
		if _first_ms >= 0.0 and now * 1000.0 > _first_ms + FIRST_S * 1000.0:
			_reserves.append(_music.get_reading().reserve_s * 1000.0)
		if not states.is_empty() and now >= asked + EVERY_S:
			asked = now
			turn += 1
			_steer(states[turn % states.size()])


func _steer(state: String) -> void:
	var asked: int = Time.get_ticks_usec()
	var outcome: SoundtrackPlayer.Outcome = await _music.set_state(state, SoundtrackPlayer.ExitSourceAt.IMMEDIATE)
	if not outcome.ok:
		_failed += 1
		return
	while _music.heard_sample < outcome.audible_at_sample:
		await process_frame
	_heard_ms.append((Time.get_ticks_usec() - asked) / 1000.0)


func _print() -> void:
	var reading: SoundtrackPlayer.Conductor.Reading = _music.get_reading()
	print(
		(
			JSON
			. stringify(
				{
					"first_audio_ms": _first_ms,
					"heard_seconds": snappedf(_music.heard_sample / 48000.0, 0.1),
					"reserve_ms_min": _at(_reserves, 0.0),
					"reserve_ms_p50": _at(_reserves, 0.5),
					"underruns": reading.underruns,
					"generator_ran_dry": reading.skips,
					"gaps": reading.gaps,
					"jumps": reading.jumps,
					"late_takes": reading.late_takes,
					"reconnects": reading.reconnects,
					"lead_ms": reading.lead_ms,
					"round_trip_ms": snappedf(reading.round_trip_s * 1000.0, 0.1),
					"changes_heard": _heard_ms.size(),
					"changes_failed": _failed,
					"heard_after_ms_p50": _at(_heard_ms, 0.5),
					"heard_after_ms_p95": _at(_heard_ms, 0.95),
					"heard_after_ms_max": _at(_heard_ms, 1.0),
					"process_ms_p50": _at(_frames_ms, 0.5),
					"process_ms_p95": _at(_frames_ms, 0.95),
				}
			)
		)
	)


## A quantile, or null of nothing.
func _at(values: PackedFloat64Array, part: float) -> Variant:
	if values.is_empty():
		return null
	var sorted: PackedFloat64Array = values.duplicate()
	sorted.sort()
	return snappedf(sorted[roundi(part * (sorted.size() - 1))], 0.01)
