"""`studio jobs`, `cancel`, `pause`, `resume` and `retry`: the queue from the command line."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.cli import show
from studio.cli.catalogue import AsJson
from studio.errors import StudioError

if TYPE_CHECKING:
    from studio.cli.session import Studio
    from studio.engine.client import EngineClient

SHORT = 8
Job = Annotated[str, typer.Argument(help="The job's id, or its beginning.", metavar="JOB")]


def jobs(
    context: typer.Context,
    state: Annotated[list[str] | None, typer.Option(help="Only jobs in this state; may be repeated.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1)] = 30,
    json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    from studio.jobs.state import JobState

    for one in state or []:
        show.check_choice("--state", one, JobState)
    options: dict[str, Any] = {"states": state} if state else {}
    answer = context.obj.ask("jobs", limit=limit, newest=True, **options)
    if json:
        print(show.as_json(answer))
        return
    if not answer["jobs"]:
        print("No job is in this state." if state else "There are no jobs.")
        return
    print(show.table([_row(job) for job in answer["jobs"]], ("JOB", "STATE", "OPERATION", "CREATED", "WHAT")))
    if answer["total"] > len(answer["jobs"]):
        print(f"{len(answer['jobs'])} of {answer['total']}; --limit shows more.")


def cancel(context: typer.Context, job: Job) -> None:
    """Cancel a job; what it has made so far is kept."""
    _tell(context.obj, "cancel", job)


def pause(context: typer.Context, job: Job) -> None:
    """Pause a job at its next step."""
    _tell(context.obj, "pause", job)


def resume(context: typer.Context, job: Job) -> None:
    """Let a paused job go on."""
    _tell(context.obj, "resume", job)


def retry(context: typer.Context, job: Job) -> None:
    """Run a failed or cancelled job again."""
    _tell(context.obj, "retry", job)


def _row(job: dict[str, Any]) -> tuple[str, ...]:
    what = job.get("title") or str(job["params"].get("prompt") or "")
    if job.get("error"):
        what = f"{what} ({job['error'].get('title', '')})".strip()
    elif progress := (job.get("live") or {}).get("progress"):
        what = f"{what} [{show.progress_text(progress)}]".strip()
    created = show.when(job.get("created") or 0)
    return (job["id"][:SHORT], job["state"], job["operation"], created, show.printable(show.excerpt(what)))


def _tell(studio: "Studio", method: str, beginning: str) -> None:
    async def request() -> str:
        async with studio.engine() as client:
            job = await _find(client, beginning)
            await client.call(method, job=job)
            return (await client.call("job", job=job))["state"]

    print(f"{beginning}: {asyncio.run(request())}")


async def _find(client: "EngineClient", beginning: str) -> str:
    """The id of the one job whose id begins so. Raises StudioError when there is none or more than one."""
    if len(beginning) >= 32:
        return beginning
    offset, found = 0, []
    while True:
        answer = await client.call("jobs", offset=offset, limit=1000, newest=True)
        found += [job["id"] for job in answer["jobs"] if job["id"].startswith(beginning)]
        offset += len(answer["jobs"])
        if not answer["jobs"] or offset >= answer["total"]:
            break
    if len(found) == 1 and beginning:
        return found[0]
    detail = f"{len(found)} jobs begin with {beginning!r}." if found else f"No job begins with {beginning!r}."
    raise StudioError("Which job?", detail, "`studio jobs` lists them.", code="unknown-job")
