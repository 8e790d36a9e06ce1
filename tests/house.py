"""Reads the source tree as the house rules need it: which module imports which, where functions end, what text says."""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Built or fetched, never tracked; the same as in .gitignore.
UNTRACKED = {".git", ".venv", ".gw", "build", "__pycache__", ".hypothesis", ".mypy_cache", ".ruff_cache"}
UNTRACKED |= {".benchmarks", ".demo", ".cache", ".schemathesis", "node_modules", "gw.egg-info"}
PYX_FUNCTION = re.compile(r"^(\s*)(?:cpdef|cdef|def)\b(?!\s+(?:class|extern|enum|struct|packed)\b).*\(")
C_FUNCTION = re.compile(r"^\w[\w\s*]*?(\w+)\(")


@dataclass(frozen=True)
class Import:
    """One import statement's one target; for `from gw import clock` the module is `gw.clock`."""

    path: str  # of the importing file, from the root
    line: int
    module: str  # dotted

    @property
    def where(self) -> str:
        return f"{self.path}:{self.line}"

    @property
    def top(self) -> str:
        return self.module.split(".")[0]


@dataclass(frozen=True)
class Function:
    path: str
    line: int
    name: str  # dotted within the module
    lines: int


@cache
def files(folder: str = ".", *suffixes: str) -> tuple[str, ...]:
    """Paths from the root of what is, or is about to be, tracked; all files, or those with these suffixes."""
    found = []
    for path in sorted((ROOT / folder).rglob("*")):
        inside = path.relative_to(ROOT)
        wanted = not suffixes or path.suffix in suffixes
        if wanted and path.is_file() and not UNTRACKED.intersection(inside.parts) and not built(inside):
            found.append(inside.as_posix())
    return tuple(found)


def built(path: Path) -> bool:
    return path.suffix in {".so", ".pyc"} or (path.suffix == ".c" and path.parent.name == "_fast")


@cache
def text(path: str) -> str:
    """The text of a file; empty for one that is not UTF-8 text."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


@cache
def tree(path: str) -> ast.Module:
    return ast.parse(text(path), path)


@cache
def module_file(module: str) -> str | None:
    """The file of a dotted module of gw, or None if there is none by that name."""
    stem = module.replace(".", "/")
    for candidate in (f"{stem}.py", f"{stem}/__init__.py", f"{stem}.pyx"):
        if (ROOT / candidate).is_file():
            return candidate
    return None


@cache
def imports(path: str, *, at_load: bool = False, run: bool = False) -> tuple[Import, ...]:
    """Every import in a file, the deferred ones too; `run`: only those that are ever run, not what a type checker alone
    reads; `at_load`: only those that run when the module is loaded."""
    nodes = executed(tree(path), deferred=not at_load) if at_load or run else ast.walk(tree(path))
    found = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [Import(path, node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = list(Path(path).parent.parts)
                base = ".".join(package[: len(package) - node.level + 1] + ([base] if base else []))
            for alias in node.names:
                deeper = f"{base}.{alias.name}"
                found.append(Import(path, node.lineno, deeper if module_file(deeper) else base))
    return tuple(found)


def executed(node: ast.AST, *, deferred: bool) -> Iterator[ast.AST]:
    """The nodes below that can run: not what only the type checker reads; without `deferred`, no bodies of functions."""
    for child in ast.iter_child_nodes(node):
        if not deferred and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from executed(child, deferred=deferred)


def reach(module: str) -> dict[str, list[str]]:
    """Every module that loading `module` loads, as far as our own source says -> the chain that leads to it."""
    chains = {module: [module]}
    waiting = [module]
    while waiting:
        here = waiting.pop(0)
        path = module_file(here)
        if path is None or path.endswith(".pyx"):
            continue
        for found in imports(path, at_load=True):
            if found.module not in chains:
                chains[found.module] = [*chains[here], found.module]
                waiting.append(found.module)
    return chains


def third_party(found: Import) -> bool:
    return found.top not in sys.stdlib_module_names and found.top not in {"gw", "tests", "bench"}


def named_functions(path: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    def walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{prefix}{child.name}", child
            deeper = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            yield from walk(child, f"{prefix}{child.name}." if deeper else prefix)

    yield from walk(tree(path), "")


def functions(path: str) -> Iterator[Function]:
    """The functions of a Python, Cython or C file with their length in lines, signature and docstring included."""
    if path.endswith(".py"):
        for name, node in named_functions(path):
            yield Function(path, node.lineno, name, (node.end_lineno or node.lineno) - node.lineno + 1)
    elif path.endswith(".pyx"):
        yield from _indented(path)
    elif path.endswith((".h", ".c")):
        yield from _braced(path)


def _indented(path: str) -> Iterator[Function]:
    lines = text(path).splitlines()
    for start, line in enumerate(lines):
        match = PYX_FUNCTION.match(line)
        if match is None:
            continue
        depth, end = len(match[1]), start
        for index in range(start + 1, len(lines)):
            body = lines[index]
            if body.strip() and len(body) - len(body.lstrip()) <= depth and not body.strip().startswith(")"):
                break
            if body.strip():
                end = index
        yield Function(path, start + 1, line.split("(")[0].split()[-1], end - start + 1)


def _braced(path: str) -> Iterator[Function]:
    name, start = "", 0
    for number, line in enumerate(text(path).splitlines(), 1):
        if match := C_FUNCTION.match(line):
            name, start = match[1], number
        elif line.startswith("}") and name:
            yield Function(path, start, name, number - start + 1)
            name = ""


def float_literals(path: str) -> Iterator[tuple[int, str]]:
    """(line, token) of every floating-point number written in a Python or Cython file."""
    for token in tokenize.generate_tokens(io.StringIO(text(path)).readline):
        digits = token.string.lower()
        if token.type == tokenize.NUMBER and not digits.startswith(("0x", "0b", "0o")) and set(digits) & set(".ej"):
            yield token.start[0], token.string


def names_defined(path: str) -> set[str]:
    """Public names a module or stub offers at its top level, those it only passes on included."""
    names: set[str] = set()
    for node in tree(path).body:
        if isinstance(node, ast.ImportFrom) and path.endswith(".py"):
            names |= {alias.asname or alias.name for alias in node.names}
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.Assign):
            names |= {name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return {name for name in names if not name.startswith("_")}
