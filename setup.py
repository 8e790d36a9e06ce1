"""Builds the Cython modules of `gw/_fast`; everything else stands in pyproject.toml."""

from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

FAST = Path("gw/_fast")
C_FLAGS = ["-O3", "-std=c11", "-Wall", "-Wsign-compare"]
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

setup(ext_modules=cythonize(extensions, compiler_directives=DIRECTIVES))
