# SPDX-License-Identifier: Apache-2.0
extends "res://tests/check.gd"
## The rate of playing: the vectors.

const LeadHolder := preload("res://addons/segue/core/audio/lead_holder.gd")


func test_rates() -> void:
	for case: Dictionary in vectors("drift.json").get("rates", []):
		near(LeadHolder.rate_for(case["reserve"], case["target"]), case["rate"], 1e-9, str(case))


func test_runs() -> void:
	for run: Dictionary in vectors("drift.json").get("runs", []):
		var lead: LeadHolder = LeadHolder.new()
		for step: Dictionary in run["steps"]:
			var now: float = step["now"]
			if step.get("replaced", false):
				lead.replaced(now)
			var rate: float = lead.rate(step["reserve"], now)
			if step.has("expect"):
				var where: String = "%s, at %s s" % [run["case"], now]
				var expect: Dictionary = step["expect"]
				near(rate, expect["rate"], run["tolerance"], where + ": rate")
				near(lead.average, expect["average"], run["tolerance"], where + ": average")
				if expect["target"] == null:
					ok(is_nan(lead.target), where + ": target")
				else:
					near(lead.target, expect["target"], run["tolerance"], where + ": target")


func test_what_is_forgotten_is_learnt_anew() -> void:
	var lead: LeadHolder = LeadHolder.new()
	for i: int in 120:
		lead.rate(0.3, i * 0.1)
	near(lead.target, 0.3, 1e-9)
	lead.forget()
	eq(lead.rate(1.0, 20.0), 1.0, "the rate")
	for i: int in 120:
		eq(lead.rate(1.0, 20.0 + i * 0.1), 1.0, "the rate")
	near(lead.target, 1.0, 1e-9, "the new reserve")
