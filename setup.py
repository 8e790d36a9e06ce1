"""Builds the Cython modules of `gw/_fast`, and with GW_COMPILE=1 (as the Makefile does) also the plain Python modules of the
hot path that `gw/_fast/glue.txt` names, as they stand. Their source stays plain Python and runs uncompiled just as well;
compiled, a call's own work takes two thirds of the time. Everything else stands in pyproject.toml.

What `tools/profile` has learned of calls, if it ran, is used: the compiler then lays the code that calls go through together, and
the rest elsewhere. `GW_PROFILE=learn` is how it builds what it learns from.
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

FAST = Path("gw/_fast")
C_FLAGS = ["-O3", "-g1", "-fno-plt", "-std=c11", "-Wall", "-Wsign-compare"]
GLUE_FLAGS = ["-O2", "-g1", "-fno-plt", "-w"]  # -Os was tried: 7 % more instructions, and 10 % more lines of code
DIRECTIVES = {
    "language_level": "3",
    "boundscheck": False,
    "wraparound": False,
    "initializedcheck": False,
    "freethreading_compatible": False,
}
PROFILE = Path.cwd() / "build" / "profile"
# What no call went through is compiled as without a profile, and what has changed since has none: both are fine.
LENIENT = ["-fprofile-partial-training", "-Wno-missing-profile", "-Wno-coverage-mismatch"]
if os.environ.get("GW_PROFILE") == "learn":
    PROFILED, LINKED = [f"-fprofile-generate={PROFILE}", "-fprofile-update=single", "-g0", *LENIENT], ["-fprofile-generate"]
else:
    PROFILED, LINKED = [f"-fprofile-use={PROFILE}", *LENIENT] if PROFILE.is_dir() else [], []


def extension(name: str, source: str, flags: list[str], depends: list[str]) -> Extension:
    return Extension(name, [source], extra_compile_args=[*flags, *PROFILED], extra_link_args=LINKED, depends=depends)


headers = [str(header) for header in sorted(FAST.glob("*.h"))]
extensions = [extension(f"gw._fast.{source.stem}", str(source), C_FLAGS, headers) for source in sorted(FAST.glob("*.pyx"))]

if os.environ.get("GW_COMPILE") == "1":
    glue = Path("gw/_fast/glue.txt").read_text().split()
    extensions += cythonize(
        [extension(source.removesuffix(".py").replace("/", "."), source, GLUE_FLAGS, []) for source in glue],
        compiler_directives={"language_level": "3", "annotation_typing": True, "nonecheck": True},
        build_dir="build/glue",
    )

setup(ext_modules=cythonize(extensions, compiler_directives=DIRECTIVES))
