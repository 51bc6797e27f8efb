# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## Keeps the engine's generator filled by about 100 ms, in time with other listeners, and knows which sample of the
## timeline it has got to. One thread's.

const Ladder := preload("res://addons/segue/core/audio/ladder.gd")
const LeadHolder := preload("res://addons/segue/core/audio/lead_holder.gd")
const LeadWish := preload("res://addons/segue/core/session/lead_wish.gd")

const SAMPLE_RATE: int = 48000
## Frames that are in the generator at most: what is there can't be replaced any more.
const FULL: int = 4800
## While nothing is to be heard, so that the beginning does not come late.
const IDLE: int = 960
## A sink that begins in the midst of music is faded in over 20 ms.
const FADE: int = 960

## What is played, and when.
var ladder: Ladder = Ladder.new()
## Samples of the timeline to play per sample of 48 kHz.
var rate: float = 1.0
## First sample of the timeline that has not left the generator; −1 before there is any.
var drained: int = -1
## Times that the generator ran dry while there was something to put in.
var skips: int = 0
## Whether music is held in time with other listeners.
var holds_lead: bool = true

var _sink: Object = null
var _generator: AudioStreamGenerator = null
var _is_hushed: bool = false
var _hushed_s: float = 0.0
# Frames of a new sink so far that were faded in, as the music is in its midst.
var _faded: int = FADE
var _capacity: int = 0
var _full: int = FULL
var _lead: LeadHolder = LeadHolder.new()
# Frames pushed, and the playhead after them: what is still in the generator, in order; the first mark is behind it.
var _marks_at: PackedInt64Array = PackedInt64Array()
var _marks: PackedInt64Array = PackedInt64Array()
var _pushed: int = 0
var _skips_before: int = 0
var _lowest: int = LeadWish.UNSEEN
var _jumps: int = 0
var _take: int = 0
var _relearns: bool = false


## Where frames go: an AudioStreamGeneratorPlayback (or what is like one) that has just been made; null for none.
## generator: that made it, whose rate is held; null for none.
func use(sink: Object, generator: AudioStreamGenerator = null) -> void:
	_sink = sink
	_generator = generator
	_pushed = 0
	_marks_at.clear()
	_marks.clear()
	_full = FULL
	_faded = 0 if ladder.mode != Ladder.Mode.WAITING else FADE
	if sink != null:
		_capacity = sink.call(&"get_frames_available")
		_skips_before = sink.call(&"get_skips")


## Others go on listening while nothing is heard here: the music passes by unheard. After it, `use` a new sink.
func hush(is_hushed: bool) -> void:
	_is_hushed = is_hushed
	_hushed_s = -1.0
	if is_hushed:
		_sink = null


## Frames that wait in the generator.
func buffered() -> int:
	return _capacity - int(_sink.call(&"get_frames_available")) if _sink != null else 0


## Samples that are there to be heard, in the generator and out of it.
func ahead() -> int:
	return ladder.timeline.available() + buffered()


## Milliseconds that were there at least while the stream was heard, since this was last asked; LeadWish.UNSEEN: it was
## not.
func take_lowest_ms() -> int:
	var found: int = _lowest
	_lowest = LeadWish.UNSEEN
	return found if found == LeadWish.UNSEEN else roundi(found / 48.0)


## The server keeps another lead now: learns anew what the reserve is.
func relearn() -> void:
	_relearns = true


## Puts in what has been played since.
func fill(now_s: float) -> void:
	if _is_hushed:
		_pass_by(now_s)
	if _sink == null:
		return
	var waiting: int = buffered()
	_drain(waiting)
	_watch(waiting)
	var held: float = _rate(waiting, now_s)
	if held != rate and _generator != null:
		_generator.mix_rate = SAMPLE_RATE * held
	rate = held
	var is_idle: bool = ladder.mode == Ladder.Mode.WAITING and not ladder.wants_fallback
	var wanted: int = mini(_capacity, IDLE if is_idle else _full) - waiting
	if wanted <= 0:
		return
	var begin: int = ladder.timeline.playhead
	var frames: PackedVector2Array = ladder.read(wanted)
	if _faded < FADE:
		_fade_in(frames)
	_sink.call(&"push_buffer", frames)
	if not ladder.timeline.has_begun:
		return
	# Reading may have begun another timeline, or jumped: the mark before says where this piece begins.
	if _marks.is_empty() or _marks[-1] != begin:
		_mark(_pushed, begin)
	_pushed += wanted
	_mark(_pushed, ladder.timeline.playhead)


func _fade_in(frames: PackedVector2Array) -> void:
	for i: int in mini(frames.size(), FADE - _faded):
		_faded += 1
		frames[i] *= _faded / float(FADE)


func _pass_by(now_s: float) -> void:
	var count: int = int((now_s - _hushed_s) * SAMPLE_RATE) if _hushed_s >= 0.0 else 0
	_hushed_s = now_s
	ladder.read(clampi(count, 0, SAMPLE_RATE))
	drained = ladder.timeline.playhead if ladder.timeline.has_begun else -1


func _mark(at: int, playhead: int) -> void:
	_marks_at.append(at)
	_marks.append(playhead)


## Finds the sample that the generator has got to.
func _drain(waiting: int) -> void:
	if _marks.is_empty():
		return
	var out: int = _pushed - waiting
	var last: int = 0
	while last + 1 < _marks.size() and _marks_at[last + 1] <= out:
		last += 1
	if last > 0:
		_marks_at = _marks_at.slice(last)
		_marks = _marks.slice(last)
	if _marks_at[0] > out:
		return
	drained = _marks[0]
	if _marks.size() > 1 and _marks[1] > _marks[0]:
		drained = mini(_marks[1], _marks[0] + out - _marks_at[0])


func _watch(waiting: int) -> void:
	if ladder.mode != Ladder.Mode.PLAYING:
		_skips_before = _sink.call(&"get_skips")
		return
	_lowest = mini(_lowest, ladder.timeline.available() + waiting)
	var ran: int = int(_sink.call(&"get_skips")) - _skips_before
	if ran > 0 and waiting < _full and _pushed > _full:
		# The device takes more at once than is kept for it, or this thread was not called in time.
		skips += 1
		_full = mini(_capacity, _full + 1200)
	_skips_before += ran


func _rate(waiting: int, now_s: float) -> float:
	var timeline: Object = ladder.timeline
	var jumps: int = timeline.get(&"jumps")
	var take: int = timeline.get(&"take")
	var is_free: bool = jumps != _jumps or _relearns or not holds_lead or ladder.end != Ladder.NOWHERE
	var replaced: bool = take != _take
	_jumps = jumps
	_take = take
	_relearns = false
	if is_free or ladder.mode != Ladder.Mode.PLAYING:
		_lead.forget()
		return 1.0
	if replaced:
		_lead.replaced(now_s)
	return _lead.rate((ladder.timeline.reserve() + waiting) / float(SAMPLE_RATE), now_s)
