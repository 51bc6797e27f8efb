# SPDX-License-Identifier: Apache-2.0
@tool
extends RefCounted
## How `segue serve` is found, started and ended on the developer's machine.

const ENVIRONMENTS: PackedStringArray = [".venv", "venv"]
const PARENTS: int = 4
const HOW_TO_INSTALL: String = (
	"no `segue` was found, neither in a .venv or venv of the project or above it, nor on the PATH. "
	+ "Install it as its README says, or choose the program: Project > Tools > Segue > Choose Program…"
)


## Places where the program may be, the likeliest first, each once.
##
## chosen: what the developer has chosen; may be empty. path: the variable PATH. project: its folder; virtual
## environments in it and above it are looked at. home: the developer's folder.
static func places(chosen: String, path: String, project: String, home: String, is_windows: bool) -> PackedStringArray:
	var program: String = "segue.exe" if is_windows else "segue"
	var within: String = "Scripts" if is_windows else "bin"
	var all: PackedStringArray = PackedStringArray()
	if not chosen.is_empty():
		all.append(chosen)
	var folder: String = project.trim_suffix("/")
	for i: int in PARENTS:
		for environment: String in ENVIRONMENTS:
			all.append(folder.path_join(environment).path_join(within).path_join(program))
		if folder.get_base_dir() == folder or folder.is_empty():
			break
		folder = folder.get_base_dir()
	for entry: String in path.split(";" if is_windows else ":", false):
		var dir: String = entry.strip_edges().trim_prefix('"').trim_suffix('"')
		if not dir.is_empty():
			all.append(dir.path_join(program))
	if not is_windows:
		# An editor that was not started from a terminal has a short PATH, on macOS above all.
		if not home.is_empty():
			all.append(home.path_join(".local/bin").path_join(program))
		all.append_array(["/opt/homebrew/bin/segue", "/usr/local/bin/segue"])
	var once: PackedStringArray = PackedStringArray()
	for place: String in all:
		if not once.has(place):
			once.append(place)
	return once


## The first place where there is a file; "" if there is none.
static func first(of: PackedStringArray) -> String:
	for place: String in of:
		if FileAccess.file_exists(place):
			return place
	return ""


## Program and arguments that start the server with its output in a file, which goes on when pipes would break. The
## process is the program itself; on Windows, a shell around it. Call with `variables` in the environment.
static func start(program: String, soundtrack: String, log: String, is_windows: bool) -> PackedStringArray:
	if is_windows:
		# Paths go by the environment, where no quoting can go wrong.
		var line: String = '""%SEGUE_PROGRAM%" serve "%SEGUE_SOUNDTRACK%" > "%SEGUE_LOG%" 2>&1"'
		return ["cmd.exe", "/d", "/v:off", "/s", "/c", line]
	return ["/bin/sh", "-c", 'exec "$0" serve "$1" > "$2" 2>&1', program, soundtrack, log]


## Variables that the server is started with.
static func variables(program: String, soundtrack: String, log: String) -> Dictionary:
	return {
		"SEGUE_PROGRAM": program,
		"SEGUE_SOUNDTRACK": soundtrack,
		"SEGUE_LOG": log,
		"PYTHONUNBUFFERED": "1",
		"PYTHONUTF8": "1",
		"NO_COLOR": "1",
	}


## Program and arguments that ask a process to end, with all that it has started.
static func stop(process: int, is_windows: bool) -> PackedStringArray:
	if is_windows:
		return ["taskkill", "/PID", str(process), "/T", "/F"]
	return ["/bin/kill", "-TERM", str(process)]
