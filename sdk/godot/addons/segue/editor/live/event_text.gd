# SPDX-License-Identifier: Apache-2.0
@tool
extends RefCounted
## Events of the music in a few words, for logs.

const Schema := preload("res://addons/segue/core/wire/schema.gd")

const SAMPLE_RATE: float = 48000.0


## Such as: transition explore → combat, 0.5 s.
static func of(event: Dictionary) -> String:
	for detail: String in event:
		if not event[detail] is Dictionary:
			continue
		var fields: Dictionary = event[detail]
		var to: String = fields.get("to_state", "")
		match detail:
			"state_changed":
				return "state %s → %s" % [fields.get("from_state", ""), to]
			"transition_started":
				var via: String = fields.get("via", "")
				var text: String = "transition %s → %s, %s" % [fields.get("from_state", ""), to, _length(fields)]
				return text + (", via " + via if not via.is_empty() else "")
			"transition_finished":
				return "transition to %s %s" % [to, "interrupted" if fields.get("interrupted", false) else "finished"]
			"transition_cancelled":
				return "transition to %s cancelled: %s" % [to, fields.get("reason", "")]
			"beat":
				return "beat %d of bar %d" % [fields.get("beat", 0), fields.get("bar", 0)]
			"bar":
				return "bar %d" % fields.get("bar", 0)
			"stinger_started":
				return "stinger %s" % fields.get("name", "")
			"stinger_finished":
				return "stinger %s finished" % fields.get("name", "")
			"rewound":
				var until: int = fields.get("replaced_until_sample", 0)
				return "take %d replaces %s" % [event.get("take", 0), _seconds(until - int(event.get("sample", 0)))]
			"refreshed":
				return "refreshed: %s" % _key(Schema.RefreshedCause, fields.get("cause", 0))
			"status_changed":
				return "status %s" % _key(Schema.SessionStatus, fields.get("status", 0))
			"adherence":
				return "adherence %.2f" % fields.get("similarity", 0.0)
			"parameter_changed":
				return "parameter %s = %s" % [fields.get("name", ""), String.num(fields.get("value", 0.0), 3)]
	return "an event of a later version"


static func _length(fields: Dictionary) -> String:
	return _seconds(fields.get("length_samples", 0))


static func _seconds(samples: int) -> String:
	return "%.2f s" % (samples / SAMPLE_RATE)


static func _key(of_enum: Dictionary, value: int) -> String:
	return str(of_enum.find_key(value)).to_lower()
