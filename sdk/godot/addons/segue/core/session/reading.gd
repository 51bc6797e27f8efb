# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## How a session stands, at one moment. Not changed once it is read: any thread.

const ConnectionState := preload("res://addons/segue/core/session/connection_state.gd")
const Keeper := preload("res://addons/segue/core/session/keeper.gd")
const Status := preload("res://addons/segue/core/net/status.gd")

var state: ConnectionState.State = ConnectionState.State.IDLE
## Names the session; empty until it has been created.
var id: String = ""
## Opens this session; for whoever shall listen to it or steer it, and nobody else.
var token: String = ""
## Why it stands so; null if all is well.
var error: Status = null
## The state that the music is in, or came to, when last heard of.
var music_state: String = ""
## First sample of the timeline that has not left the generator; −1 before there is any.
var drained: int = -1
## First sample of the timeline that was not put into the generator; −1 before there is any.
var playhead: int = -1
## First sample that has not arrived; −1: none has, or the newest is wanted.
var next_sample: int = -1
## What it takes to go on elsewhere; null if it is not kept.
var keeper: Keeper = null
## Seconds that are there to be heard.
var reserve_s: float = 0.0
## Version of the timeline.
var take: int = 0
## A Ladder.Mode: what is heard.
var mode: int = 0
## Samples of the timeline that are played per sample of 48 kHz.
var rate: float = 1.0
## Times that the stream ran dry.
var underruns: int = 0
## Times that the engine's generator ran dry although there was music: the program was not called in time.
var skips: int = 0
## Times that the timeline was jumped along.
var jumps: int = 0
## Takes that came after their place had been played.
var late_takes: int = 0
## Times that samples were missed for good.
var gaps: int = 0
## Times that the stream was taken up again.
var reconnects: int = 0
## Times that the session was brought back by its resume point.
var resumes: int = 0
## How far the server generates ahead, in milliseconds, as far as it is known.
var lead_ms: int = 0
## Round trip of the last report in seconds; 0 before there was one.
var round_trip_s: float = 0.0
## Controls that wait or are under way.
var waiting_controls: int = 0
## Whether there is a loop for when the network is gone.
var has_fallback: bool = false
