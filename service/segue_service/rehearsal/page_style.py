# SPDX-License-Identifier: Apache-2.0
"""How the report looks: one sheet, no fonts and no scripts from anywhere, light or dark as the reader has it."""

from __future__ import annotations

from typing import Final

SHEET: Final = """
:root { color-scheme: light dark; --paper: #fbfaf7; --card: #ffffff; --ink: #23262f; --quiet: #666c7c; --edge: #dcdfe6;
  --good: #1d6f6a; --bad: #c8322b; --badly: #fdf0ee; --source: #8a6fb8; --target: #c46a14; --wave: #c3c9d6;
  --loud: #2f6db5; --fade: #f0e9da; }
@media (prefers-color-scheme: dark) { :root { --paper: #16181d; --card: #1f222a; --ink: #eceef3; --quiet: #9aa1b2;
  --edge: #343945; --good: #6fd0c6; --bad: #ff7d73; --badly: #35211f; --source: #b9a2e6; --target: #f0a14e;
  --wave: #454c5c; --loud: #7fb2ee; --fade: #2d2a22; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 ui-sans-serif, Inter, "Segoe UI",
  "Helvetica Neue", "DejaVu Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 28px 18px 60px; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 4px; } h2 { font-size: 1.2rem; margin: 40px 0 12px; }
h3 { font-size: 1.05rem; margin: 0; overflow-wrap: anywhere; } p { margin: 6px 0; } a { color: inherit; }
.quiet { color: var(--quiet); } .small { font-size: .86rem; } .good { color: var(--good); } .bad { color: var(--bad); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 10px; margin: 20px 0 0; }
.tile, .card { background: var(--card); border: 1px solid var(--edge); border-radius: 10px; }
.tile { padding: 10px 14px; } .tile b { display: block; font-size: 1.45rem; line-height: 1.25; }
.scroll { overflow-x: auto; } .graph img { display: block; max-width: none; height: auto; }
table { border-collapse: collapse; font-size: .9rem; } th { font-weight: 600; text-align: left; }
td, th { padding: 5px 9px; border-bottom: 1px solid var(--edge); white-space: nowrap; }
.matrix td { text-align: center; } .matrix a { text-decoration: none; font-weight: 650; }
.card { padding: 14px 16px; margin: 0 0 14px; scroll-margin-top: 12px; } .card.fails { border-color: var(--bad); }
.head { display: flex; flex-wrap: wrap; gap: 4px 12px; align-items: baseline; justify-content: space-between; }
.verdict { font-weight: 650; white-space: nowrap; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(128px, 1fr)); gap: 2px 14px; margin: 10px 0; }
.figures div { border-top: 1px solid var(--edge); padding: 4px 0 2px; } .figures b { display: block; }
.figures span { color: var(--quiet); font-size: .82rem; }
.fault { background: var(--badly); border-radius: 8px; padding: 7px 11px; margin: 8px 0; font-size: .93rem; }
.plot { display: block; width: 100%; min-width: 520px; height: auto; margin: 6px 0; }
.plot text { font-size: 11px; fill: var(--quiet); } .plot .frame { fill: none; stroke: var(--edge); }
.plot .fade { fill: var(--fade); } .plot .bar { stroke: var(--edge); } .plot .wave { fill: var(--wave); }
.plot .change { stroke: var(--ink); stroke-width: 1.3; stroke-dasharray: 4 3; } .plot .told { fill: var(--ink); }
.plot .line { fill: none; stroke-width: 2; stroke-linejoin: round; } .plot .loudness { stroke: var(--loud); }
.plot .source { stroke: var(--source); } .plot .target { stroke: var(--target); }
.plot .wanted { stroke: var(--loud); stroke-dasharray: 2 4; opacity: .8; }
.key i { display: inline-block; width: 18px; height: 3px; border-radius: 2px; vertical-align: middle;
  margin: 0 5px 0 12px; }
.key i:first-child { margin-left: 0; } audio { width: 100%; height: 38px; margin-top: 4px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 16px; font-size: .93rem; } dt { font-weight: 600; }
dd { margin: 0; } ul { padding-left: 20px; }
@media (max-width: 560px) { main { padding: 20px 12px 40px; } dl { grid-template-columns: 1fr; gap: 0; }
  dt { margin-top: 8px; } .tiles { grid-template-columns: 1fr 1fr; } .figures { grid-template-columns: 1fr 1fr; } }
"""
