# SPDX-License-Identifier: Apache-2.0
@tool
@icon("res://addons/segue/icons/soundtrack_player.svg")
class_name SoundtrackPlayer
extends AudioStreamPlayer
## Plays a live soundtrack from a Segue server.
##
## It is an ordinary player of the engine: [code]play()[/code] begins a session, [code]stop()[/code] lets go of it,
## [code]stream_paused[/code], [code]autoplay[/code], buses, effects, volume and the tree's pause do what they always
## do. Signals come on the main thread, when what they tell of is heard. Leave [code]stream[/code] alone: the node sets
## it.
## [codeblock]
## @onready var music: SoundtrackPlayer = $Soundtrack
##
## func _ready() -> void:
##     music.bar.connect(func(bar: int) -> void: torches.flicker(bar))
##     music.play()
##
## func _on_enemy_spotted() -> void:
##     music.post_event(&"enemy_spotted")
## [/codeblock]

## The music is in another state.
signal state_changed(state: StringName, from_state: StringName)
## A transition begins to be heard.
signal transition_started(from_state: StringName, to_state: StringName)
## A transition has come to its end.
signal transition_finished(from_state: StringName, to_state: StringName)
## A beat is heard: its place in the bar, from 0. See [member bpm].
signal beat(beat_of_bar: int)
## A bar begins: its place in the phrase, from 0.
signal bar(bar_of_phrase: int)
## A stinger begins.
signal stinger_started(stinger: StringName)
## From here on another version of the music is heard than the one that was buffered.
signal take_changed(take: int)
## Whatever happens in the music, the above included and before them: the fields of an
## [code]Event[/code] of the wire contract, by their names.
signal music_event(event: Dictionary)
## The stream has run dry; how often in all.
signal buffer_underrun(count: int)
## The player stands otherwise with its server: a [enum ConnectionState].
signal connection_state_changed(state: int)

## How a player stands with its server.
enum ConnectionState {
	## Nothing is played.
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
	## The music has come to its end.
	STOPPED,
	## There is no way on; the reason is printed.
	FAILED,
}
## Where a control begins, if not where the soundtrack says.
enum ExitSourceAt {
	## What the soundtrack says.
	AS_COMPOSED,
	## As soon as possible.
	IMMEDIATE,
	## At the next beat.
	NEXT_BEAT,
	## At the next bar.
	NEXT_BAR,
	## At the end of the phrase.
	EXIT_CUE,
}

const Conductor := preload("res://addons/segue/player/conductor.gd")
## What became of a control: [code]ok[/code], [code]state[/code], [code]audible_at_sample[/code], …
const Outcome := preload("res://addons/segue/core/session/outcome.gd")
const Options := preload("res://addons/segue/core/session/options.gd")

## The server's web port.
@export var server: String = "http://localhost:7471"
## Id of a soundtrack that the server has; the resource's, where there is one.
@export var soundtrack: String = ""
## What [code]segue build[/code] wrote of the soundtrack: names are checked against it before they are sent. Optional.
@export var resource: SoundtrackResource = null:
	set(value):
		resource = value
		update_configuration_warnings()
## State to begin in; empty: the soundtrack's own.
@export var initial_state: StringName = &""
## The same seed makes the same music of the same game; −1: the server draws one.
@warning_ignore("shadowed_global_identifier") @export_range(-1, 1000000, 1, "or_greater") var seed: int = -1
## First values of parameters, by name.
@export var parameters: Dictionary = {}
@export_group("Network")
## Milliseconds that are generated ahead: more for bad networks. What is buffered is replaced when a change wants to be
## heard.
@export_range(100, 10000, 10, "suffix:ms") var lead_ms: int = 300
## How audio is sent. Best: QOA (355 kbit/s) where the engine decodes it (4.4 and newer), else 32-bit floats
## (3.1 Mbit/s). S16 takes 1.5 Mbit/s.
@export_enum("Best:0", "S16:1", "F32:2", "QOA:4") var encoding: int = 0
## Folder that [code]segue bake[/code] wrote, for when the network fails; empty: silence then.
@export_dir var baked_folder: String = ""
@export_group("Pause")
## Whether a pause (of the node or of the tree) stops the generating of a session of our own on the server, too.
## Otherwise it waits by itself as soon as its lead is there. Sessions that were attached to go on unheard.
@export var pauses_session: bool = true

## How TLS is done where the server is https://; null: with the engine's certificates. Holds from the next play() on.
var tls: TLSOptions = null
## The operator's or tenant's token, where the server asks for one to create sessions.
var client_token: String = ""
## How the player stands with its server.
var connection_state: ConnectionState:
	get:
		return _conductor.reading.state as ConnectionState if _conductor != null else ConnectionState.IDLE
## Names the session on the server; empty until it has been created.
var session_id: String:
	get:
		return _conductor.reading.id if _conductor != null else ""
## Opens the session; for whoever shall listen to it or steer it, and nobody else.
var session_token: String:
	get:
		return _conductor.reading.token if _conductor != null else ""
## The state that the music is in, or came to, when last heard of: it may be ahead of what is heard by as much as is
## buffered (state_changed is not). Empty while nothing is played.
var music_state: StringName:
	get:
		return StringName(_conductor.reading.music_state) if _conductor != null else &""
## First sample of the timeline (48,000 a second) that has not been heard; −1 before there is any.
var heard_sample: int:
	get:
		return _conductor.heard if _conductor != null else -1
## Quarter notes a minute at what is heard; 0 before the first beat.
var bpm: float:
	get:
		return _conductor.bpm if _conductor != null else 0.0
## Beats per bar at what is heard; 0 before the first beat.
var beats_per_bar: int:
	get:
		return _conductor.beats_per_bar if _conductor != null else 0

var _conductor: Conductor = null


func _init() -> void:
	if not Engine.is_editor_hint():
		_conductor = Conductor.new(self)
		stream = _conductor.stream


func _notification(what: int) -> void:
	if _conductor == null:
		return
	match what:
		NOTIFICATION_ENTER_TREE:
			_conductor.enter()
		NOTIFICATION_EXIT_TREE:
			_conductor.exit()
		NOTIFICATION_PREDELETE:
			_conductor.end()
		NOTIFICATION_APPLICATION_PAUSED:
			_conductor.set_paused_by_system(true)
		NOTIFICATION_APPLICATION_RESUMED:
			_conductor.set_paused_by_system(false)


func _validate_property(property: Dictionary) -> void:
	# What the node itself takes care of.
	if property["name"] in [&"stream", &"playing", &"max_polyphony"]:
		property["usage"] = PROPERTY_USAGE_NONE


func _get_configuration_warnings() -> PackedStringArray:
	if resource != null and not resource.error.is_empty():
		return PackedStringArray(["The resource can't be read. " + resource.error])
	if resource == null and soundtrack.is_empty():
		return PackedStringArray(["There is no soundtrack: set a resource, or the id of one that the server has."])
	return PackedStringArray()


## Joins a session that the game's backend has created and whose token it handed out.
func attach(id: String, token: String) -> void:
	_conductor.attach(id, token)


## What [method resume_from] can go on from, some 13 KB for a save file; empty before anything was heard.
func save() -> PackedByteArray:
	return _conductor.save()


## Goes on, in a session of one's own, from what [method save] gave; false if it is not that.
func resume_from(saved: PackedByteArray) -> bool:
	return _conductor.resume_from(saved)


## Pauses; [code]play()[/code] or [code]set_paused(false)[/code] goes on.
func pause() -> void:
	_conductor.set_paused(true)


## Pauses, or goes on. Unlike [code]stream_paused[/code], it outlasts a pause of the tree.
func set_paused(paused: bool) -> void:
	_conductor.set_paused(paused)


## Tells what happened in the game. May be awaited for what became of it.
func post_event(event: StringName, at: ExitSourceAt = ExitSourceAt.AS_COMPOSED) -> Outcome:
	_conductor.steering.check("event", event)
	return await _conductor.steering.steer(&"PostEvent", {"event": str(event)}, at)


## Goes to a state. May be awaited for what became of it.
func set_state(state: StringName, at: ExitSourceAt = ExitSourceAt.AS_COMPOSED) -> Outcome:
	_conductor.steering.check("state", state)
	return await _conductor.steering.steer(&"SetState", {"state": str(state)}, at)


## Plays a stinger. May be awaited for what became of it.
func post_trigger(stinger: StringName, at: ExitSourceAt = ExitSourceAt.AS_COMPOSED) -> Outcome:
	_conductor.steering.check("stinger", stinger)
	return await _conductor.steering.steer(&"PostTrigger", {"trigger": str(stinger)}, at)


## Sets a parameter, every frame if need be: it is sent when it has changed, at most every 50 ms, together with others
## and before any other control. The last values hold for the next session, too.
func set_parameter(parameter: StringName, value: float) -> void:
	_conductor.steering.set_parameter(parameter, value)


## How the session stands, for displays: reserve, lead, underruns, round trip, …
func get_reading() -> Conductor.Reading:
	return _conductor.reading


func _options() -> Options:
	var options: Options = Options.new()
	options.soundtrack = resource.id if resource != null and not resource.id.is_empty() else soundtrack
	options.initial_state = initial_state
	options.music_seed = seed
	options.parameters = parameters.duplicate()
	options.lead_ms = clampi(lead_ms, 100, 10000)
	options.encoding = encoding
	options.client_token = client_token
	return options
