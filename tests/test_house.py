"""The rules of the house, each as a table and a test that names every breach. Change a table only with its reason."""

import ast
import re
import tomllib
from fnmatch import fnmatch

import pytest

from tests import house
from tests.house import Import

# --- who may import whom ---------------------------------------------------------------------------------------------
# Room -> the other rooms of gw it may use. Everything may use gw.errors, gw.clock and the version. What stands directly in gw/
# (the conductor, the processes, the command line) may use every room; no room may use it.
ROOMS: dict[str, set[str]] = {
    "_fast": set(),
    "domain": set(),
    "wire": {"_fast", "domain"},
    "providers": {"wire", "domain"},
    "translate": {"_fast", "wire", "domain", "providers"},
    "credentials": {"domain"},  # of clouds: where they come from, and what is signed with them
    "admit": {"_fast", "domain"},
    "routing": {"domain"},
    "upstream": {"_fast", "domain"},
    "ledger": {"_fast", "domain"},
    "pricing": {"_fast", "domain"},
    "config": {"domain", "providers"},  # what a provider needs to be told
    "ops": {"_fast", "domain"},
    "demo": {"domain"},  # the fake upstream must share nothing with what it is to check
    "loadgen": set(),  # it must not share what it measures
    "live": {"ledger", "domain"},
    "audit": {"ledger", "domain"},
    "siem": {"ledger", "config", "domain"},
    "alerts": {"ledger", "config", "domain"},
    "export": {"ledger", "config", "domain"},
    "chargeback": {"ledger", "domain"},
    "content": {"ledger", "config", "domain"},
    "telemetry": {"ledger", "wire", "config", "domain"},
    "control": {
        "content", "ledger", "config", "domain", "pricing", "ops",
        "admit", "alerts", "audit", "live", "chargeback", "export",
    },
}
FOR_ALL = {"gw", "gw.errors", "gw.clock"}

# Third-party library -> where it may be imported. A library that is not here has no business in gw.
HOMES: dict[str, tuple[str, ...]] = {
    "msgspec": ("gw/*",),  # the nouns are its Structs
    "orjson": ("gw/*",),  # JSON of gw's own answers
    "Cython": ("gw/_fast/*",),
    "typing_extensions": ("gw/_fast/*",),  # read by type checkers only: Buffer has no older home before 3.12
    "httptools": ("gw/upstream/*", "gw/demo/*", "gw/loadgen/*"),
    "aiosqlite": ("gw/ledger/*",),
    "psycopg": ("gw/ledger/postgres*.py",),  # an extra: nobody else loads these two files before an address asks for them
    "prometheus_client": ("gw/ops/*",),
    "watchfiles": ("gw/config/*", "gw/keeper*.py"),
    "granian": ("gw/serve*.py", "gw/app.py"),
    "uvloop": ("gw/serve*.py", "gw/keeper*.py", "gw/demo/*", "gw/loadgen/*"),
    "starlette": ("gw/control/*",),
    "cryptography": ("gw/content/vault.py", "gw/audit/sign.py"),  # an extra, as the next: loaded where content is kept or read
    "zstandard": ("gw/content/vault.py", "gw/export/encode.py"),
    "pyarrow": ("gw/export/encode.py",),  # an extra, as the next: loaded where something is exported
    "obstore": ("gw/export/target.py",),
    "httpx": ("gw/telemetry/post.py", "gw/alerts/deliver.py", "gw/siem/sink.py"),  # the courier's, to the outside
    "opentelemetry": ("gw/telemetry/*",),  # an extra, as the next: loaded where OTLP is spoken
    "google": ("gw/telemetry/protobuf.py", "gw/credentials/google.py"),
    "botocore": ("gw/credentials/aws.py",),  # an extra, as the next two: loaded where an upstream wants such a credential
    "requests": ("gw/credentials/google.py",),
    "azure": ("gw/credentials/azure.py",),
    "click": ("gw/cli*.py", "gw/cli/*"),
    "rich": ("gw/cli*.py", "gw/cli/*"),
}
# Distribution -> its modules, where they are not called as it is.
MODULES: dict[str, set[str]] = {
    "opentelemetry_proto": {"opentelemetry", "google"},  # google.protobuf makes its messages
    "azure_identity": {"azure"},
    "google_auth": {"google"},
}
# Standard modules with one home, for the same reason.
STANDARD_HOMES: dict[str, tuple[str, ...]] = {
    "time": ("gw/clock.py",),
    "sqlite3": ("gw/ledger/*",),
    "mmap": ("gw/ops/state*.py", "gw/admit/*", "gw/ledger/write_buffer.py"),
}
# Rooms of nouns and decisions: bytes and values in, values out.
PURE_ROOMS = ("domain", "providers", "translate", "routing", "_fast")
IMPURE = {"asyncio", "selectors", "socket", "ssl", "http", "urllib.request", "sqlite3"}
IMPURE |= {"subprocess", "threading", "multiprocessing"}
# Process -> what loading it must never bring in, however far down.
NEVER_LOADS: dict[str, set[str]] = {
    "gw.app": {"aiosqlite", "psycopg", "sqlite3", "click", "rich", "gw.demo"},  # a worker: no SQL, nothing of the command line
    "gw.control.app": {"starlette", "aiosqlite", "sqlite3"},  # loaded with the worker; the rest of it at the first request
    "gw.keeper": {"granian", "httptools", "click", "rich", "gw.demo", "psycopg"},
    "gw.cli": {"psycopg"},
}

# --- errors -----------------------------------------------------------------------------------------------------------
# (file, function) -> why it may catch everything without raising it again.
CATCH_ALL: dict[tuple[str, str], str] = {
    ("gw/pipeline.py", "handle"): "a bug costs its call, never the worker, and is recorded",
    ("gw/upstream/response.py", "Response.offer"): "a bug of the reader is the reader's, not the connection's",
    ("gw/worker.py", "Worker.settle"): "a bug in pricing must not cost the record",
    ("gw/keeper.py", "*"): "supervises foreign code: the ledger goes on without it",
    ("gw/courier.py", "*"): "supervises foreign code: the other duties go on",
    ("gw/ledger/mover.py", "*"): "supervises foreign code: a failure there must not keep a call out of the ledger",
}

# --- money ------------------------------------------------------------------------------------------------------------
MONEY = ("gw/domain/price.py", "gw/domain/money.py", "gw/pricing/*.py", "gw/prices.py", "gw/settle.py", "gw/_fast/*cells*")

# --- size and text ----------------------------------------------------------------------------------------------------
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
SOURCE = (".py", ".pyx", ".pxd", ".pyi", ".h")
# Written in parts, so that this file does not hold what it looks for.
LEFTOVERS = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX")) + r")\b")
MACHINE_PATHS = re.compile(r"(?<![\w.~-])/(" + "|".join(("work", "root", "tmp" + "/w")) + r")(?![\w.-])")
# Others' words, kept as they came.
FOREIGN = ("LICENSE", "gw/pricing/snapshot/*", "requirements/*.txt")


def report(breaches: list[str]) -> None:
    """Fails with every breach on a line of its own."""
    if breaches:
        pytest.fail(f"{len(breaches)} breaches:\n  " + "\n  ".join(breaches), pytrace=False)


def room_of(path: str) -> str | None:
    """`gw/wire/sse.py` -> `wire`; None for what stands directly in gw/."""
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else None


def gw_imports() -> list[Import]:
    return [found for path in house.files("gw", ".py", ".pyi") for found in house.imports(path)]


def allowed(found: Import) -> bool:
    room = room_of(found.path)
    if room is None or found.module in FOR_ALL:
        return True
    return found.module.split(".")[1] in ROOMS[room] | {room}


def at_home(path: str, homes: tuple[str, ...]) -> bool:
    return any(fnmatch(path, home) for home in homes)


def test_every_room_is_in_the_table() -> None:
    rooms = {room_of(path) for path in house.files("gw", ".py")} - {None}
    report([f"gw/{room}/ has no entry in ROOMS" for room in sorted(str(room) for room in rooms) if room not in ROOMS])


def test_rooms_import_only_what_the_table_allows() -> None:
    breaches = []
    for found in gw_imports():
        room = room_of(found.path)
        if found.top == "gw" and room in ROOMS and not allowed(found):
            may = ", ".join(sorted(ROOMS[room])) or "no other room"
            breaches.append(f"{found.where}: {room} imports {found.module}; it may use {may}, and {', '.join(sorted(FOR_ALL))}")
    report(breaches)


def test_gw_never_imports_its_tests_or_benches() -> None:
    report([f"{found.where}: imports {found.module}" for found in gw_imports() if found.top in {"tests", "bench"}])


def test_each_third_party_library_has_one_home() -> None:
    breaches = []
    for found in filter(house.third_party, gw_imports()):
        homes = HOMES.get(found.top, ())
        if not at_home(found.path, homes):
            breaches.append(f"{found.where}: {found.top} lives in {', '.join(homes) or 'no file of gw'}")
    report(breaches)


def test_what_runs_is_a_declared_dependency() -> None:
    """A library that another one happens to bring is gone when that one changes, or under a newer Python."""
    project = tomllib.loads(house.text("pyproject.toml"))
    extras = [line for lines in project["project"]["optional-dependencies"].values() for line in lines]
    lines = [*project["project"]["dependencies"], *extras]
    declared = {re.split(r"[^\w-]", line)[0].replace("-", "_") for line in lines}
    declared |= {module for name in declared for module in MODULES.get(name, ())}
    run = [found for path in house.files("gw", ".py") for found in house.imports(path, run=True)]
    foreign = [found for found in run if house.third_party(found) and found.top not in declared]
    report([f"{found.where}: {found.top} is not in [project] dependencies" for found in foreign])


def test_standard_modules_with_one_home_stay_there() -> None:
    report(
        [
            f"{found.where}: {found.top} lives in {', '.join(STANDARD_HOMES[found.top])}"
            for found in gw_imports()
            if found.top in STANDARD_HOMES and not at_home(found.path, STANDARD_HOMES[found.top])
        ]
    )


def test_only_the_clock_asks_for_the_time() -> None:
    asks = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today")}
    breaches = []
    for path in house.files("gw", ".py"):
        for node in ast.walk(house.tree(path)):
            if isinstance(node, ast.Attribute) and (ast.unparse(node.value).split(".")[-1], node.attr) in asks:
                breaches.append(f"{path}:{node.lineno}: {ast.unparse(node)}; use gw.clock")
    report(breaches)


def test_pure_rooms_do_no_io() -> None:
    report(
        [
            f"{found.where}: {room_of(found.path)} is pure and imports {found.module}"
            for found in gw_imports()
            if room_of(found.path) in PURE_ROOMS and (found.top in IMPURE or found.module in IMPURE)
        ]
    )


@pytest.mark.parametrize("process", NEVER_LOADS)
def test_a_process_loads_only_what_it_needs(process: str) -> None:
    assert house.module_file(process), f"{process} is gone: mend NEVER_LOADS"
    report(
        [
            " -> ".join(chain)
            for module, chain in house.reach(process).items()
            if any(module == never or module.startswith(f"{never}.") for never in NEVER_LOADS[process])
        ]
    )


def catches_all(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"} for kind in kinds)


def raises_again(handler: ast.ExceptHandler) -> bool:
    """It ends by raising what it caught: nothing is swallowed."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and (last.exc is None or last.cause is not None)


def test_catching_everything_is_allowed_only_by_name() -> None:
    breaches, used = [], set()
    for path in house.files("gw", ".py"):
        inside = {handler: name for name, node in house.named_functions(path) for handler in ast.walk(node)}
        for handler in ast.walk(house.tree(path)):
            if not isinstance(handler, ast.ExceptHandler) or not catches_all(handler) or raises_again(handler):
                continue
            name = inside.get(handler, "<module>")
            entries = {(path, name), (path, "*")} & CATCH_ALL.keys()
            used |= entries
            if not entries:
                breaches.append(f"{path}:{handler.lineno}: {name} catches everything and is not in CATCH_ALL")
    breaches += [f"CATCH_ALL names {path} {name}, which no longer catches everything" for path, name in CATCH_ALL.keys() - used]
    report(breaches)


def money_files() -> list[str]:
    return [path for path in house.files("gw", ".py", ".pyx") if at_home(path, MONEY)]


def test_no_float_handles_money() -> None:
    breaches = [f"{path}:{line}: the float {token}" for path in money_files() for line, token in house.float_literals(path)]
    for path in money_files():
        if path.endswith(".py"):
            for node in ast.walk(house.tree(path)):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float":
                    breaches.append(f"{path}:{node.lineno}: {ast.unparse(node)}")
    report(breaches)


def test_files_are_short() -> None:
    breaches = []
    for folder in ("gw", "tests", "bench", "tools"):
        for path in house.files(folder, *SOURCE):
            lines = len(house.text(path).splitlines())
            if lines > FILE_LINES_MAX:
                breaches.append(f"{path}: {lines} lines, at most {FILE_LINES_MAX}")
    report(breaches)


def test_functions_are_short() -> None:
    breaches = []
    for folder in ("gw", "tests", "bench", "tools"):
        for path in house.files(folder, ".py", ".pyx", ".h"):
            for function in house.functions(path):
                if function.lines > FUNCTION_LINES_MAX:
                    where = f"{path}:{function.line}: {function.name}"
                    breaches.append(f"{where} has {function.lines} lines, at most {FUNCTION_LINES_MAX}")
    report(breaches)


@pytest.mark.parametrize(("what", "pattern"), [("a leftover", LEFTOVERS), ("a path of one machine", MACHINE_PATHS)])
def test_no_tracked_text_holds(what: str, pattern: re.Pattern[str]) -> None:
    breaches = []
    for path in house.files():
        if at_home(path, FOREIGN):
            continue
        for number, line in enumerate(house.text(path).splitlines(), 1):
            if match := pattern.search(line):
                breaches.append(f"{path}:{number}: {what}: {match[0]}")
    report(breaches)


def test_every_compiled_module_has_a_stub_and_a_pure_twin() -> None:
    breaches = []
    for path in house.files("gw/_fast", ".pyx"):
        stub, twin = path.replace(".pyx", ".pyi"), path.replace("_fast/", "_fast/ref/").replace(".pyx", ".py")
        missing = [wanted for wanted in (stub, twin) if wanted not in house.files("gw/_fast")]
        breaches += [f"{path}: {wanted} is missing" for wanted in missing]
        if not missing:
            only = house.names_defined(stub) - house.names_defined(twin)
            breaches += [f"{twin}: {name} stands in the stub but not here" for name in sorted(only)]
    report(breaches)


def test_the_tables_catch_what_they_forbid() -> None:
    """The checks themselves: each must see a breach when there is one."""
    assert not allowed(Import("gw/domain/x.py", 1, "gw.ledger.store"))
    assert not allowed(Import("gw/ledger/x.py", 1, "gw.pipeline"))
    assert allowed(Import("gw/wire/x.py", 1, "gw.clock"))
    assert not at_home("gw/pipeline.py", HOMES["httptools"])
    assert LEFTOVERS.search("# TO" + "DO later") and not LEFTOVERS.search("TodoWrite")
    assert MACHINE_PATHS.search("see /wo" + "rk/gw") and not MACHINE_PATHS.search("a/work, /workdir, https://h/root")
    handler = ast.parse("try:\n    pass\nexcept (ValueError, Exception):\n    pass").body[0]
    assert isinstance(handler, ast.Try) and catches_all(handler.handlers[0]) and not raises_again(handler.handlers[0])
