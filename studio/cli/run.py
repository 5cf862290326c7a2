"""`studio run`: one operation with its flags, followed to its end."""

import asyncio
import os
import sys
from typing import Any

from studio.cli import flags, show
from studio.cli.follow import Follower, Outcome, follow
from studio.cli.session import Studio
from studio.errors import StudioError

PRIORITIES = ("interactive", "batch", "training", "maintenance")
SWITCHES = (
    flags.Switch("json", "Print one JSON object at the end instead of the text."),
    flags.Switch("detach", "Print the job's id and leave it running."),
    flags.Switch("priority", "How urgent it is.", takes_value=True, choices=PRIORITIES),
    flags.Switch("help", "Show this."),
)


def run(studio: Studio, operation_id: str, tokens: list[str]) -> int:
    """Runs the operation. Returns the exit code; raises StudioError for bad input and refused jobs."""
    from studio.host.loader import load_params

    operation = studio.plugins().operation(operation_id)
    params = load_params(operation)
    given = flags.parse(params, ["--help"] if tokens == ["-h"] else tokens, SWITCHES)
    if given.switches.get("help"):
        print(flags.help_text(operation_id, operation.entry.title, operation.entry.summary, params, SWITCHES))
        return 0
    values = flags.load(params, given).model_dump(mode="json", exclude_unset=True)
    return asyncio.run(_run(studio, operation_id, values, given.switches))


async def _run(studio: Studio, operation: str, values: dict[str, Any], switches: dict[str, Any]) -> int:
    status = show.StatusLine(sys.stderr)
    status.show("Starting")
    options = {"priority": switches["priority"]} if switches.get("priority") else {}
    as_json = bool(switches.get("json"))
    try:
        async with studio.engine() as client:
            job = await client.submit(operation, values, origin="cli", **options)
            if switches.get("detach"):
                status.clear()
                print(show.as_json({"job": job}) if as_json else job)
                return 0
            follower = Follower(status, None if as_json else sys.stdout)
            outcome = await follow(client, job, follower)
    finally:
        status.clear()
    report(outcome, status, as_json=as_json)
    return outcome.exit_code


def report(outcome: Outcome, status: show.StatusLine, *, as_json: bool) -> None:
    """How it ended: the sentence and the places on standard error, a result that is no text on standard output."""
    job = outcome.job
    if as_json:
        kept = ("id", "operation", "params", "state", "artifacts", "facts", "error")
        print(show.as_json({key: job.get(key) for key in kept} | {"text": outcome.text}))
    elif outcome.text and not outcome.text.endswith("\n") and _together():
        print(file=sys.stderr)
    elif not outcome.text and not outcome.pipe_closed:
        for artifact in outcome.artifacts:
            print(artifact["path"])
    if outcome.pipe_closed:
        return
    if job.get("error"):
        show.complain(StudioError.from_dict(job["error"]))
    if outcome.interrupted and job.get("state") not in ("finished", "failed", "cancelled"):
        status.say("The job is being cancelled; what it has made stays.")
    elif job.get("state") == "cancelled":
        status.say("Cancelled." + ("" if outcome.artifacts else " Nothing had been made yet."))
    for artifact in outcome.artifacts:
        status.say(f"{'Saved' if job.get('state') == 'finished' else 'Kept'} {artifact['path']}")
    if job.get("state") == "finished" and (summary := _summary(job.get("facts") or {})):
        status.say(summary)


def _together() -> bool:
    """Whether text and remarks end up in one place, where a remark must not stick to the last word."""
    return os.path.samestat(os.fstat(sys.stdout.fileno()), os.fstat(sys.stderr.fileno()))


def _summary(facts: dict[str, Any]) -> str:
    parts = []
    if facts.get("tokens"):
        parts.append(f"{facts['tokens']} tokens")
    if facts.get("tokens_per_second"):
        parts.append(f"{facts['tokens_per_second']:.1f} tokens/s")
    if facts.get("seed") is not None:
        parts.append(f"seed {facts['seed']}")
    return " · ".join(parts)
