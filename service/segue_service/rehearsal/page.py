# SPDX-License-Identifier: Apache-2.0
"""The report that a composer shows to the team: one HTML file with graph, figures, plots and sound in it."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from segue_service.rehearsal.edges import Edge
from segue_service.rehearsal.excerpt import Excerpt, Kept
from segue_service.rehearsal.page_style import SHEET
from segue_service.rehearsal.plot import plot
from segue_service.rehearsal.verdict import Verdict
from segue_service.soundtrack import Soundtrack, graph_svg, reachable


@dataclass(frozen=True, slots=True)
class Result:
    """A verdict with the takes it rests on."""

    verdict: Verdict
    takes: tuple[Kept, ...]

    @property
    def shown(self) -> Kept:
        """The take to look at: the one that is latest to be taken for its target, or least like it."""

        def worst(take: Kept) -> tuple[bool, float, float]:
            figures = take.figures
            if figures is None:
                return True, 0.0, 0.0
            return False, figures.late or 0.0, -(figures.adherence or 0.0)

        with_sound = [take for take in self.takes if take.excerpt is not None]
        return max(with_sound or self.takes, key=worst)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """All that a report tells. left: edges that can't happen or were left out, and why. ear: who judged the style."""

    soundtrack: Soundtrack
    hash: str
    model: str
    version: str
    seed: int
    results: tuple[Result, ...]
    left: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    ear: str
    own_scale: bool
    seconds: float
    """Of music that was played."""

    @property
    def failing(self) -> tuple[Result, ...]:
        return tuple(result for result in self.results if not result.verdict.passed)


def html(rehearsal: Rehearsal) -> str:
    """The whole page; nothing in it is fetched from anywhere."""
    soundtrack = rehearsal.soundtrack
    title = f"{soundtrack.soundtrack} · segue test"
    body = "\n".join(
        (*_header(rehearsal), *_graph(rehearsal), *_matrix(rehearsal), *_cards(rehearsal), *_foot(rehearsal))
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{SHEET}</style></head>\n'
        f"<body><main>\n{body}\n</main></body></html>\n"
    )


def _header(rehearsal: Rehearsal) -> Iterator[str]:
    soundtrack, results, failing = rehearsal.soundtrack, rehearsal.results, rehearsal.failing
    yield f"<h1>{escape(soundtrack.soundtrack)}</h1>"
    if soundtrack.description:
        yield f"<p>{escape(soundtrack.description)}</p>"
    facts = f"version {soundtrack.version} · {rehearsal.hash[:12]} · model {rehearsal.model} · seed {rehearsal.seed}"
    takes = max((len(result.takes) for result in results), default=0)
    facts += f" · {takes} takes of each edge" if takes > 1 else ""
    yield f'<p class="quiet small">{escape(facts)} · {rehearsal.seconds / 60:.1f} min of music</p>'
    figures = [result.verdict.figures for result in results if result.verdict.figures is not None]
    late = sorted(figure.settle for figure in figures if figure.settle is not None)
    jumps = [abs(figure.jump) for figure in figures if figure.jump is not None]
    likeness = [figure.adherence for figure in figures if figure.adherence is not None]
    passed = len(results) - len(failing)
    tiles = [
        ("good" if not failing else "bad", f"{passed} of {len(results)}", "edges pass"),
        ("", seconds(late[len(late) // 2]) if late else "n/a", "until the new style is heard, median"),
        ("", f"{sorted(likeness)[len(likeness) // 2]:.2f}" if likeness else "n/a", "like what was asked, median"),
        ("", f"{max(jumps):.1f} LU" if jumps else "n/a", "largest jump of level"),
    ]
    yield '<div class="tiles">'
    for kind, figure, said in tiles:
        yield f'<div class="tile"><b class="{kind}">{figure}</b><span class="quiet small">{said}</span></div>'
    yield "</div>"


def _graph(rehearsal: Rehearsal) -> Iterator[str]:
    soundtrack = rehearsal.soundtrack
    faint = frozenset(soundtrack.states) - reachable(soundtrack)
    alarming = frozenset(
        key for result in rehearsal.failing
        if (key := result.verdict.edge.rule if result.verdict.edge.kind == "transition" else result.verdict.edge.cause)
        is not None
    )  # fmt: skip
    picture = base64.b64encode(graph_svg(soundtrack, faint, alarming).encode()).decode()
    yield "<h2>The graph</h2>"
    yield f'<div class="card graph scroll"><img alt="the states and the transitions between them" src="data:image/svg+xml;base64,{picture}"></div>'  # noqa: E501
    if alarming:
        yield '<p class="quiet small">In red: an edge of this transition fails.</p>'


def _matrix(rehearsal: Rehearsal) -> Iterator[str]:
    """From (rows) to (columns): passes or not, and when the new style is heard."""
    ways: dict[tuple[str, str], list[Result]] = {}
    for result in rehearsal.results:
        edge = result.verdict.edge
        if edge.stinger is None:
            ways.setdefault((edge.source, edge.target), []).append(result)
    if not ways:
        return
    sources = [state for state in rehearsal.soundtrack.states if any(state == source for source, _ in ways)]
    targets = [state for state in rehearsal.soundtrack.states if any(state == target for _, target in ways)]
    yield '<h2>From where to where</h2><div class="card scroll"><table class="matrix">'
    yield "<tr><th>from \\ to</th>" + "".join(f"<th>{escape(target)}</th>" for target in targets) + "</tr>"
    for source in sources:
        cells = ["".join(_link(result) for result in ways.get((source, target), ())) for target in targets]
        yield f"<tr><th>{escape(source)}</th>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
    yield "</table></div>"
    yield '<p class="quiet small">Seconds from the change until the new style is heard; red: the edge fails.</p>'


def _link(result: Result) -> str:
    verdict = result.verdict
    said = "n/a" if verdict.figures is None else seconds(verdict.figures.settle)
    mark, kind = ("✓", "good") if verdict.passed else ("✗", "bad")
    return f'<a class="{kind}" href="#{anchor(verdict.edge)}">{mark} {said}</a> '


def _cards(rehearsal: Rehearsal) -> Iterator[str]:
    failing = rehearsal.failing
    if failing:
        yield f"<h2>To look at ({len(failing)})</h2>"
        yield from (card for result in failing for card in _card(rehearsal, result))
        yield "<h2>What passes</h2>"
    else:
        yield "<h2>Every edge</h2>"
    yield from (card for result in rehearsal.results if result.verdict.passed for card in _card(rehearsal, result))


def _card(rehearsal: Rehearsal, result: Result) -> Iterator[str]:
    verdict, edge = result.verdict, result.verdict.edge
    kind, word = ("", "passes") if verdict.passed else (" fails", "fails")
    yield f'<section class="card{kind}" id="{anchor(edge)}"><div class="head"><h3>{escape(edge.name)}</h3>'
    yield f'<span class="verdict {"good" if verdict.passed else "bad"}">{word}</span></div>'
    yield f'<p class="quiet small">{escape(edge.manner)}</p>'
    for failure in verdict.failures:
        yield f'<p class="fault"><b>{escape(failure.said)}</b><br>{escape(failure.advice)}</p>'
    yield from _figures(verdict)
    shown = result.shown
    if shown.excerpt is not None:
        wanted = rehearsal.soundtrack.output.loudness + _gain(rehearsal.soundtrack, edge.target)
        yield from _sound(edge, shown.excerpt, rehearsal.own_scale, wanted)
        if len(result.takes) > 1:
            others = len(result.takes)
            yield f'<p class="quiet small">The least convincing of {others} takes (seed {shown.seed}).</p>'
    yield "</section>"


def _figures(verdict: Verdict) -> Iterator[str]:
    figures = verdict.figures
    if figures is None:
        return
    before = "" if figures.adherence_before is None else f"{figures.adherence_before:.2f} → "
    click = "n/a" if figures.click is None else f"{figures.click:.1f}"
    off = f"off the {figures.place}" if figures.place else "off the beat"
    like = "n/a" if figures.adherence is None else f"{before}{figures.adherence:.2f}"
    jump = "n/a" if figures.jump is None else f"{figures.jump:+.1f} LU"
    rows = [
        ("settle", seconds(figures.settle), "until it is heard"),
        ("adherence", like, "like what was asked"),
        ("click", click, f"roughest frame edge (inside frames {figures.click_inside or 0.0:.1f})"),
        ("loudness", jump, f"jump beyond the {figures.asked:+g} dB asked"),
        ("alignment", "n/a" if figures.off_ms is None else f"{figures.off_ms:.0f} ms", off),
    ]
    yield '<div class="figures">'
    for metric, figure, said in rows:
        why = figures.absent.get(metric, "")
        kind = "bad" if verdict.failed(metric) else ""
        yield f'<div><b class="{kind}">{figure}</b><span>{escape(why or said)}</span></div>'
    yield "</div>"


def _sound(edge: Edge, excerpt: Excerpt, own_scale: bool, wanted: float) -> Iterator[str]:
    source, target = escape(edge.source), escape(edge.target)
    yield f'<div class="scroll">{plot(excerpt, source, target, own_scale, wanted)}</div>'
    if excerpt.source and source != target:
        yield (
            f'<p class="key quiet small"><i style="background:var(--source)"></i>like {source}'
            f'<i style="background:var(--target)"></i>like {target}'
            '<i style="background:var(--loud)"></i>short-term loudness (dotted: asked for) · ▼ the game says so</p>'
        )
    sound = base64.b64encode(excerpt.ogg).decode()
    yield f'<audio controls preload="metadata" src="data:audio/ogg;base64,{sound}"></audio>'


def _foot(rehearsal: Rehearsal) -> Iterator[str]:
    if rehearsal.left:
        yield "<h2>Not played</h2><ul>"
        yield from (f"<li><b>{escape(name)}</b>: {escape(why)}</li>" for name, why in rehearsal.left)
        yield "</ul>"
    if rehearsal.notes:
        yield "<h2>Notes</h2><ul>" + "".join(f"<li>{escape(note)}</li>" for note in rehearsal.notes) + "</ul>"
    yield "<h2>What the figures mean</h2><dl>"
    for word, meaning in meanings(rehearsal.ear):
        yield f"<dt>{escape(word)}</dt><dd>{escape(meaning)}</dd>"
    yield "</dl>"


def meanings(ear: str) -> Sequence[tuple[str, str]]:
    """(figure, its definition in a sentence)."""
    return (
        ("Who judges", ear),
        ("Like what was asked", "likeness of what is heard to the source before the change, and to the target in the "
         "last 2 s; 1 is the style itself"),
        ("Until it is heard", "from where the change is audible until the likeness to the target has gone 80 % of its "
         "way and stays there for 0.4 s; the threshold counts from the fade's end. An ear that hears 3 s at a time "
         "can hardly say so before 1.5 s"),
        ("Roughest frame edge", "third difference of the samples where two frames meet, as a multiple of its "
         "neighbourhood's median, from the change to 1 s after its fade; a click if it is beyond the threshold and "
         "beyond what the music does inside its frames"),
        ("Jump", "short-term loudness (3 s) after the fade less that before the change, less what gain_db asks"),
        ("Off the beat, bar or phrase", "distance of the change from the nearest such place that the model's own clock "
         "told; n/a without such a clock, and for changes that are immediate"),
    )  # fmt: skip


def seconds(value: float | None) -> str:
    """2.34 → "2.3 s"; None → "n/a"; infinity → "never"."""
    if value is None:
        return "n/a"
    return "never" if math.isinf(value) else f"{value:.1f} s"


def anchor(edge: Edge) -> str:
    """An id for links within the page."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in edge.name)


def _gain(soundtrack: Soundtrack, state: str) -> float:
    return float(soundtrack.styles[soundtrack.states[state].style].gain_db)
