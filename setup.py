"""Builds the Cython modules of `gw/_fast`, and with GW_COMPILE=1 (as the Makefile does) also the plain Python modules of the
hot path that `gw/_fast/glue.txt` names, as they stand. Their source stays plain Python and runs uncompiled just as well;
compiled, a call's own work takes two thirds of the time. Everything else stands in pyproject.toml.
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

FAST = Path("gw/_fast")
C_FLAGS = ["-O3", "-fno-plt", "-std=c11", "-Wall", "-Wsign-compare"]
GLUE_FLAGS = ["-O2", "-fno-plt", "-w"]  # -Os was tried: 7 % more instructions, and 10 % more lines of code
DIRECTIVES = {
    "language_level": "3",
    "boundscheck": False,
    "wraparound": False,
    "initializedcheck": False,
    "freethreading_compatible": False,
}

headers = [str(header) for header in sorted(FAST.glob("*.h"))]
extensions = [
    Extension(f"gw._fast.{source.stem}", [str(source)], extra_compile_args=C_FLAGS, depends=headers)
    for source in sorted(FAST.glob("*.pyx"))
]

if os.environ.get("GW_COMPILE") == "1":
    glue = Path("gw/_fast/glue.txt").read_text().split()
    extensions += cythonize(
        [Extension(source.removesuffix(".py").replace("/", "."), [source], extra_compile_args=GLUE_FLAGS) for source in glue],
        compiler_directives={"language_level": "3", "annotation_typing": True, "nonecheck": True},
        build_dir="build/glue",
    )

setup(ext_modules=cythonize(extensions, compiler_directives=DIRECTIVES))
