"""Builds the one extension, evmcore._core, from pyx/: everything else about the package is in pyproject.toml.

EVMCORE_DEBUG=1              assertions, -O0 -g
EVMCORE_SANITIZE=LIST        address,undefined or thread: the sanitizers of gcc and clang
EVMCORE_JOBS=N               compilers at once (default: one a core)

An object is compiled again only when its source, a header that it read or its flags changed: the objects stay in
build/objects, a folder a set of flags. Where only a file's time changed, or a comment, the preprocessed text is as it was and
the object stays.
"""

import hashlib
import os
import shlex
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
MODULE = "pyx/_core.pyx"
INTERPRETER = "pyx/core/vm/interpreter.cpp"
DEBUG = os.environ.get("EVMCORE_DEBUG", "") not in ("", "0")
SANITIZE = os.environ.get("EVMCORE_SANITIZE", "")

COMMON_FLAGS = ["-std=c++20", "-fvisibility=hidden", "-pthread"]
if DEBUG:
    COMMON_FLAGS += ["-O0", "-g", "-UNDEBUG"]
elif SANITIZE:
    # At -O3 the checks would take a quarter of an hour to compile.
    COMMON_FLAGS += ["-O1", "-g1", "-DNDEBUG"]
else:
    COMMON_FLAGS += ["-O3", "-DNDEBUG", "-g0"]
if SANITIZE:
    COMMON_FLAGS += [f"-fsanitize={SANITIZE}", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all"]
CORE_FLAGS = ["-fno-exceptions", "-fno-rtti", "-Wall"]
# The generated module: Cython turns C++ exceptions into Python's, and its helpers are not free of warnings.
MODULE_FLAGS = ["-Wno-unused-function", "-Wno-cpp", "-Wno-sign-compare"]
# gcc merges the indirect jumps of threaded code into one, and the branch predictor then sees one jump for all opcodes;
# and it would pack program counter and stack pointer into one vector register, a detour at every instruction.
GCC_INTERPRETER_FLAGS = ["-fno-gcse", "--param=max-goto-duplication-insns=64", "-fno-tree-slp-vectorize"]
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


def is_fresh(object_file: Path) -> bool:
    """Whether the object is newer than all that it was made from, as the compiler itself wrote it down (-MMD)."""
    rule = object_file.with_suffix(".d")
    if not object_file.exists() or not rule.exists():
        return False
    inputs = rule.read_text().replace("\\\n", " ").split(":", 1)[-1].replace("\\ ", "\0").split()
    made = object_file.stat().st_mtime_ns
    try:
        return all(os.stat(name.replace("\0", " ")).st_mtime_ns <= made for name in inputs)
    except FileNotFoundError:
        return False


def preprocessed_hash(command: list[str], keeps_lines: bool) -> str:
    """SHA-256 of what the preprocessor makes of a source. Comments are gone from it, and line numbers unless they show."""
    words = [*command, "-E", *([] if keeps_lines else ["-P"])]
    return hashlib.sha256(subprocess.run(words, capture_output=True, check=True).stdout).hexdigest()


class BuildCore(build_ext):
    """Compiles the sources side by side, each with its own flags, and links them."""

    def build_extension(self, extension: Extension) -> None:
        compiler = self.compiler
        link_base = getattr(compiler, "compiler_so_cxx", None) or compiler.compiler_so
        gcc = is_gcc(link_base[:1])

        def flags_of(source: str) -> list[str]:
            own = CORE_FLAGS if "pyx/core/" in source else MODULE_FLAGS
            if own is MODULE_FLAGS and SANITIZE and not gcc:
                own = MODULE_FLAGS + CLANG_SANITIZED_MODULE_FLAGS
            return COMMON_FLAGS + own + (GCC_INTERPRETER_FLAGS if gcc and source == INTERPRETER else [])

        def compile_one(source: str) -> str:
            flags = flags_of(source)
            variant = hashlib.sha256(shlex.join([sys.executable, *link_base, *flags]).encode()).hexdigest()[:12]
            tag = f"{sysconfig.get_platform()}-{sys.implementation.cache_tag}-{variant}"
            folder = os.path.join("build", "objects", tag)
            [object_name] = compiler.object_filenames([source], output_dir=folder)
            object_file = Path(object_name)
            if not self.force and is_fresh(object_file):
                return object_name
            object_file.parent.mkdir(parents=True, exist_ok=True)
            rule = str(object_file.with_suffix(".d"))
            hash_file = object_file.with_suffix(".sha256")
            includes = [f"-I{path}" for path in [*extension.include_dirs, *compiler.include_dirs]]
            # Debuggers, sanitizers and assertions speak of lines.
            text_hash = preprocessed_hash([*link_base, *flags, *includes, source], keeps_lines=DEBUG or bool(SANITIZE))
            is_complete = object_file.exists() and Path(rule).exists() and hash_file.exists()
            if not self.force and is_complete and hash_file.read_text() == text_hash:
                os.utime(object_file)
                return object_name
            object_file.unlink(missing_ok=True)
            hash_file.unlink(missing_ok=True)
            compiler.compile(
                [source],
                output_dir=folder,
                include_dirs=extension.include_dirs,
                extra_postargs=[*flags, "-MMD", "-MF", rule],
                depends=extension.depends,
            )
            hash_file.write_text(text_hash)
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


os.chdir(ROOT)
CORE_SOURCES = sorted(path.as_posix() for path in Path("pyx/core").rglob("*.cpp"))
EXTENSIONS = cythonize(
    [Extension("evmcore._core", [MODULE], include_dirs=["pyx"], language="c++")],
    include_path=["pyx"],
    compiler_directives={
        "language_level": 3,
        "boundscheck": False,
        "wraparound": False,
    },
)
for extension in EXTENSIONS:
    extension.sources += CORE_SOURCES

setup(ext_modules=EXTENSIONS, cmdclass={"build_ext": BuildCore})
