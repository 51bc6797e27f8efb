# SPDX-License-Identifier: Apache-2.0
extends "res://tests/check.gd"
## How much lead is asked for.

const Backoff := preload("res://addons/segue/core/session/backoff.gd")
const LeadWish := preload("res://addons/segue/core/session/lead_wish.gd")


func test_a_calm_network_is_asked_for_nothing() -> void:
	var wish: LeadWish = LeadWish.new(300, 2000)
	for half: int in 1200:
		wish.observe(half * 0.5, 180, 0, 0)
	eq(wish.milliseconds, 300)
	eq(wish.has_changed, false)


func test_underruns_and_a_low_reserve_ask_for_more_once_a_lead() -> void:
	var wish: LeadWish = LeadWish.new(300, 2000)
	wish.observe(2.0, LeadWish.UNSEEN, 1, 0)
	eq(wish.milliseconds, 450)
	wish.observe(2.5, 10, 3, 0)
	eq(wish.milliseconds, 450, "what was asked for is not there yet")
	wish.observe(5.0, 10, 3, 0)
	eq(wish.milliseconds, 562)
	for i: int in 18:
		wish.observe(10.0 + i * 5.0, 0, 3, 0)
	eq(wish.milliseconds, 2000, "no more than the most")


func test_what_a_take_leaves_is_no_bad_network() -> void:
	var wish: LeadWish = LeadWish.new(3000, 5000)
	for take: int in range(1, 100):
		for half: int in 7:
			wish.observe(5.0 * take + half * 0.5, 100, take, take)
	eq(wish.milliseconds, 3000)


func test_after_a_minute_of_plenty_it_goes_back_step_by_step() -> void:
	var wish: LeadWish = LeadWish.new(300, 2000)
	for i: int in 10:
		wish.observe(2.0 + i * 3.0, 0, 0, 0)
	var high: int = wish.milliseconds
	ok(high > 1000, "it was pushed to %d" % high)
	var at: float = 30.0
	while at < 93.0:
		wish.observe(at, wish.milliseconds - 100, 0, 0)
		at += 0.5
	eq(wish.milliseconds, high - floori(high / 10.0))
	while at < 3600.0:
		wish.observe(at, wish.milliseconds - 100, 0, 0)
		at += 0.5
	eq(wish.milliseconds, 300)


func test_it_is_never_out_of_its_bounds() -> void:
	var dice: RandomNumberGenerator = RandomNumberGenerator.new()
	dice.seed = 7
	for run: int in 100:
		var least: int = dice.randi_range(100, 3000)
		var most: int = dice.randi_range(100, 10000)
		var underruns: int = 0
		var take: int = 0
		var now: float = 0.0
		var wish: LeadWish = LeadWish.new(least, most)
		for step: int in 300:
			now += dice.randf() * 3.0
			underruns += 1 if dice.randi_range(0, 19) == 0 else 0
			take += 1 if dice.randi_range(0, 9) == 0 else 0
			wish.observe(now, LeadWish.UNSEEN if dice.randi() % 4 == 0 else dice.randi_range(0, 5000), underruns, take)
			if wish.milliseconds < least or wish.milliseconds > maxi(least, most):
				ok(false, "run %d, step %d: asked for %d" % [run, step, wish.milliseconds])
				return
	ok(true, "within bounds")


func test_waiting_grows_to_three_seconds_and_is_spread() -> void:
	ok(Backoff.before(0) <= 0.03, "at once")
	for tries: int in range(1, 40):
		var longest: float = minf(3.0, 0.1 * pow(2.0, tries - 1))
		for i: int in 20:
			var wait: float = Backoff.before(tries)
			if wait < 0.5 * longest - 1e-9 or wait > longest + 1e-9:
				ok(false, "after %d tries: %s s" % [tries, wait])
	var first: float = Backoff.before(9)
	ok(first != Backoff.before(9), "jitter")
