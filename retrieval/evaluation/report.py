"""The evaluation as one HTML page that needs nothing else: figures, tables, and the worst errors with pictures."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from retrieval.evaluation import plots
from retrieval.evaluation.figures import Evaluation, MethodResult, Outcome
from retrieval.evaluation.metrics import ErrorRate
from retrieval.scoring import PairConfidences


@dataclass(frozen=True, slots=True, eq=False)
class WorstError:
    """A wrong answer and a picture of what matched, as PNG or JPEG bytes, if there is one."""

    outcome: Outcome
    picture: bytes | None


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What the page is made of.

    Attributes
    ----------
    methods : tuple of MethodResult
        The first is the one that is reported; the others are compared with it.
    groups : tuple of Evaluation
        By side and quality.
    matching, different : PairConfidences
        Photo pairs of one turtle (different encounters) and of different turtles.
    """

    title: str
    methods: tuple[MethodResult, ...]
    groups: tuple[Evaluation, ...]
    matching: PairConfidences
    different: PairConfidences
    errors: tuple[WorstError, ...]


def write_report(material: Material) -> str:
    """The page as text."""
    first = material.methods[0]
    figures = first.evaluation
    title = html.escape(material.title)
    body = [
        f"<h1>{title}</h1>",
        f"<p>{figures.known} photos of catalogued turtles and {figures.new} photos of turtles that are not in the "
        "catalogue were identified as if they had just been taken.</p>",
        _headline(figures),
        _section(
            "Does it find the right turtle?",
            "Of the photos of catalogued turtles: how often the true turtle is the first candidate, among the first "
            "two, and so on (the CMC curve).",
            plots.cumulative_match_curves(material.methods),
        ),
        _section(
            "Are known and new turtles told apart?",
            "The score of the true turtle and the best score of any other turtle. The less they overlap, the more "
            "photos can be decided.",
            plots.score_distributions(first.outcomes),
        ),
        _section(
            "Can the probabilities be believed?",
            "Among photos that were called new with a probability of, say, 70 %, about 70 % should really be new: "
            "points should lie on the dashed line. Larger points stand for more photos.",
            plots.reliability_diagram(first.outcomes),
        ),
        _section(
            "Are the promised error rates kept?",
            "Points are the realised rates (turtles count equally), lines their one-sided 95 % bounds, dashes the "
            "promises. A whole line above its dash means a broken promise.",
            plots.error_rates(figures),
        ),
        _rates_table(figures),
        _verdict_table(figures),
        _section(
            "What do matches look like?",
            "Match confidences of photo pairs of one turtle and of different turtles: mean curve, and the range of "
            "the middle 80 % of pairs. The score measures how far a pair's curve lies below that of different turtles.",
            plots.confidence_curves(material.matching, material.different),
        ),
        "<h2>Methods side by side</h2>" + _GLOSSARY + _tables([one.evaluation for one in material.methods]),
        "<h2>By side and photo quality</h2>" + _tables(material.groups),
        "<h2>The worst errors</h2>" + ("".join(_error(one) for one in material.errors) or "<p>None.</p>"),
    ]
    return (
        f"<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><title>{title}</title>"
        f"<meta name='viewport' content='width=device-width'><style>{_CSS}</style></head><body>"
        + "".join(body)
        + "</body></html>\n"
    )


def _headline(figures: Evaluation) -> str:
    said = {share.verdict.value: share for share in figures.verdicts}
    cards = (
        (f"{said['NEW'].new} of {figures.new}", "photos of new turtles called NEW"),
        (f"{said['KNOWN'].known} of {figures.known}", "photos of catalogued turtles called KNOWN"),
        (_percent(figures.top1), "true turtle first"),
        (_percent(figures.top5), "true turtle in the first five"),
        (_number(figures.auroc), "AUROC, known against new"),
        (_percent(figures.undecided), "left undecided"),
    )
    return "<div class='cards'>" + "".join(f"<div><b>{a}</b><span>{b}</span></div>" for a, b in cards) + "</div>"


def _section(heading: str, explanation: str, figure: str) -> str:
    return f"<h2>{html.escape(heading)}</h2><p>{html.escape(explanation)}</p><figure>{figure}</figure>"


def _tables(evaluations: Sequence[Evaluation]) -> str:
    """Two tables, because one of all columns is wider than a page."""
    ranking = [
        (
            *(one.name, str(one.known), str(one.new)),
            *(_percent(value) for value in (one.top1, one.top3, one.top5)),
            *(_number(value) for value in (one.mean_average_precision, one.auroc)),
        )
        for one in evaluations
    ]
    judging = [
        (
            one.name,
            *(_percent(value) for value in (one.baks, one.baus, one.geometric_mean)),
            f"{_number(one.calibration_error)} ({_number(one.calibration_error_if_perfect)})",
            _percent(one.undecided),
        )
        for one in evaluations
    ]
    return _rows(("", "known", "new", "top 1", "top 3", "top 5", "mAP", "AUROC"), ranking) + _rows(
        ("", "known by name", "new called NEW", "both", "calibration error (perfect: up to)", "undecided"), judging
    )


def _rates_table(figures: Evaluation) -> str:
    def row(name: str, rate: ErrorRate) -> tuple[str, ...]:
        kept = "no" if rate.contradicts else "yes"
        bounds = f"{_percent(rate.low)} to {_percent(rate.high)}"
        return name, _percent(rate.rate), bounds, _percent(rate.promised), kept

    heads = ("error", "realised", "95 % bounds", "promised", "compatible")
    return _rows(
        heads,
        [
            row("new turtle called KNOWN", figures.false_known),
            row("catalogued turtle called KNOWN under another name", figures.misidentified),
            row("catalogued turtle called NEW", figures.false_new),
        ],
    )


def _verdict_table(figures: Evaluation) -> str:
    rows = [(share.verdict.value, str(share.known), str(share.new)) for share in figures.verdicts]
    return _rows(("verdict", "photos of catalogued turtles", "photos of new turtles"), rows)


def _rows(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(one)}</th>" for one in heads)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<div class='wide'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _error(error: WorstError) -> str:
    outcome = error.outcome
    truth = outcome.turtle if outcome.catalogued else f"{outcome.turtle}, not in the catalogue"
    said = f"{outcome.verdict.value} {outcome.called or ''}".strip()
    p_new = "" if outcome.p_new is None else f", P(new) {outcome.p_new:.2f}"
    first = f", first candidate {outcome.candidates[0].turtle}" if outcome.candidates else ""
    kind = outcome.mistake or "outranked"
    caption = html.escape(f"{kind}: {outcome.photo} is {truth}; answered {said}{p_new}{first}")
    picture = "" if error.picture is None else f"<img alt='{caption}' src='{_data_address(error.picture)}'>"
    return f"<figure class='error'>{picture}<figcaption>{caption}</figcaption></figure>"


def _data_address(picture: bytes) -> str:
    kind = "png" if picture.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def _percent(value: float) -> str:
    return f"{value:.1%}" if math.isfinite(value) else "–"


def _number(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "–"


_GLOSSARY = (
    "<p>The first row is the recipe that this page is about; the others answered the same photos. Top 1, 3, 5: the "
    "true turtle is among so many first candidates. mAP: 1 when it is always first, 1/2 when always second. AUROC: the "
    "chance that a photo of a catalogued turtle looks more catalogued than one of a new turtle; 0.5 is guessing. Known "
    "by name (BAKS): catalogued turtles called by their own id; new called NEW (BAUS); both: the root of their "
    "product; every turtle counts the same, and UNDECIDED counts as wrong. Calibration error: how far stated "
    "probabilities of NEW are from what was seen, on average.</p>"
)

_CSS = """
body{font:16px/1.5 system-ui,sans-serif;color:#1d2329;max-width:66rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.7rem}h2{font-size:1.2rem;margin-top:2.2rem}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(10rem,1fr));gap:1rem;margin:1.5rem 0}
.cards div{background:#f3f6f8;border-radius:.5rem;padding:.8rem 1rem}
.cards b{display:block;font-size:1.6rem;color:#0b6e99}.cards span{font-size:.9rem}
figure{margin:1rem 0}figure svg{max-width:100%;height:auto}
.error{border-top:1px solid #e0e4e8;padding-top:1rem}.error img{max-width:100%}
figcaption{font-size:.9rem;color:#4a525a}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.88rem;margin:1rem 0}
th,td{padding:.3rem .5rem;text-align:right;border-bottom:1px solid #e0e4e8;white-space:nowrap}
th{white-space:normal;vertical-align:bottom}th:first-child,td:first-child{text-align:left;white-space:normal;overflow-wrap:anywhere}
"""
