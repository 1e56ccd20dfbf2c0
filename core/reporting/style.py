"""How a report looks: on a screen by day and night, and on paper."""

STYLE = """
:root { --ink: #1c1d21; --soft: #565a66; --paper: #fff; --line: #d5d7de; --tone: #2457a6;
  --wash: #f3f4f7; --mark: #9a3b00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e9ee; --soft: #a6aab8; --paper: #15161a;
  --line: #3a3d47; --tone: #8db4f5; --wash: #1f2127; --mark: #ffb27a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 62rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, "Segoe UI", "Noto Sans", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .75rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .4rem; padding-top: .8rem;
  border-top: 1px solid var(--line); }
h3 { font-size: .95rem; margin: 1rem 0 .2rem; color: var(--soft); }
a { color: var(--tone); }
a:focus-visible, summary:focus-visible, [tabindex]:focus-visible { outline: 3px solid var(--tone);
  outline-offset: 2px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { position: static; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr));
  gap: .3rem 1.5rem; margin: 0; }
.facts dt { font-size: .8rem; color: var(--soft); }
.facts dd { margin: 0; overflow-wrap: anywhere; }
nav ol { columns: 3 15rem; column-gap: 2rem; font-size: .9rem; padding-left: 1.6rem; }
nav li { break-inside: avoid; overflow-wrap: anywhere; }
.what { margin-top: 0; color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .88rem; min-width: 60%; margin: .6rem 0; }
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
th, td { padding: .18rem .7rem .18rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); font-weight: normal; }
tbody th, td { max-width: 22rem; overflow-wrap: break-word; }
thead th { font-weight: 600; white-space: nowrap; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.why, .none { color: var(--soft); font-style: italic; text-align: left; max-width: 34rem; }
ul { padding-left: 1.2rem; margin: .3rem 0; }
.notes, section > ul { font-size: .9rem; }
.limits { border-left: 4px solid var(--mark); background: var(--wash); padding: .5rem .8rem; }
li, p, figcaption { overflow-wrap: anywhere; }
figure { margin: 1rem 0; overflow-x: auto; }
figcaption { font-size: .85rem; font-weight: 600; }
svg { width: 100%; min-width: 34rem; max-width: 47.5rem; height: auto; display: block; }
svg text { font-size: 13px; fill: var(--ink); }
svg .small { font-size: 12px; font-variant-numeric: tabular-nums; }
svg .grid { stroke: var(--line); } svg .zero { stroke: var(--soft); stroke-dasharray: 4 3; }
svg .whisker { stroke: var(--tone); stroke-width: 2; }
svg .dot { fill: var(--tone); } svg .mark { stroke: var(--mark); stroke-width: 2; }
svg .cell { fill: none; stroke: var(--line); } svg .cell.full { fill: var(--tone); }
svg .part { stroke: var(--ink); stroke-width: .6; fill: var(--tone); }
svg .part-0 { fill-opacity: .65; } svg .part-1 { fill-opacity: .35; }
svg .part-2 { fill-opacity: .15; } svg .part-3 { fill: none; }
@media print {
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  nav, .skip { display: none; }
  figure, tr, .limits { break-inside: avoid; }
  h2, h3, caption { break-after: avoid; }
  thead { display: table-header-group; }
  .wide, figure { overflow: visible; }
}
"""
