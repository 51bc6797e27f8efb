# SPDX-License-Identifier: Apache-2.0
"""Plays examples/godot-dungeon by itself, against a real server on the starter model, and takes its picture.

    python3 sdk/godot/tools/screenshot.py                  # docs/images/godot-dungeon.png
    python3 sdk/godot/tools/screenshot.py --headless       # only plays: exit code 0 if all of the music was heard

Godot is what SEGUE_GODOT names, or .tools/godot, or `godot` on the PATH. The picture wants a screen and OpenGL 3.3;
where DISPLAY is not set, a virtual screen of Xvfb. The Godot that `test.py --install` unpacks has no OpenGL driver
with it: that of Mesa (libgl1-mesa-dri, libgl1 and libegl1 of the same Debian suite, and what they need) goes into the
same folder. The repository's .venv runs the server and shrinks the picture.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
GAME = ROOT / "examples" / "godot-dungeon"
BIN = ROOT / ".venv" / ("Scripts" if os.name == "nt" else "bin")
PICTURE = ROOT / "docs" / "images" / "godot-dungeon.png"
# Steps of 4 of 255 can't be seen, and halve the file.
SHRINK = """
import sys
from PIL import Image
picture = Image.open(sys.argv[1]).convert("RGB")
picture.point(lambda level: min(255, (level + 2) // 4 * 4)).save(sys.argv[2], optimize=True)
"""
START_S = 180.0
TOUR_S = 300.0
SCREEN_S = 10.0
FRAMES_PER_S = 30  # a software renderer leaves the server its share of the processor


def godot() -> str:
    """How to start Godot."""
    own = ROOT / ".tools" / "godot"
    found = os.environ.get("SEGUE_GODOT") or (str(own) if own.exists() else shutil.which("godot"))
    if found is None:
        raise SystemExit("there is no Godot: python3 sdk/godot/test.py --install-only, or name one by SEGUE_GODOT")
    return found


@contextmanager
def server() -> Iterator[str]:
    """The address of `segue serve examples/dungeon`, while it runs."""
    command = [str(BIN / "segue"), "serve", str(ROOT / "examples" / "dungeon"), "--port", "0", "--web-port", "0"]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT)
        try:
            end = time.monotonic() + START_S
            while True:
                log.seek(0)
                text = log.read()
                ready = re.search(r"gRPC-Web on (http\S+)", text)
                if ready:
                    break
                if process.poll() is not None or time.monotonic() > end:
                    raise SystemExit(f"the server did not start:\n{text}")
                time.sleep(0.2)
            yield ready[1]
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def screen() -> Iterator[str]:
    """The display to draw on: the one there is, or a virtual one."""
    if os.environ.get("DISPLAY") or os.name == "nt" or sys.platform == "darwin":
        yield os.environ.get("DISPLAY", "")
        return
    if shutil.which("Xvfb") is None:
        raise SystemExit("there is no screen: set DISPLAY, or install Xvfb")
    told, tell = os.pipe()
    words = ["Xvfb", "-displayfd", str(tell), "-screen", "0", "1280x800x24", "-nolisten", "tcp"]
    process = subprocess.Popen(words, pass_fds=[tell], stderr=subprocess.DEVNULL)
    os.close(tell)
    try:
        with os.fdopen(told) as pipe:
            number = pipe.readline().strip()
        if not number:
            raise SystemExit("Xvfb did not start")
        yield f":{number}"
    finally:
        process.terminate()
        process.wait(SCREEN_S)


def play(words: Sequence[str], display: str = "") -> int:
    """The game's exit code; what it prints goes to the terminal."""
    variables = {**os.environ, **({"DISPLAY": display} if display else {})}
    try:
        return subprocess.run([godot(), "--path", GAME, *words], env=variables, timeout=TOUR_S).returncode
    except subprocess.TimeoutExpired:
        print(f"the tour did not end within {TOUR_S:.0f} s", flush=True)
        return 1


def photograph(address: str, into: Path) -> int:
    with tempfile.TemporaryDirectory() as folder, screen() as display:
        raw = Path(folder) / "raw.png"
        options = ["--rendering-driver", "opengl3", "--audio-driver", "Dummy", "--max-fps", str(FRAMES_PER_S)]
        code = play([*options, "--", "--tour", f"--server={address}", f"--picture={raw}"], display)
        if not raw.exists():
            print("no picture was taken", flush=True)
            return 1
        subprocess.run([str(BIN / "python"), "-c", SHRINK, str(raw), str(into)], check=True)
    print(f"{into}: {into.stat().st_size / 1000:.0f} kB", flush=True)
    return code


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--headless", action="store_true", help="play it without a screen, and take no picture")
    parser.add_argument("--out", type=Path, default=PICTURE)
    wanted = parser.parse_args()
    if not (BIN / "python").exists() and not (BIN / "python.exe").exists():
        raise SystemExit("the server is run from the repository's .venv: python3 dev.py setup")
    imported = subprocess.run([godot(), "--headless", "--path", GAME, "--import"], stdout=subprocess.DEVNULL)
    if imported.returncode != 0:
        raise SystemExit("the project could not be imported")
    with server() as address:
        if wanted.headless:
            return play(["--headless", "--audio-driver", "Dummy", "--", "--tour", f"--server={address}"])
        return photograph(address, wanted.out)


if __name__ == "__main__":
    sys.exit(main())
