"""What a project tells about itself: its files, their definitions, and what a model is told in which order."""

import pytest

from plugins.code.project import Edited, Project, around, read_text
from plugins.code.symbols import outline, symbols
from studio.errors import StudioError

pytestmark = pytest.mark.unit

SHAPES = '''"""Shapes."""
import math
LIMIT = 3
name = "x"
class Circle(Shape):
    """A circle."""
    radius: float = 1.0
    def area(self, scale: float = 1.0, *rest, **more) -> float:
        def inner(): pass
        return math.pi
async def load(path): ...
'''


def test_python_is_told_by_its_definitions():
    assert outline(SHAPES, "shapes.py") == (
        "LIMIT = 3\nclass Circle(Shape):\n"
        "    def area(self, scale: float=1.0, *rest, **more) -> float: ...\nasync def load(path): ..."
    )
    assert [(s.kind, s.name, s.line) for s in symbols(SHAPES, "shapes.py")] == [
        ("name", "LIMIT", 2), ("class", "Circle", 4), ("def", "area", 7), ("def", "load", 10),
    ]  # fmt: skip


def test_other_languages_and_files_that_do_not_parse_are_told_by_how_definitions_look():
    rust = "pub struct Point { x: i32 }\nimpl Point {\n    pub fn new(x: i32) -> Self { Self { x } }\n}\n"
    assert [s.name for s in symbols(rust, "a.rs")] == ["Point", "Point", "new"]
    broken = SHAPES.replace("LIMIT = 3", "LIMIT = (")
    assert [s.name for s in symbols(broken, "shapes.py")] == ["Circle", "area", "inner", "load"]
    assert symbols("x = " + "(" * 5000, "deep.py") == [] and symbols("a\0b", "nul.py") == []


@pytest.fixture
def project(tmp_path):
    for path, text in {
        "main.py": "import shapes\nfrom pack.tool import run\n",
        "shapes.py": SHAPES,
        "beside.py": "def beside(): ...\n",
        "pack/tool.py": "def run(): ...\n",
        "pack/other.py": "def other(): ...\n",
        ".git/hook.py": "",
        "node_modules/x.js": "",
        "picture.png": "",
    }.items():
        place = tmp_path / path
        place.parent.mkdir(exist_ok=True)
        place.write_text(text)
    return Project(tmp_path)


def test_files_are_sources_and_stay_inside(project, tmp_path_factory):
    outside = tmp_path_factory.mktemp("out") / "secret.py"
    outside.write_text("x")
    (project.root / "link.py").symlink_to(outside)
    assert project.files() == ["beside.py", "main.py", "pack/other.py", "pack/tool.py", "shapes.py"]
    for path in ("../x.py", "link.py", "/etc/passwd"):
        with pytest.raises(StudioError, match="not in this project"):
            project.read(path)


def test_a_model_is_told_what_changes_least_first(project):
    edited = [Edited("pack/other.py", "old"), Edited("main.py", "own"), Edited("pack/tool.py", "new")]
    told = project.context("main.py", project.read("main.py"), edited, 10_000)
    assert [path for path, _ in told] == ["beside.py", "pack/tool.py", "shapes.py", "pack/other.py", "pack/tool.py"]
    assert told[-2:] == [("pack/other.py", "old"), ("pack/tool.py", "new")]
    more = project.context("main.py", project.read("main.py"), [*edited, Edited("shapes.py", "newer")], 10_000)
    assert more[: len(told)] == told


def test_short_of_room_what_was_edited_last_and_is_imported_comes_first(project):
    told = project.context("main.py", project.read("main.py"), [Edited("a.py", "x" * 90), Edited("b.py", "y" * 50)], 90)
    assert told == [("pack/tool.py", "def run(): ..."), ("b.py", "y" * 50)]


def test_a_changed_file_is_told_as_it_is_now(project):
    assert "beside" in project.outline("beside.py")
    (project.root / "beside.py").write_text("def changed(): ...\n")
    assert project.outline("beside.py") == "def changed(): ..."
    (project.root / "beside.py").unlink()
    assert project.outline("beside.py") == ""


@pytest.mark.parametrize(
    ("data", "word"), [(b"a\0b", "NUL"), (b"\xff\xfe", "position 0"), (b"x" * (3 << 20), "3.0 MiB"), (None, "No such")]
)
def test_what_is_no_source_is_said(tmp_path, data, word):
    place = tmp_path / "x.py"
    if data is not None:
        place.write_bytes(data)
    with pytest.raises(StudioError) as caught:
        read_text(place)
    assert word in caught.value.detail


def test_the_part_around_a_line_is_whole_lines_of_the_file():
    text = "\n".join(map(str, range(100)))
    assert around(text, 50, 4) == "48\n49\n50\n51"
    assert around(text, 0, 3) == "0\n1\n2" and around(text, 99, 2) == "98\n99" and around("a", 0) == "a"
