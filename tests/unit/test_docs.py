"""The documentation: the example plugin in plugins.md works as printed, links lead somewhere, commands exist."""

import re
from pathlib import Path
from typing import Any

import pytest

from studio.cli import flags, main
from studio.errors import StudioError
from studio.host.discover import discover
from studio.host.loader import load_from, load_params

pytestmark = pytest.mark.unit
ROOT = Path(__file__).resolve().parents[2]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


class Context:
    """As much of a JobContext as the example uses."""

    def __init__(self) -> None:
        self.streamed, self.saved, self.steps, self.facts = "", [], [], {}

    def stream(self, text: str) -> None:
        self.streamed += text

    def step(self, done: int, total: int | None = None, **_: Any) -> None:
        self.steps.append((done, total))

    def note(self, **facts: Any) -> None:
        self.facts |= facts

    def save_text(self, text: str) -> None:
        self.saved.append(text)


@pytest.fixture
def letters(tmp_path):
    """The plugin that plugins.md prints, file for file."""
    page = (ROOT / "docs" / "plugins.md").read_text()
    files = re.findall(r"^`([\w.]+)`.*?```\w+\n(.*?)```", page, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in files] == ["plugin.toml", "params.py", "backend.py"]
    folder = tmp_path / "letters"
    folder.mkdir()
    for name, text in files:
        (folder / name).write_text(text)
    found = discover([tmp_path], installed=False)
    assert [str(plugin.problem) for plugin in found.all if plugin.problem] == []
    return found


def test_the_example_plugin_does_what_its_page_says(letters):
    operation = letters.operation("letters.count")
    params = load_params(operation)
    page = (ROOT / "docs" / "plugins.md").read_text()
    assert 'studio run letters.count --text "Hello, hello" --top 2' in page and "prints `l 4` and `h 2`" in page
    typed = flags.load(params, flags.parse(params, ["--text", "Hello, hello", "--top", "2"]))
    context = Context()
    backend = load_from(operation.plugin, operation.entry.backend)()
    backend.run(typed, context)
    assert context.saved == [context.streamed] == ["l 4\nh 2\n"]
    assert context.steps == [(1, 2), (2, 2)]
    assert context.facts == {"letters": 10}
    with pytest.raises(StudioError, match="nothing to count"):
        backend.run(params(text="1 2 3"), context)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_commands_in_the_pages_exist():
    known = {command.name or getattr(command.callback, "__name__", "") for command in main.app.registered_commands}
    known |= {group.name for group in main.app.registered_groups}
    named = set()
    for page in PAGES:
        named |= set(re.findall(r"(?:`|^|\$ )(?:studio|\./run) ([a-z]+)\b", page.read_text(), re.MULTILINE))
    assert "run" in named
    assert named <= known
