# SPDX-License-Identifier: Apache-2.0
"""Soundtracks as somebody might write them who wants the parser to stumble: text, trees, and ones that are too much."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, Final

from fuzzing.chance import Chance
from segue_service.soundtrack import content_hash, parse_soundtrack
from segue_service.soundtrack.build import build
from segue_service.soundtrack.compile import compile_document
from segue_service.soundtrack.diagnostics import SoundtrackError
from segue_service.soundtrack.document import Document, read_yaml

EXAMPLES: Final = Path(__file__).resolve().parents[2] / "examples"
_WORDS: Final = (
    *("soundtrack", "version", "initial", "music", "tempo", "meter", "phrase_bars", "key", "styles", "prompts"),
    *("guidance", "gain_db", "drums", "temperature", "top_k", "min_p", "parameters", "range", "default", "seek_speed"),
    *("hysteresis", "states", "style", "blend_by", "to", "curve", "min_dwell", "transitions", "from", "on", "when"),
    *(
        "after",
        "exit_source_at",
        "fade",
        "via",
        "cooldown",
        "priority",
        "reenter",
        "stingers",
        "clip",
        "length",
        "weight",
    ),
    *("events", "set", "trigger", "output", "loudness", "true_peak", "chords", "any", "step", "linear", "next_bar"),
    *("next_beat", "exit_cue", "immediate", "danger", "health", "combat", "explore"),
)
_BITS: Final = (
    *("1 s", "0 s", "-1 s", "1e9 s", "0.0000001 s", "999999999 bars", "1 beat", "5 ms", "١ s", "1 brr", "1e400 s", ""),
    *("danger < 0.3", "not not not danger > 0", "danger > 0 and (health < 1 or danger == 1)", "danger < nan", "a b c"),
    *("C", "F#m7b5/A", "| C | Am F | G7 |", "| " * 50, "N.C.", "H", "4/4", "0/0", "999/1", "C minor", "../a.flac"),
)
_TOKEN: Final = re.compile(r"[\w.]+|\s+|[^\w\s]")


@cache
def corpus() -> tuple[str, ...]:
    """Soundtracks that are right."""
    return tuple(path.read_text(encoding="utf-8") for path in sorted(EXAMPLES.glob("*/*.soundtrack.yaml")))


@cache
def _trees() -> tuple[Any, ...]:
    return tuple(read_yaml(text, "x").data for text in corpus())


def soundtrack(chance: Chance) -> tuple[str, str]:
    """What kind of mischief, and the text."""
    kind = chance.of("text", "tokens", "tree", "tree", "tree", "built", "deep", "long", "noise")
    text = chance.choice(corpus())
    match kind:
        case "text":
            made = chance.mangled(text.encode(), 6).decode("utf-8", "replace")
        case "tokens":
            made = _tokens(chance, text)
        case "tree" | "built":
            tree = _tree(chance)
            made = json.dumps(tree, ensure_ascii=False) if kind == "tree" else _built(chance, tree)
        case "deep":
            made = _deep(chance, text)
        case "long":
            made = _long(chance)
        case _:
            made = chance.text(4000, _WORDS) if chance.once_in(2) else chance.noise(3000).decode("latin-1")
    if kind == "built" and chance.once_in(4):
        made = _tokens(chance, made)
    if chance.once_in(12):
        at = made.find('"', chance.randrange(len(made) + 1)) + 1
        made = made[:at] + chance.of("\\ud800", "\\udfff\\ud800", "\\u0000", "\\x", "\\") + made[at:]
    return kind, made[: 1 << 20]


def renamed(text: str, name: str) -> str | None:
    """The same soundtrack under another name, as JSON, which is YAML too; None if it is none."""
    try:
        tree = read_yaml(text, "x").data
        return json.dumps({**tree, "soundtrack": name, "version": 1}, ensure_ascii=True)
    except (SoundtrackError, TypeError):
        return None


def _tree(chance: Chance) -> Any:
    """Few changes, so that many still compile and the machine gets something odd to run."""
    tree = chance.choice(_trees())
    tree = chance.nudged(tree) if chance.once_in(3) else tree
    tree = chance.twisted(tree, [*_WORDS, *_BITS], changes=chance.of(1, 1, 2, 6)) if chance.once_in(2) else tree
    return tree if isinstance(tree, dict) else {"soundtrack": tree}


def _tokens(chance: Chance, text: str) -> str:
    tokens = _TOKEN.findall(text)
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(tokens))
        match chance.randrange(4):
            case 0:
                tokens[at] = chance.of(*_BITS, *_WORDS)
            case 1:
                tokens[at : at + 1] = [tokens[at]] * chance.size(30)
            case 2:
                del tokens[at]
            case _:
                tokens[at] = str(chance.of(chance.whole(-(2**70), 2**70), chance.real(), "1e999", "1" + "0" * 400))
    return "".join(tokens)


def _built(chance: Chance, tree: Any) -> str:
    """The built form, whose hash is right where the content is a soundtrack's."""
    try:
        whole = compile_document(Document("x", tree))
        built = json.loads(build(whole))
        if chance.once_in(3):
            built = chance.twisted(built)
        return json.dumps(built)
    except Exception:  # whatever it is: what this says here, the server is to say
        name = content_hash(parse_soundtrack(corpus()[0]))
        return json.dumps({"format": chance.of(1, 1, chance.wild()), "hash": name, "document": tree})


def _deep(chance: Chance, text: str) -> str:
    times = chance.of(10, 13, 100, 1_000, 20_000)
    opened, closed = chance.of(
        ("[", "]"), ("{a: ", "}"), ("- ", ""), ("(", ")"), ("not ", ""), ("? ", ""), ("&a [", "]")
    )
    nest = opened * times + "danger > 0" + closed * times
    match chance.randrange(3):
        case 0:
            return nest
        case 1:
            return text.replace("danger > 0", nest).replace("when: danger", f"when: {nest} and danger")
    return f"{text}\n{chance.choice(_WORDS)}: {nest}\n"


def _long(chance: Chance) -> str:
    """Many of something, near the bounds or beyond them."""
    states, ways = chance.of(1, 2, 255, 256, 257), chance.of(0, 1, 64, 1_024, 1_025)
    styles, prompts = chance.of(1, 2, 60, 256), chance.of(1, 8, 32, 33)
    name = "n" * chance.of(1, 3, 64, 65)
    each = ", ".join(f"{name}{n}: {{ style: x{n % styles} }}" for n in range(states))
    songs = ", ".join(f"x{n}: {{ prompts: [{', '.join(f'p{n}q{m}' for m in range(prompts))}] }}" for n in range(styles))
    cause = chance.of("on: e{n}", "when: d < 0.{n}", "after: {n} s", "on: [e{n}, f{n}], after: 1 s")
    arrows = "".join(f"  - {{ from: any, to: {name}{n % states}, {cause.format(n=n)} }}\n" for n in range(ways))
    head = f"soundtrack: long\ninitial: {name}0\nparameters: {{ d: {{ range: [0, 1] }} }}\n"
    return f"{head}styles: {{ {songs} }}\nstates: {{ {each} }}\n" + (f"transitions:\n{arrows}" if ways else "")
