# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## What a player node does, whichever it is: begins sessions when the engine plays it, lets go of them when it is
## stopped, and tells what is heard. The main thread's.

const BakedFolder := preload("res://addons/segue/core/audio/baked_folder.gd")
const Channel := preload("res://addons/segue/core/net/channel.gd")
const ConnectionState := preload("res://addons/segue/core/session/connection_state.gd")
const Departures := preload("res://addons/segue/player/departures.gd")
const Ladder := preload("res://addons/segue/core/audio/ladder.gd")
const LiveStream := preload("res://addons/segue/player/live_stream.gd")
const Monitors := preload("res://addons/segue/core/monitors.gd")
const Options := preload("res://addons/segue/core/session/options.gd")
const Outcome := preload("res://addons/segue/core/session/outcome.gd")
const Pump := preload("res://addons/segue/core/session/pump.gd")
const Reading := preload("res://addons/segue/core/session/reading.gd")
const Remote := preload("res://addons/segue/core/remote.gd")
const Session := preload("res://addons/segue/core/session/session.gd")
const Status := preload("res://addons/segue/core/net/status.gd")
const Steering := preload("res://addons/segue/player/steering.gd")

const SAMPLE_RATE: int = 48000
const LATENCY_EVERY_MS: int = 1000

## What the node plays.
var stream: LiveStream = LiveStream.new()
## How the session stood in this frame.
var reading: Reading = Reading.new()
## First sample of the timeline that has not been heard; −1 before there is any.
var heard: int = -1
## Quarter notes a minute, of the last beat or bar that was heard; 0 before.
var bpm: float = 0.0
## Beats per bar, of the last one.
var beats_per_bar: int = 0
## Controls and parameters.
var steering: Steering

var _node: Node
var _pump: Pump = null
var _tree: SceneTree = null
# For the next time that the node is played: how a session is made.
var _id: String = ""
var _token: String = ""
var _saved: Dictionary = {}
var _is_paused_by_game: bool = false
var _is_paused_by_system: bool = false
var _is_paused: bool = false
var _told_state: ConnectionState.State = ConnectionState.State.IDLE
var _told_underruns: int = 0
var _latency_s: float = 0.0
var _latency_at_ms: int = -LATENCY_EVERY_MS


## node: an AudioStreamPlayer, AudioStreamPlayer2D or AudioStreamPlayer3D with a player's script.
func _init(node: Node) -> void:
	_node = node
	steering = Steering.new(node)
	stream.played = _played


## The session's thread, for figures; null while nothing is played.
func get_pump() -> Pump:
	return _pump


#region What the game wants


## Joins a session that somebody else has created.
func attach(id: String, token: String) -> void:
	_id = id
	_token = token
	_replay()


## Goes on from what `save` gave; false if it is not that.
func resume_from(saved: PackedByteArray) -> bool:
	_saved = Session.parse_saved(saved)
	if _saved.is_empty():
		steering.complain("resume_from: expected the bytes that save() gave")
		return false
	_replay()
	return true


func save() -> PackedByteArray:
	return _pump.session.save() if _pump != null else PackedByteArray()


func set_paused(paused: bool) -> void:
	_is_paused_by_game = paused
	_node.set(&"stream_paused", paused or _is_paused_by_system)
	_sync_pause()


## The system has sent the program to the background, or brought it back.
func set_paused_by_system(paused: bool) -> void:
	_is_paused_by_system = paused
	if _pump != null:
		_node.set(&"stream_paused", paused or _is_paused_by_game)
		_sync_pause()


func _replay() -> void:
	_node.call(&"stop")
	_node.call(&"play")


#endregion
#region Sessions


## The engine plays the node: this is what it will take frames from.
func _played(sink: AudioStreamPlayback) -> void:
	_is_paused_by_game = false
	var goes_on: bool = _pump != null and bool(_node.call(&"has_stream_playback"))
	if goes_on and reading.state < ConnectionState.State.STOPPED:
		_pump.session.use_sink(sink, stream.generator)
		return
	_leave()
	_begin(sink)


func _begin(sink: AudioStreamPlayback) -> void:
	var options: Options = _node.call(&"_options")
	var is_new: bool = _id.is_empty() and _saved.is_empty()
	if is_new and options.soundtrack.is_empty():
		steering.complain("it has no soundtrack: expected a resource, or the id of one that the server has")
		return
	var channel: Channel = Channel.new(_node.get(&"server"), _node.get(&"tls"))
	steering.begin(options, is_new)
	var session: Session = Session.new(options, channel, _id, _token, _saved)
	_id = ""
	_token = ""
	_saved = {}
	session.use_sink(sink, stream.generator)
	_use_baked(session)
	_pump = Pump.new(session)
	# The engine reads from both for a moment after the node has gone.
	_pump.keeps = [sink, stream.generator]
	_is_paused = false
	reading = Reading.new()
	heard = -1
	bpm = 0.0
	_told_underruns = 0
	_tree = _node.get_tree()
	if not _tree.process_frame.is_connected(tick):
		_tree.process_frame.connect(tick)
	Departures.watch(_pump, _tree)
	_pump.begin()
	steering.session = session


func _use_baked(session: Session) -> void:
	var folder: String = _node.get(&"baked_folder")
	if folder.is_empty():
		return
	var baked: BakedFolder = BakedFolder.new(folder)
	if not baked.error.is_empty():
		steering.warn("no fallback for when the network fails. " + baked.error)
		return
	session.use_baked(baked)


func _leave() -> void:
	if _pump == null:
		return
	var pump: Pump = _pump
	_pump = null
	if _tree.process_frame.is_connected(tick):
		_tree.process_frame.disconnect(tick)
	steering.end()
	Departures.begin(pump)
	reading = Reading.new()
	heard = -1


## The node has come into the tree: monitors and the editor's panel are told.
func enter() -> void:
	Monitors.add(_node)
	Remote.add(_node)


## It is about to be out of it.
func exit() -> void:
	Monitors.remove(_node)
	Remote.remove(_node)


## The node is being deleted.
func end() -> void:
	stream.played = Callable()
	_leave()


#endregion
#region Every frame


## What has happened since the last frame. A handler may stop the player, or begin another session.
func tick() -> void:
	var pump: Pump = _pump
	if pump == null:
		return
	if not _node.call(&"has_stream_playback"):
		_leave()
		_tell_state()
		return
	pump.poll()
	_sync_pause()
	reading = pump.session.reading()
	steering.tick(reading)
	if _pump != pump:
		return
	_hear()
	for event: Dictionary in pump.session.take_events(heard):
		_raise(event)
		if _pump != pump:
			return
	var underruns: int = reading.underruns + reading.skips
	if underruns != _told_underruns:
		_told_underruns = underruns
		_node.emit_signal(&"buffer_underrun", underruns)
	_tell_state()
	if _pump == pump and reading.state == ConnectionState.State.STOPPED:
		_finish_if_heard()


## The music has come to its end, and that has been heard.
func _finish_if_heard() -> void:
	if reading.mode == Ladder.Mode.WAITING and reading.drained >= reading.playhead:
		_node.call(&"stop")
		_leave()
		_tell_state()
		_node.emit_signal(&"finished")


func _hear() -> void:
	if reading.drained < 0:
		return
	var now_ms: int = Time.get_ticks_msec()
	if now_ms - _latency_at_ms >= LATENCY_EVERY_MS:
		_latency_at_ms = now_ms
		_latency_s = AudioServer.get_output_latency()
	var late_s: float = maxf(0.0, _latency_s - AudioServer.get_time_since_last_mix())
	var now: int = maxi(0, reading.drained - int(late_s * SAMPLE_RATE))
	# It does not go back by a jitter of the clocks, but another timeline may begin.
	heard = now if now < heard - SAMPLE_RATE else maxi(heard, now)


func _tell_state() -> void:
	if reading.state == _told_state:
		return
	_told_state = reading.state
	if reading.state == ConnectionState.State.FAILED:
		steering.failed(reading.error)
	_node.emit_signal(&"connection_state_changed", reading.state)


## Pausing the node (by the game, the tree, or as it is taken out of it) pauses a session of our own on the server.
func _sync_pause() -> void:
	if _pump == null:
		return
	if (_is_paused_by_game or _is_paused_by_system) and not _node.get(&"stream_paused"):
		_node.set(&"stream_paused", true)
	var paused: bool = _node.get(&"stream_paused")
	if paused == _is_paused:
		return
	_is_paused = paused
	if not _pump.session.is_ours():
		_pump.session.hush(paused)
		if not paused:
			# What waits in the old generator is stale.
			_node.call(&"play")
	elif _node.get(&"pauses_session"):
		steering.send(&"Pause" if paused else &"Play", {})


func _raise(event: Dictionary) -> void:
	_node.emit_signal(&"music_event", event)
	if event.has("state_changed"):
		var to: Dictionary = event["state_changed"]
		_node.emit_signal(&"state_changed", StringName(to.get("to_state", "")), StringName(to.get("from_state", "")))
	elif event.has("transition_started"):
		_tell_transition(&"transition_started", event["transition_started"])
	elif event.has("transition_finished"):
		_tell_transition(&"transition_finished", event["transition_finished"])
	elif event.has("beat"):
		_take_tempo(event["beat"])
		_node.emit_signal(&"beat", int(event["beat"].get("beat", 0)))
	elif event.has("bar"):
		_take_tempo(event["bar"])
		_node.emit_signal(&"bar", int(event["bar"].get("bar", 0)))
	elif event.has("stinger_started"):
		_node.emit_signal(&"stinger_started", StringName(event["stinger_started"].get("name", "")))
	elif event.has("rewound"):
		_node.emit_signal(&"take_changed", int(event.get("take", 0)))


func _take_tempo(fields: Dictionary) -> void:
	bpm = fields.get("bpm", 0.0)
	beats_per_bar = fields.get("beats_per_bar", 0)


func _tell_transition(which: StringName, fields: Dictionary) -> void:
	_node.emit_signal(which, StringName(fields.get("from_state", "")), StringName(fields.get("to_state", "")))

#endregion
