"""What a source file defines: names, where they stand, and the lines that say how they are used.

Owns Symbol, `symbols` and `outline`. Python is read by its own parser; where a file does not parse, and for other
languages, lines are recognised by how definitions look. Pure; never runs the code.
"""

import ast
import re
import warnings
from dataclasses import dataclass

MOST = 400
LONGEST = 200
# How definitions begin in languages of the C, JavaScript, Rust, Go and shell kinds.
DEFINITION = re.compile(
    r"^(?P<indent>[ \t]*)(?:(?:export|default|public|private|protected|static|async|abstract|final|pub(?:\(\w+\))?|"
    r"inline|unsafe|extern)\s+)*(?:(?P<kind>def|class|function|func|fn|struct|enum|trait|interface|impl|type|module|"
    r"namespace)\s+(?:\([^)]*\)\s*)?(?P<name>[A-Za-z_$][\w$]*))"
)


@dataclass(frozen=True, slots=True)
class Symbol:
    """line: from 0. signature: the definition on one line, without its body. depth: 0 at the margin."""

    kind: str
    name: str
    line: int
    signature: str
    depth: int = 0


def symbols(text: str, path: str = "") -> list[Symbol]:
    """Those of a file, from the top down, at most MOST."""
    if path.endswith((".py", ".pyi")) or not path:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what the file's author was warned of is not ours to say
                tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return _by_look(text)
        return _of_tree(tree.body, 0)[:MOST]
    return _by_look(text)


def outline(text: str, path: str = "") -> str:
    """A file told by its definitions alone: what another file must know to use it."""
    return "\n".join("    " * found.depth + found.signature for found in symbols(text, path))


def _of_tree(body: list[ast.stmt], depth: int) -> list[Symbol]:
    found: list[Symbol] = []
    for node in body:
        if isinstance(node, ast.ClassDef):
            bases = ", ".join(ast.unparse(base) for base in node.bases)
            head = f"class {node.name}({bases}):" if bases else f"class {node.name}:"
            found.append(Symbol("class", node.name, node.lineno - 1, head[:LONGEST], depth))
            found += _of_tree(node.body, depth + 1)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.append(Symbol("def", node.name, node.lineno - 1, _signature(node), depth))
        elif isinstance(node, ast.Assign | ast.AnnAssign) and depth == 0:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name) and (target.id.isupper() or isinstance(node, ast.AnnAssign)):
                    line = ast.unparse(node).splitlines()[0]
                    found.append(Symbol("name", target.id, node.lineno - 1, line[:LONGEST], depth))
    return found


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    word = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    gives = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{word} {node.name}({ast.unparse(node.args)}){gives}: ..."[:LONGEST]


def _by_look(text: str) -> list[Symbol]:
    found: list[Symbol] = []
    for number, line in enumerate(text.split("\n")):
        if len(line) <= LONGEST and (hit := DEFINITION.match(line)):
            depth = len(hit["indent"].replace("\t", "    ")) // 4
            found.append(Symbol(hit["kind"], hit["name"], number, line.strip().rstrip("{ "), depth))
            if len(found) == MOST:
                break
    return found
