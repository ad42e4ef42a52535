"""Builds the extensions, evmcore._core and evmcore.store._mdbx, from pyx/: everything else is in pyproject.toml.

EVMCORE_DEBUG=1              assertions, -O0 -g
EVMCORE_SANITIZE=LIST        address,undefined or thread: the sanitizers of gcc and clang
EVMCORE_JOBS=N               compilers at once (default: one a core)

An object is compiled again only when its source, a header that it read or its flags changed: the objects stay in
build/objects, a folder a set of flags. Where only a file's time changed, or a comment, the object stays.
"""

import hashlib
import os
import re
import shlex
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from threading import Lock

from Cython import __version__ as cython_version
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
MODULE = "pyx/_core.pyx"
STORE = "pyx/store/_mdbx.pyx"
INTERPRETER = "pyx/core/vm/interpreter.cpp"
# Compiled with -O2: what a block spends little in, or what -O3 gives nothing (recovering a sender: 1.00, measured).
COLD = (
    "pyx/core/base/",
    "pyx/core/crypto/secp256k1",
    "pyx/core/parallel/access_list",
    "pyx/core/parallel/bound_access_list",
    "pyx/core/state/access_list",
    "pyx/core/state/block_access_list",
    "pyx/core/state/changes",
    "pyx/core/state/observation",
    "pyx/core/state/state_codec",
    "pyx/core/state/witness",
    "pyx/core/vm/trace",
)
STANDARD_HEADERS = "pyx/core/base/standard.hpp"
DEBUG = os.environ.get("EVMCORE_DEBUG", "") not in ("", "0")
SANITIZE = os.environ.get("EVMCORE_SANITIZE", "")

if tuple(map(int, cython_version.split(".")[:2])) >= (3, 3):
    # A module that they make frees the item of a list comprehension twice where its list can't grow.
    sys.exit(f"evmcore is built with Cython 3.1 or 3.2 (cython>=3.1,<3.3), not with {cython_version}")

COMMON_FLAGS = ["-std=c++20", "-fvisibility=hidden", "-pthread"]
if DEBUG:
    COMMON_FLAGS += ["-O0", "-g", "-UNDEBUG"]
elif SANITIZE:
    # At -O3 the checks would take a quarter of an hour to compile.
    COMMON_FLAGS += ["-O1", "-g1", "-DNDEBUG"]
else:
    COMMON_FLAGS += ["-DNDEBUG", "-g0"]
if SANITIZE:
    COMMON_FLAGS += [f"-fsanitize={SANITIZE}", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all"]
CORE_FLAGS = ["-fno-exceptions", "-fno-rtti", "-Wall"]
# The generated module: Cython turns C++ exceptions into Python's, and its helpers are not free of warnings.
MODULE_FLAGS = ["-Wno-unused-function", "-Wno-cpp", "-Wno-sign-compare"]
if not DEBUG and not SANITIZE:
    CORE_FLAGS.append("-O3")
    # Its hot loops are the core's: at -O3 it takes twice as long to compile, and a block as many instructions.
    MODULE_FLAGS.append("-O1")
# gcc merges the indirect jumps of threaded code into one, and the branch predictor then sees one jump for all opcodes;
# and it would pack program counter and stack pointer into one vector register, a detour at every instruction.
GCC_INTERPRETER_FLAGS = ["-fno-gcse", "--param=max-goto-duplication-insns=64", "-fno-tree-slp-vectorize"]
# A tenth of the module's time to compile, for no fewer instructions a block or a call.
GCC_MODULE_FLAGS = ["-fno-tree-pta", "-fno-if-conversion", "-fno-if-conversion2"]
# Cython calls a subclass's method through the type that the base class gave it; clang's check of that is not gcc's.
CLANG_SANITIZED_MODULE_FLAGS = ["-fno-sanitize=function"]
LINK_FLAGS = ["-pthread"] + ([f"-fsanitize={SANITIZE}"] if SANITIZE else [])
if sys.platform == "linux":
    # Addresses of imported functions are resolved when the module is loaded and read-only from then on (full RELRO).
    LINK_FLAGS += ["-Wl,-z,relro,-z,now"]
    if not SANITIZE:
        # Templates of the standard library would be exported in spite of -fvisibility=hidden.
        LINK_FLAGS += ["-Wl,--version-script=pyx/exports.map"]


def is_gcc(compiler: list[str]) -> bool:
    """Whether the C++ compiler is gcc itself: clang answers to __GNUC__ too, but has its own macro."""
    macros = subprocess.run(
        [*compiler, "-dM", "-E", "-x", "c++", os.devnull], capture_output=True, text=True, check=False
    ).stdout
    return "__GNUC__" in macros and "__clang__" not in macros


class Inputs:
    """The files that an object was made from, as the compiler itself wrote them down (-MMD); `names` is None before that."""

    def __init__(self, object_file: Path) -> None:
        rule = object_file.with_suffix(".d")
        self.names: list[str] | None = None
        if object_file.exists() and rule.exists():
            words = rule.read_text().replace("\\\n", " ").split(":", 1)[-1].replace("\\ ", "\0").split()
            self.names = [word.replace("\0", " ") for word in words]

    def are_older(self, moment: int) -> bool:
        """Than this time of the file system, in nanoseconds. What is as old may have changed just after."""
        try:
            return self.names is not None and all(os.stat(name).st_mtime_ns < moment for name in self.names)
        except FileNotFoundError:
            return False

    def text_hash(self, keeps_lines: bool) -> str | None:
        """SHA-256 of their text without comments and, unless lines show in the object, without empty lines. None if one is gone."""
        try:
            hashes = [hash_of_text(name, os.stat(name).st_mtime_ns, keeps_lines) for name in self.names or ()]
        except FileNotFoundError:
            return None
        return hashlib.sha256("".join(hashes).encode()).hexdigest()


# Comments, and what may look as if it held one: strings, characters, and numbers, which may have a ' inside.
COMMENT = re.compile(
    r"""//(?:\\\n|[^\n])*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|(?<!\w)\d[\w.']*|'(?:\\.|[^'\\\n])*'""",
    re.DOTALL,
)


def without_comments(text: str, keeps_lines: bool) -> str:
    if re.search(r'\b(u8|[uUL])?R"', text):
        return text  # a raw string may hold anything

    def without(found: re.Match[str]) -> str:
        if found[0][0] != "/":
            return found[0]
        return " " + "\n" * (found[0].count("\n") if keeps_lines else 0)

    text = re.sub(r"[ \t]+", " ", COMMENT.sub(without, text))
    return text if keeps_lines else re.sub(r"\s*\n\s*", "\n", text)


@cache
def hash_of_text(name: str, changed: int, keeps_lines: bool) -> str:
    """Of the file as it was changed last; many objects have the same headers."""
    text = without_comments(Path(name).read_text("utf-8", "replace"), keeps_lines)
    return hashlib.sha256(f"{name}\0{text}".encode()).hexdigest()


def now_of(place: Path) -> int:
    """The time of the file system there, in nanoseconds: a clock of its own, which may be some milliseconds behind."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()
    return place.stat().st_mtime_ns


def is_fresh(object_file: Path, keeps_lines: bool) -> bool:
    """Whether the object is what its inputs would give: they are older than it, or say the same as when it was made."""
    if not object_file.exists():
        return False
    inputs = Inputs(object_file)
    if inputs.are_older(object_file.stat().st_mtime_ns):
        return True
    hash_file = object_file.with_suffix(".sha256")
    began = now_of(object_file.with_suffix(".began"))
    if not hash_file.exists() or hash_file.read_text() != inputs.text_hash(keeps_lines):
        return False
    os.utime(object_file, ns=(began, began))
    return True


def note_inputs(object_file: Path, began: int, keeps_lines: bool) -> None:
    """After a compilation that began then: the object is as old as that, since what changed meanwhile may be in it or not."""
    inputs = Inputs(object_file)
    if inputs.are_older(began):
        object_file.with_suffix(".sha256").write_text(inputs.text_hash(keeps_lines) or "")
    os.utime(object_file, ns=(began, began))


class BuildCore(build_ext):
    """Compiles the sources side by side, each with its own flags, and links them."""

    def run(self) -> None:
        super().run()
        if self.inplace:
            register_ape_plugin(ROOT, self.distribution.get_version())

    def build_extension(self, extension: Extension) -> None:
        compiler = self.compiler
        link_base = getattr(compiler, "compiler_so_cxx", None) or compiler.compiler_so
        gcc = is_gcc(link_base[:1])
        one_at_a_time = Lock()
        keeps_lines = DEBUG or bool(SANITIZE)  # debuggers, sanitizers and assertions speak of them

        def flags_of(source: str) -> list[str]:
            own = CORE_FLAGS if "pyx/core/" in source else MODULE_FLAGS
            if own is MODULE_FLAGS and SANITIZE and not gcc:
                own = MODULE_FLAGS + CLANG_SANITIZED_MODULE_FLAGS
            if not DEBUG and not SANITIZE:
                if own is CORE_FLAGS and source.startswith(COLD):
                    own = [*CORE_FLAGS, "-O2"]
                elif own is MODULE_FLAGS and gcc:
                    own = MODULE_FLAGS + GCC_MODULE_FLAGS
            return COMMON_FLAGS + own + (GCC_INTERPRETER_FLAGS if gcc and source == INTERPRETER else [])

        def precompiled(flags: list[str], folder: str) -> list[str]:
            """The flags by which gcc takes the standard library's headers from where it has read them already."""
            text = Path(STANDARD_HEADERS).read_bytes()
            header = Path(folder, hashlib.sha256(text).hexdigest()[:12], "standard.hpp")
            with one_at_a_time:
                if not header.exists():
                    header.parent.mkdir(parents=True, exist_ok=True)
                    command = [*link_base, *flags, "-x", "c++-header", STANDARD_HEADERS, "-o", f"{header}.gch"]
                    subprocess.run(command, check=True)
                    header.write_bytes(text)
            return ["-include", str(header)]

        def compile_one(source: str) -> str:
            flags = flags_of(source)
            variant = hashlib.sha256(shlex.join([sys.executable, *link_base, *flags]).encode()).hexdigest()[:12]
            tag = f"{sysconfig.get_platform()}-{sys.implementation.cache_tag}-{variant}"
            folder = os.path.join("build", "objects", tag)
            [object_name] = compiler.object_filenames([source], output_dir=folder)
            object_file = Path(object_name)
            if not self.force and is_fresh(object_file, keeps_lines):
                return object_name
            for suffix in (".o", ".d", ".sha256"):
                object_file.with_suffix(suffix).unlink(missing_ok=True)
            if gcc and "pyx/core/" in source and source != INTERPRETER:
                flags = flags + precompiled(flags, folder)
            began = now_of(object_file.with_suffix(".began"))
            compiler.compile(
                [source],
                output_dir=folder,
                include_dirs=extension.include_dirs,
                extra_postargs=[*flags, "-MMD", "-MF", str(object_file.with_suffix(".d"))],
                depends=extension.depends,
            )
            note_inputs(object_file, began, keeps_lines)
            return object_name

        # The longest first, so that the last compiler to finish is not the one that started last.
        sources = sorted(extension.sources, key=lambda name: (name == INTERPRETER, os.path.getsize(name)), reverse=True)
        jobs = int(os.environ.get("EVMCORE_JOBS", 0)) or os.cpu_count() or 1
        with ThreadPoolExecutor(jobs) as pool:
            objects = list(pool.map(compile_one, sources))
        # Some Pythons were built with an rpath to their own folder, and hand it on; no library that we link lies there.
        for name in ("linker_so", "linker_so_cxx"):
            command = getattr(compiler, name, None)
            if command:
                setattr(compiler, name, [word for word in command if not word.startswith("-Wl,-rpath")])
        target = self.get_ext_fullpath(extension.name)
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        compiler.link_shared_object(objects, target, extra_postargs=LINK_FLAGS, target_lang="c++")


def register_ape_plugin(folder: Path, version: str) -> None:
    """Put the metadata of a distribution "ape-evmcore" beside the module ape_evmcore: ape loads plugins of such names only."""
    metadata = folder / "ape_evmcore.egg-info"
    metadata.mkdir(parents=True, exist_ok=True)
    (metadata / "PKG-INFO").write_text(
        f"Metadata-Version: 2.1\nName: ape-evmcore\nVersion: {version}\nSummary: ape's plugin, a part of evmcore\n"
    )
    (metadata / "top_level.txt").write_text("ape_evmcore\n")


class BuildPackages(build_py):
    """The Python packages, and ape's plugin as ape finds it."""

    def run(self) -> None:
        super().run()
        register_ape_plugin(ROOT if self.editable_mode else Path(self.build_lib), self.distribution.get_version())


os.chdir(ROOT)
MORE_SOURCES = {
    "evmcore._core": sorted(path.as_posix() for path in Path("pyx/core").rglob("*.cpp")),
    "evmcore.store._mdbx": [f"pyx/store/{name}.cpp" for name in ("database", "pending", "snapshot", "writer")],
}
EXTENSIONS = cythonize(
    [
        Extension("evmcore._core", [MODULE], include_dirs=["pyx"], language="c++"),
        Extension("evmcore.store._mdbx", [STORE], include_dirs=["pyx"], language="c++"),
    ],
    include_path=["pyx"],
    compiler_directives={
        "language_level": 3,
        "boundscheck": False,
        "wraparound": False,
    },
)
for extension in EXTENSIONS:
    extension.sources += MORE_SOURCES[extension.name]

setup(ext_modules=EXTENSIONS, cmdclass={"build_ext": BuildCore, "build_py": BuildPackages})
