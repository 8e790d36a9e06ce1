#!/usr/bin/env python3
"""Fetches the libraries of the dashboard from npm, at the versions named here, into gw/dashboard/vendor.

They are the packages' own files. Two things are changed, by this script alone: bare import names become paths beside them (a
browser resolves no bare names without an inline import map, which the page's content security policy forbids), and uPlot, which
comes as a script, gets a line that exports it. `vendor.json` says where each file came from, and its digest as it stands here.
"""

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent / "gw" / "dashboard" / "vendor"
# package, version, file in it -> file here, what is appended
FILES = (
    ("preact", "10.29.8", "dist/preact.module.js", "preact.js", ""),
    ("preact", "10.29.8", "hooks/dist/hooks.module.js", "hooks.js", ""),
    ("@preact/signals-core", "1.14.5", "dist/signals-core.module.js", "signals-core.js", ""),
    ("@preact/signals", "2.11.4", "dist/signals.module.js", "signals.js", ""),
    ("htm", "3.1.1", "dist/htm.module.js", "htm.js", ""),
    ("uplot", "1.6.32", "dist/uPlot.iife.min.js", "uplot.js", "export default uPlot;\n"),
    ("uplot", "1.6.32", "dist/uPlot.min.css", "uplot.css", ""),
)
LICENCES = {"preact": "MIT", "@preact/signals-core": "MIT", "@preact/signals": "MIT", "htm": "Apache-2.0", "uplot": "MIT"}
NAMES = {'"preact/hooks"': '"./hooks.js"', '"preact"': '"./preact.js"', '"@preact/signals-core"': '"./signals-core.js"'}


def fetched(package: str, version: str, folder: Path) -> Path:
    """The package, unpacked."""
    target = folder / package.replace("/", "-")
    if not target.exists():
        command = ["npm", "pack", "--silent", f"{package}@{version}"]
        name = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()
        with tarfile.open(folder / name) as archive:
            archive.extractall(target, filter="data")
    return target / "package"


def main() -> int:
    HERE.mkdir(parents=True, exist_ok=True)
    listed = []
    with tempfile.TemporaryDirectory() as scratch:
        for package, version, inside, name, end in FILES:
            folder = fetched(package, version, Path(scratch))
            text = (folder / inside).read_text("utf-8")
            text = "\n".join(line for line in text.splitlines() if not line.startswith("//# sourceMappingURL=")) + "\n"
            for bare, path in NAMES.items():
                text = text.replace(f"from{bare}", f"from{path}").replace(f"import{bare}", f"import{path}")
            (HERE / name).write_text(text + end, "utf-8")
            licence = next(iter(sorted(folder.glob("LICEN[CS]E*"))))
            (HERE / f"LICENSE.{package.split('/')[-1]}").write_text(licence.read_text("utf-8"), "utf-8")
            digest = hashlib.sha256((HERE / name).read_bytes()).hexdigest()
            about = {"file": name, "package": package, "version": version, "from": inside, "licence": LICENCES[package]}
            listed.append({**about, "sha256": digest})
    (HERE / "vendor.json").write_text(json.dumps(listed, indent=2) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
