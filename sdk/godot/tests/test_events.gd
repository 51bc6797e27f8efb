# SPDX-License-Identifier: Apache-2.0
extends "res://tests/check.gd"
## Events wait until they are heard.

const Codec := preload("res://addons/segue/core/wire/codec.gd")
const EventQueue := preload("res://addons/segue/core/session/event_queue.gd")


func test_events_are_raised_when_they_are_heard() -> void:
	for vector: Dictionary in vectors("stream.json").get("aligned", []):
		var queue: EventQueue = EventQueue.new()
		for step: Dictionary in vector["steps"]:
			if step.has("arrives"):
				var hex: String = step["hex"]
				var event: Dictionary = Codec.decode(&"StreamAudioResponse", hex.hex_decode())["event"]
				event["request_id"] = step["arrives"]
				queue.add(event)
				continue
			var raised: Array[String] = []
			for event: Dictionary in queue.take(int(step["playhead"])):
				raised.append(event["request_id"])
			eq(" ".join(raised), " ".join(step["raised"]), vector["case"])


func test_where_nobody_polls_the_oldest_are_dropped() -> void:
	var queue: EventQueue = EventQueue.new()
	for i: int in EventQueue.MOST + 3:
		queue.add({"sample": i, "beat": {}})
	eq(queue.count(), EventQueue.MOST)
	eq(queue.take(4).size(), 1, "0 to 2 are gone, 3 is there")
	queue.clear()
	eq(queue.take(1 << 40).size(), 0)
