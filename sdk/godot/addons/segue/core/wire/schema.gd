# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## The messages of LiveSoundtrackService. Made by tools/generate.py from the wire contract; not to be edited.

## Kinds of values; enums are INT32.
enum Kind { INT32, INT64, BOOL, FLOAT, DOUBLE, STRING, BYTES, MESSAGE }
## How often a field is there. IMPLICIT: absent means its default. UNPACKED: a repeated number's other form, only read.
enum Presence { IMPLICIT, EXPLICIT, REPEATED, UNPACKED, MAP }
enum AudioEncoding { UNSPECIFIED = 0, S16 = 1, F32 = 2, OPUS = 3, QOA = 4 }
enum ExitSourceAt { UNSPECIFIED = 0, IMMEDIATE = 1, NEXT_BEAT = 2, NEXT_BAR = 3, EXIT_CUE = 4 }
enum GoodbyeReason {
	UNSPECIFIED = 0,
	CLOSED = 1,
	STOPPED = 2,
	DRAINING = 3,
	SLOW_LISTENER = 4,
	IDLE = 5,
	FAULT = 6,
	SUSPENDED = 7,
	TOKEN_EXPIRED = 8,
}
enum Landing { UNSPECIFIED = 0, HEAD = 1, REWOUND = 2, HEAD_LIMITED = 3, UNCHANGED = 4 }
enum RefreshedCause { UNSPECIFIED = 0, REQUESTED = 1, SILENCE = 2, LOOP = 3, OVER_RANGE = 4, DRIFT = 5 }
enum SessionStatus { UNSPECIFIED = 0, PLAYING = 1, PAUSED = 2, STOPPED = 3, CLOSED = 4, SUSPENDED = 5 }
enum SoundtrackProblemSeverity { UNSPECIFIED = 0, ERROR = 1, WARNING = 2 }
enum WarningCode {
	UNSPECIFIED = 0,
	CAPABILITY_MISSING = 1,
	PROMPT_NOT_UNDERSTOOD = 2,
	PROMPT_FILTERED = 3,
	REWIND_LIMITED = 4,
	LEAD_LOST = 5,
	JUMPED_TO_LIVE_EDGE = 6,
	CLOCK_UNSURE = 7,
	EXPIRING = 8,
	CLAMPED = 9,
	STILL_FAULTY = 10,
}

## Message → tag (number · 8 + wire type) → [name, Kind, Presence, message, oneof]. Read only.
const MESSAGES: Dictionary = {
	&"Any": {10: ["type_url", 5, 0, &"", ""], 18: ["value", 6, 0, &"", ""]},
	&"Duration": {8: ["seconds", 1, 0, &"", ""], 16: ["nanos", 0, 0, &"", ""]},
	&"BadRequest": {10: ["field_violations", 7, 2, &"FieldViolation", ""]},
	&"FieldViolation":
	{
		10: ["field", 5, 0, &"", ""],
		18: ["description", 5, 0, &"", ""],
		26: ["reason", 5, 0, &"", ""],
		34: ["localized_message", 7, 1, &"LocalizedMessage", ""],
	},
	&"ErrorInfo": {10: ["reason", 5, 0, &"", ""], 18: ["domain", 5, 0, &"", ""], 26: ["metadata", 7, 4, &"", ""]},
	&"LocalizedMessage": {10: ["locale", 5, 0, &"", ""], 18: ["message", 5, 0, &"", ""]},
	&"RetryInfo": {10: ["retry_delay", 7, 1, &"Duration", ""]},
	&"Status": {8: ["code", 0, 0, &"", ""], 18: ["message", 5, 0, &"", ""], 26: ["details", 7, 2, &"Any", ""]},
	&"Adherence": {13: ["similarity", 3, 0, &"", ""]},
	&"AudioChunk":
	{
		8: ["take", 0, 0, &"", ""],
		16: ["first_sample", 1, 0, &"", ""],
		24: ["sample_count", 0, 0, &"", ""],
		34: ["payload", 6, 0, &"", ""],
		42: ["continuation", 6, 0, &"", ""],
		48: ["skip_samples", 0, 0, &"", ""],
	},
	&"AudioFormat":
	{
		8: ["sample_rate", 0, 0, &"", ""],
		16: ["channels", 0, 0, &"", ""],
		24: ["frame_samples", 0, 0, &"", ""],
		32: ["encoding", 0, 0, &"", ""],
	},
	&"Bar":
	{
		8: ["bar", 0, 0, &"", ""],
		16: ["phrase_bars", 0, 0, &"", ""],
		29: ["bpm", 3, 0, &"", ""],
		32: ["beats_per_bar", 0, 0, &"", ""],
		45: ["confidence", 3, 0, &"", ""],
	},
	&"Beat":
	{
		8: ["beat", 0, 0, &"", ""],
		16: ["bar", 0, 0, &"", ""],
		29: ["bpm", 3, 0, &"", ""],
		32: ["beats_per_bar", 0, 0, &"", ""],
		45: ["confidence", 3, 0, &"", ""],
	},
	&"Capabilities":
	{
		8: ["notes", 2, 0, &"", ""],
		16: ["drums", 2, 0, &"", ""],
		24: ["guidance", 2, 0, &"", ""],
		32: ["clock", 2, 0, &"", ""],
		40: ["audio_prompts", 2, 0, &"", ""],
		48: ["audio_prefill", 2, 0, &"", ""],
	},
	&"Change":
	{
		10: ["event", 5, 1, &"", "change"],
		18: ["state", 5, 1, &"", "change"],
		26: ["parameters", 7, 1, &"ParameterChange", "change"],
		34: ["trigger", 5, 1, &"", "change"],
	},
	&"CloseSessionRequest": {10: ["session_id", 5, 0, &"", ""]},
	&"CloseSessionResponse": {10: ["session", 7, 1, &"Session", ""]},
	&"ControlHeader":
	{
		10: ["session_id", 5, 0, &"", ""],
		18: ["request_id", 5, 0, &"", ""],
		24: ["playhead_sample", 1, 1, &"", ""],
		32: ["exit_source_at", 0, 0, &"", ""],
		42: ["also", 7, 2, &"Change", ""],
		50: ["listener_id", 5, 0, &"", ""],
	},
	&"ControlOutcome":
	{
		10: ["request_id", 5, 0, &"", ""],
		16: ["landing", 0, 0, &"", ""],
		24: ["take", 0, 0, &"", ""],
		32: ["audible_at_sample", 1, 1, &"", ""],
		42: ["state", 5, 0, &"", ""],
		48: ["in_transition", 2, 0, &"", ""],
		56: ["head_sample", 1, 0, &"", ""],
		64: ["playhead_sample", 1, 0, &"", ""],
		74: ["reason", 5, 0, &"", ""],
	},
	&"CreateSessionRequest":
	{
		10: ["soundtrack_id", 5, 0, &"", ""],
		16: ["soundtrack_version", 0, 0, &"", ""],
		26: ["initial_state", 5, 0, &"", ""],
		32: ["seed", 1, 1, &"", ""],
		42: ["parameters", 7, 2, &"ParameterValue", ""],
		48: ["target_lead_ms", 0, 0, &"", ""],
		56: ["paused", 2, 0, &"", ""],
		66: ["labels", 7, 4, &"", ""],
		74: ["request_id", 5, 0, &"", ""],
		82: ["resume", 7, 1, &"ResumeRequest", ""],
		90: ["prefill", 6, 2, &"", ""],
		98: ["prefill_audio", 6, 0, &"", ""],
		106: ["guidance", 7, 1, &"Guidance", ""],
	},
	&"CreateSessionResponse":
	{
		10: ["session", 7, 1, &"Session", ""],
		18: ["session_token", 5, 0, &"", ""],
		26: ["warnings", 7, 2, &"Warning", ""],
	},
	&"Event":
	{
		8: ["sample", 1, 0, &"", ""],
		16: ["take", 0, 0, &"", ""],
		26: ["request_id", 5, 0, &"", ""],
		34: ["state_changed", 7, 1, &"StateChanged", "detail"],
		42: ["transition_started", 7, 1, &"TransitionStarted", "detail"],
		50: ["transition_finished", 7, 1, &"TransitionFinished", "detail"],
		58: ["beat", 7, 1, &"Beat", "detail"],
		66: ["bar", 7, 1, &"Bar", "detail"],
		74: ["stinger_started", 7, 1, &"StingerStarted", "detail"],
		82: ["rewound", 7, 1, &"Rewound", "detail"],
		90: ["refreshed", 7, 1, &"Refreshed", "detail"],
		98: ["status_changed", 7, 1, &"StatusChanged", "detail"],
		106: ["adherence", 7, 1, &"Adherence", "detail"],
		114: ["transition_cancelled", 7, 1, &"TransitionCancelled", "detail"],
		122: ["stinger_finished", 7, 1, &"StingerFinished", "detail"],
		130: ["parameter_changed", 7, 1, &"ParameterChanged", "detail"],
	},
	&"GetServerInfoRequest": {},
	&"GetServerInfoResponse":
	{
		10: ["version", 5, 0, &"", ""],
		16: ["ready", 2, 0, &"", ""],
		26: ["model", 7, 1, &"ModelInfo", ""],
		34: ["format", 7, 1, &"AudioFormat", ""],
		42: ["encodings", 0, 2, &"", ""],
		40: ["encodings", 0, 3, &"", ""],
		48: ["slots", 0, 0, &"", ""],
		56: ["free_slots", 0, 0, &"", ""],
		66: ["limits", 7, 1, &"Limits", ""],
		74: ["not_built", 5, 2, &"", ""],
		80: ["draining", 2, 0, &"", ""],
	},
	&"GetSessionRequest": {10: ["session_id", 5, 0, &"", ""]},
	&"GetSessionResponse": {10: ["session", 7, 1, &"Session", ""]},
	&"Goodbye":
	{
		8: ["reason", 0, 0, &"", ""],
		18: ["message", 5, 0, &"", ""],
		24: ["retry_after_ms", 0, 0, &"", ""],
		32: ["next_sample", 1, 0, &"", ""],
	},
	&"GrantTokenRequest":
	{
		10: ["session_id", 5, 0, &"", ""],
		16: ["may_steer", 2, 0, &"", ""],
		24: ["valid_seconds", 0, 0, &"", ""],
	},
	&"GrantTokenResponse": {10: ["session_token", 5, 0, &"", ""], 16: ["expires_unix_ms", 1, 0, &"", ""]},
	&"Guidance": {13: ["style", 3, 0, &"", ""], 21: ["notes", 3, 0, &"", ""], 29: ["drums", 3, 0, &"", ""]},
	&"Limits":
	{
		8: ["max_request_bytes", 0, 0, &"", ""],
		16: ["max_listeners", 0, 0, &"", ""],
		24: ["min_lead_ms", 0, 0, &"", ""],
		32: ["max_lead_ms", 0, 0, &"", ""],
		40: ["history_ms", 0, 0, &"", ""],
		48: ["grace_ms", 0, 0, &"", ""],
	},
	&"ModelInfo":
	{
		10: ["name", 5, 0, &"", ""],
		18: ["version", 5, 0, &"", ""],
		26: ["device", 5, 0, &"", ""],
		34: ["capabilities", 7, 1, &"Capabilities", ""],
		42: ["style_encoder", 5, 0, &"", ""],
		48: ["codec_delay_frames", 0, 0, &"", ""],
		56: ["mastering_delay_samples", 0, 0, &"", ""],
		64: ["rewind_frames", 0, 0, &"", ""],
		77: ["loudness_lufs", 3, 0, &"", ""],
		85: ["true_peak_dbtp", 3, 0, &"", ""],
		90: ["default_guidance", 7, 1, &"Guidance", ""],
	},
	&"ParameterChange":
	{
		10: ["values", 7, 2, &"ParameterValue", ""],
		16: ["ignore_seek_speed", 2, 0, &"", ""],
		24: ["urgent", 2, 0, &"", ""],
	},
	&"ParameterChanged":
	{
		10: ["name", 5, 0, &"", ""],
		17: ["value", 4, 0, &"", ""],
		24: ["arrives_at_sample", 1, 0, &"", ""],
	},
	&"ParameterValue": {10: ["name", 5, 0, &"", ""], 17: ["value", 4, 0, &"", ""]},
	&"PauseRequest": {10: ["control", 7, 1, &"ControlHeader", ""]},
	&"PauseResponse": {10: ["outcome", 7, 1, &"ControlOutcome", ""]},
	&"PlayRequest": {10: ["control", 7, 1, &"ControlHeader", ""]},
	&"PlayResponse": {10: ["outcome", 7, 1, &"ControlOutcome", ""]},
	&"PostEventRequest": {10: ["control", 7, 1, &"ControlHeader", ""], 18: ["event", 5, 0, &"", ""]},
	&"PostEventResponse": {10: ["outcome", 7, 1, &"ControlOutcome", ""]},
	&"PostTriggerRequest": {10: ["control", 7, 1, &"ControlHeader", ""], 18: ["trigger", 5, 0, &"", ""]},
	&"PostTriggerResponse": {10: ["outcome", 7, 1, &"ControlOutcome", ""]},
	&"Refreshed": {8: ["cause", 0, 0, &"", ""], 16: ["seed", 1, 0, &"", ""]},
	&"ReportPlaybackRequest":
	{
		10: ["session_id", 5, 0, &"", ""],
		18: ["listener_id", 5, 0, &"", ""],
		24: ["playhead_sample", 1, 0, &"", ""],
		32: ["underruns", 0, 0, &"", ""],
		40: ["round_trip_ms", 0, 0, &"", ""],
		48: ["target_lead_ms", 0, 0, &"", ""],
	},
	&"ReportPlaybackResponse":
	{
		8: ["head_sample", 1, 0, &"", ""],
		16: ["playhead_sample", 1, 0, &"", ""],
		24: ["report_every_ms", 0, 0, &"", ""],
		32: ["target_lead_ms", 0, 0, &"", ""],
	},
	&"ResetContextRequest": {10: ["control", 7, 1, &"ControlHeader", ""], 16: ["seed", 1, 1, &"", ""]},
	&"ResetContextResponse": {10: ["outcome", 7, 1, &"ControlOutcome", ""]},
	&"ResumePoint": {10: ["token", 6, 0, &"", ""], 16: ["sample", 1, 0, &"", ""], 24: ["take", 0, 0, &"", ""]},
	&"ResumeRequest":
	{
		10: ["token", 6, 0, &"", ""],
		18: ["continuation", 6, 2, &"", ""],
		24: ["from_sample", 1, 0, &"", ""],
		34: ["session_token", 5, 0, &"", ""],
	},
	&"Rewound": {8: ["replaced_until_sample", 1, 0, &"", ""]},
	&"Session":
	{
		10: ["session_id", 5, 0, &"", ""],
		18: ["soundtrack_id", 5, 0, &"", ""],
		24: ["soundtrack_version", 0, 0, &"", ""],
		34: ["soundtrack_hash", 5, 0, &"", ""],
		40: ["seed", 1, 0, &"", ""],
		48: ["status", 0, 0, &"", ""],
		58: ["state", 5, 0, &"", ""],
		64: ["in_transition", 2, 0, &"", ""],
		74: ["parameters", 7, 2, &"ParameterValue", ""],
		80: ["take", 0, 0, &"", ""],
		88: ["head_sample", 1, 0, &"", ""],
		96: ["playhead_sample", 1, 0, &"", ""],
		104: ["target_lead_ms", 0, 0, &"", ""],
		112: ["listeners", 0, 0, &"", ""],
		120: ["underruns", 1, 0, &"", ""],
		128: ["created_unix_ms", 1, 0, &"", ""],
		138: ["labels", 7, 4, &"", ""],
		149: ["bpm", 3, 0, &"", ""],
		154: ["tenant", 5, 0, &"", ""],
	},
	&"SessionReady":
	{
		10: ["session", 7, 1, &"Session", ""],
		18: ["format", 7, 1, &"AudioFormat", ""],
		26: ["listener_id", 5, 0, &"", ""],
		32: ["first_sample", 1, 0, &"", ""],
		42: ["capabilities", 7, 1, &"Capabilities", ""],
		48: ["report_every_ms", 0, 0, &"", ""],
		58: ["session_token", 5, 0, &"", ""],
	},
	&"SetParametersRequest":
	{
		10: ["control", 7, 1, &"ControlHeader", ""],
		18: ["parameters", 7, 1, &"ParameterChange", ""],
	},
	&"SetParametersResponse": {10: ["outcome", 7, 1, &"ControlOutcome", ""]},
	&"SetStateRequest": {10: ["control", 7, 1, &"ControlHeader", ""], 18: ["state", 5, 0, &"", ""]},
	&"SetStateResponse": {10: ["outcome", 7, 1, &"ControlOutcome", ""]},
	&"SetWeightedPromptsRequest":
	{
		10: ["control", 7, 1, &"ControlHeader", ""],
		18: ["prompts", 7, 2, &"WeightedPrompt", ""],
		24: ["fade_ms", 0, 0, &"", ""],
		37: ["guidance", 3, 1, &"", ""],
	},
	&"SetWeightedPromptsResponse": {10: ["outcome", 7, 1, &"ControlOutcome", ""], 18: ["notes", 5, 2, &"", ""]},
	&"SoundtrackProblem":
	{
		8: ["severity", 0, 0, &"", ""],
		16: ["line", 0, 0, &"", ""],
		24: ["column", 0, 0, &"", ""],
		34: ["path", 5, 0, &"", ""],
		42: ["message", 5, 0, &"", ""],
		50: ["suggestion", 5, 0, &"", ""],
	},
	&"SoundtrackProblems": {10: ["problems", 7, 2, &"SoundtrackProblem", ""]},
	&"StateChanged": {10: ["from_state", 5, 0, &"", ""], 18: ["to_state", 5, 0, &"", ""]},
	&"StatusChanged": {8: ["status", 0, 0, &"", ""]},
	&"StingerFinished": {10: ["name", 5, 0, &"", ""]},
	&"StingerStarted":
	{
		10: ["name", 5, 0, &"", ""],
		16: ["length_samples", 1, 0, &"", ""],
		26: ["clip", 5, 0, &"", ""],
		37: ["gain_db", 3, 0, &"", ""],
	},
	&"StopRequest": {10: ["control", 7, 1, &"ControlHeader", ""]},
	&"StopResponse": {10: ["outcome", 7, 1, &"ControlOutcome", ""]},
	&"StreamAudioRequest":
	{
		10: ["session_id", 5, 0, &"", ""],
		16: ["encoding", 0, 0, &"", ""],
		24: ["from_sample", 1, 1, &"", ""],
		32: ["chunk_ms", 0, 0, &"", ""],
		40: ["with_continuation", 2, 0, &"", ""],
		48: ["without_clock", 2, 0, &"", ""],
		56: ["take", 0, 1, &"", ""],
	},
	&"StreamAudioResponse":
	{
		10: ["ready", 7, 1, &"SessionReady", "message"],
		18: ["audio", 7, 1, &"AudioChunk", "message"],
		26: ["event", 7, 1, &"Event", "message"],
		34: ["resume_point", 7, 1, &"ResumePoint", "message"],
		42: ["warning", 7, 1, &"Warning", "message"],
		50: ["goodbye", 7, 1, &"Goodbye", "message"],
	},
	&"TransitionCancelled": {10: ["to_state", 5, 0, &"", ""], 18: ["reason", 5, 0, &"", ""]},
	&"TransitionFinished":
	{
		10: ["from_state", 5, 0, &"", ""],
		18: ["to_state", 5, 0, &"", ""],
		24: ["interrupted", 2, 0, &"", ""],
	},
	&"TransitionStarted":
	{
		10: ["from_state", 5, 0, &"", ""],
		18: ["to_state", 5, 0, &"", ""],
		24: ["length_samples", 1, 0, &"", ""],
		34: ["via", 5, 0, &"", ""],
	},
	&"UnknownName":
	{
		10: ["kind", 5, 0, &"", ""],
		18: ["name", 5, 0, &"", ""],
		26: ["near_misses", 5, 2, &"", ""],
		34: ["known", 5, 2, &"", ""],
	},
	&"Warning": {8: ["code", 0, 0, &"", ""], 18: ["message", 5, 0, &"", ""], 24: ["sample", 1, 0, &"", ""]},
	&"WeightedPrompt":
	{
		10: ["text", 5, 1, &"", "prompt"],
		18: ["style", 5, 1, &"", "prompt"],
		26: ["audio", 6, 1, &"", "prompt"],
		37: ["weight", 3, 0, &"", ""],
	},
}

## Message → oneof → its members: setting one takes the others away.
const ONEOFS: Dictionary = {
	&"Change": {"change": ["event", "state", "parameters", "trigger"]},
	&"Event":
	{
		"detail":
		[
			"state_changed",
			"transition_started",
			"transition_finished",
			"beat",
			"bar",
			"stinger_started",
			"rewound",
			"refreshed",
			"status_changed",
			"adherence",
			"transition_cancelled",
			"stinger_finished",
			"parameter_changed",
		]
	},
	&"StreamAudioResponse": {"message": ["ready", "audio", "event", "resume_point", "warning", "goodbye"]},
	&"WeightedPrompt": {"prompt": ["text", "style", "audio"]},
}
