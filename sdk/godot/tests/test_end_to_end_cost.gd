# SPDX-License-Identifier: Apache-2.0
extends "res://tests/captured.gd"
## What playing from a real server costs the main thread and the pump's: said, not judged.

const Decoder := preload("res://addons/segue/core/audio/decoder.gd")


func test_what_it_costs() -> void:
	if not skipped.is_empty():
		return
	for encoding: int in [Decoder.QOA, Decoder.S16, Decoder.F32]:
		var music: SoundtrackPlayer = _player()
		music.encoding = encoding
		music.play()
		await _until_heard(music, 48000)
		await _measure(music, "encoding %d, played" % encoding, false)
		if encoding == Decoder.QOA:
			await _measure(music, "encoding %d, played and steered every frame" % encoding, true)
		music.free()
		await sleep(0.1)


func _measure(music: SoundtrackPlayer, what: String, steers: bool) -> void:
	var conductor: SoundtrackPlayer.Conductor = music._conductor
	var pump: SoundtrackPlayer.Conductor.Pump = conductor.get_pump()
	var heard: int = music.heard_sample
	var busy: int = pump.busy_usec()
	var begin: int = Time.get_ticks_usec()
	var ticks: PackedInt32Array = PackedInt32Array()
	tree.process_frame.disconnect(conductor.tick)
	while Time.get_ticks_usec() - begin < 2500000:
		await tree.process_frame
		var tick: int = Time.get_ticks_usec()
		if steers:
			music.set_parameter(&"danger", 0.5 + 0.5 * sin(ticks.size() * 0.01))
		conductor.tick()
		ticks.append(Time.get_ticks_usec() - tick)
	tree.process_frame.connect(conductor.tick)
	var seconds: float = (Time.get_ticks_usec() - begin) / 1e6
	var thread_ms: float = (pump.busy_usec() - busy) / 1e3 / seconds
	ticks.sort()
	print(
		(
			"    %s: half of %d frames took at most %d µs on the main thread; %.1f ms a second in the pump's"
			% [what, ticks.size(), ticks[ticks.size() >> 1], thread_ms]
		)
	)
	ok(music.heard_sample > heard + 72000, "it plays meanwhile")
