"""What the race of the designs says in Markdown, and where it stands in a model's card. Imports no torch."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

HEADING, NEXT = "## The longer race", "## Limits"
HEAD = "| minutes | design | steps | nearest by colours | among five | nearest by look | among five | squared error |"
RULE = "|---|---|---|---|---|---|---|---|"
SAID = """
Three designs of about one size (parameters with the text encoder: {sizes}), each trained from nothing for the same
minutes of one core's work, slice by slice in turns, with a steady rate that falls in the last slice; on {pictures}
pictures by the same names in batches of {batch}, seed {seed}. All began on the encoder and decoder of this model. The
masked tokens needed {code_minutes:g} minutes more ({code_steps:,} steps of 8) to learn a book of {codes} codes; with it
the pictures come back with {psnr[codes]:.1f} dB, without it with {psnr[plain]:.1f}. Painted with guidance {guidance:g}
in 20 steps, masked tokens in 12. By colours: squares of 4 pixels. By look: where it is not white and where edges run,
whatever their strength. Luck alone gives {luck:.1%} and {luck5:.1%}.
"""

Line = dict[str, Any]


def race_section(facts: dict[str, Any], lines: list[Line]) -> str:
    """Tables of the slices that all designs have run, and the facts that a reader needs to weigh them."""
    layouts = facts["layouts"]
    last = min((max((at["part"] for at in lines if at["design"] == name), default=0) for name in layouts), default=0)
    fair = [line for line in lines if line["part"] <= last]
    all_names = [line for line in fair if line["names"] == "all"]
    on_the_way = [line for line in fair if line["names"] == "some" and line["guidance"] == facts["guidance"]]
    others = [line for line in fair if line["names"] == "some" and all_names and line["part"] == last]
    text = [said(facts), "", f"{facts['asked']} of the names, after every slice:", "", *table(layouts, on_the_way)]
    if all_names:
        text += ["", f"At the end, all {facts['pictures']} names:", "", *table(layouts, all_names)]
        text += ["", f"At the end by guidance, {facts['asked']} of the names by look:", "", *guidances(layouts, others)]
    return "\n".join(text) + "\n"


def said(facts: dict[str, Any]) -> str:
    sizes = ", ".join(f"{facts['layouts'][name]} {size:,}" for name, size in facts["parameters"].items())
    luck = 1 / facts["pictures"]
    return " ".join(SAID.split()).format(**facts, sizes=sizes, luck=luck, luck5=5 * luck)


def table(layouts: dict[str, str], lines: Iterable[Line]) -> list[str]:
    rows = [
        f"| {line['minutes']:g} | {layouts[line['design']]} | {line['steps']:,} | {line['top1']:.0%}"
        f" | {line['top5']:.0%} | {line['look1']:.0%} | {line['look5']:.0%} | {line['error']:.3f} |"
        for line in lines
    ]
    return [HEAD, RULE, *rows]


def guidances(layouts: dict[str, str], lines: list[Line]) -> list[str]:
    """One row for each design, one column for each guidance."""
    columns = sorted({line["guidance"] for line in lines})
    found = {(line["design"], line["guidance"]): f"{line['look1']:.0%}" for line in lines}
    rows = [["design", *(f"{guidance:g}" for guidance in columns)], ["---"] * (len(columns) + 1)]
    rows += [[layouts[name], *(found[name, guidance] for guidance in columns)] for name in layouts]
    return ["| " + " | ".join(row) + " |" for row in rows]


def put_section(card: Path, text: str) -> None:
    """Puts the race into a card before its limits, in the place of what an earlier race said there."""
    before, limits, after = card.read_text(encoding="utf-8").partition(f"{NEXT}\n")
    before = before.partition(f"{HEADING}\n")[0]
    card.write_text(f"{before}{HEADING}\n{text}\n{limits}{after}", encoding="utf-8")
