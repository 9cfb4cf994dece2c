"""The Python side of a Lazaret call.

This module is imported once, when the runtime is built, and the interpreter is
frozen with everything that it imported. A call starts in a copy of that frozen
interpreter: `run` is the first and the last thing that it does.

Every page that a call writes to is copied for it, and every request to the host
costs as much as a hundred lines of Python. So what can be made ahead is made here,
and left alone later.
"""

import asyncio
import atexit
import builtins
import gc
import importlib
import io
import linecache
import os
import pkgutil
import random
import selectors
import sys
import tempfile
import time
import types
import warnings
import zoneinfo

#: Where the standard library is while the interpreter is started. Later it is not
#: there: what is not imported now cannot be.
_LIBRARY = "/image"

#: What prints, opens or measures something when it is imported, or is for other systems.
_LEFT_ALONE = {"antigravity", "this", "lazaret_app", "msilib", "winreg", "crypt", "nis"}


def _names(path, prefix=""):
    """Every module below a directory of the library, packages before their parts."""
    for info in sorted(pkgutil.iter_modules([path]), key=lambda info: info.name):
        if info.name.startswith("__main__") or info.name in _LEFT_ALONE:
            continue
        yield prefix + info.name
        if info.ispkg:
            yield from _names(os.path.join(path, info.name), f"{prefix}{info.name}.")


def _import_standard_library():
    stdout, sys.stdout = sys.stdout, io.StringIO()
    missing = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name in [*sys.builtin_module_names, *_names(_LIBRARY)]:
                try:
                    importlib.import_module(name)
                except BaseException as error:
                    missing[name] = f"{type(error).__name__}: {error}"
    finally:
        sys.stdout = stdout
    return missing


#: Modules of the library that this build of CPython cannot carry, and why.
MISSING = _import_standard_library()


class _Explain:
    """The last place that an import looks: says what is known of a module that is not here."""

    packages = frozenset(
        "numpy pandas scipy matplotlib sklearn requests pytest yaml PIL torch tensorflow httpx "
        "aiohttp pydantic lxml bs4 polars pyarrow seaborn networkx sympy".split()
    )

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if path is not None:
            return None
        if name in sys.stdlib_module_names:
            why = "WebAssembly has nothing that it could work with"
        elif name in cls.packages:
            why = "this runtime has the standard library; a container profile or a file in /workspace has more"
        else:
            return None
        raise ModuleNotFoundError(f"No module named {name!r} in this sandbox: {why}", name=name)


sys.meta_path.append(_Explain)


class _Sleeper(selectors._BaseSelectorImpl):
    """Waits for time alone: here, nothing else can happen while a program waits."""

    def select(self, timeout=None):
        time.sleep(_LONGEST if timeout is None else max(timeout, 0))
        return []


#: Waiting without an end is ended by the call's own limit.
_LONGEST = 3600


def _let_asyncio_run():
    """asyncio wakes itself through a socket pair; WASI has none, and one thread needs none."""
    selectors.DefaultSelector = _Sleeper
    loop = asyncio.selector_events.BaseSelectorEventLoop
    loop._make_self_pipe = lambda self: None
    loop._close_self_pipe = lambda self: None
    loop._write_to_self = lambda self: None


_let_asyncio_run()


#: Compiled time zones by name: there are no files to read them from later.
_ZONES = {}


def _keep_time_zones(root="/image/zoneinfo-data"):
    for dir, _, names in os.walk(root):
        for name in names:
            path = os.path.join(dir, name)
            with open(path, "rb") as file:
                content = file.read()
            if content.startswith(b"TZif"):
                _ZONES[os.path.relpath(path, root)] = content


def _let_zoneinfo_find_them():
    from zoneinfo import _common

    def load(key):
        try:
            return io.BytesIO(_ZONES[key])
        except KeyError:
            raise zoneinfo.ZoneInfoNotFoundError(f"No time zone found with key {key}") from None

    _common.load_tzdata = load
    zoneinfo.reset_tzpath(to=())
    zoneinfo.available_timezones = lambda: set(_ZONES)


_keep_time_zones()
_let_zoneinfo_find_them()


def _make_streams():
    """Text streams over the call's own descriptors: what a script would get. They are
    made before the call, and have asked the host for nothing that is the call's."""
    sys.stdin = io.TextIOWrapper(
        io.BufferedReader(io.FileIO(0, "r", closefd=False)),
        encoding="utf-8", errors="surrogateescape",
    )
    for fd, name in ((1, "stdout"), (2, "stderr")):
        raw = io.FileIO(fd, "w", closefd=False)
        setattr(sys, name, io.TextIOWrapper(
            io.BufferedWriter(raw, 8192), encoding="utf-8",
            errors="surrogateescape" if fd == 1 else "backslashreplace",
            newline="\n", line_buffering=True,
        ))
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr


def _make_environment():
    """Nothing of the machine that built the image, nothing of the host."""
    os.environ.clear()
    os.environ.update(
        HOME="/workspace", PWD="/workspace", TMPDIR="/tmp", LANG="C.UTF-8",
        PYTHONIOENCODING="utf-8",
    )
    tempfile.tempdir = "/tmp"
    sys.path[:] = ["/workspace"]
    sys.executable = sys._base_executable = ""


def _fresh_main(code, filename, args):
    main = types.ModuleType("__main__")
    main.__builtins__ = builtins
    main.__file__ = filename
    sys.modules["__main__"] = main
    sys.argv[:] = [filename, *args]
    linecache.cache[filename] = (len(code), None, code.splitlines(True), filename)
    return main.__dict__


def _flush():
    for name in ("stdout", "stderr"):
        try:
            getattr(sys, name).flush()
        except BaseException:
            pass


def _status_of(exit):
    """What a shell would see of `SystemExit`."""
    code = exit.code
    if code is None:
        return 0
    if isinstance(code, int):
        code = int.__index__(code)
        return code & 0xFF if -_LARGEST_STATUS <= code <= _LARGEST_STATUS else 255
    print(code, file=sys.stderr)
    return 1


#: CPython takes a C long; beyond it the status is -1.
_LARGEST_STATUS = 2**31 - 1


def _show(error):
    """A traceback that starts at the user's own first line."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code is _execute.__code__:
        frames = frames.tb_next
    try:
        error.__traceback__ = frames
        sys.excepthook(type(error), error, frames)
    except BaseException:
        pass


def _execute(code, filename, args):
    scope = _fresh_main(code, filename, args)
    try:
        exec(compile(code.removeprefix("\ufeff"), filename, "exec", dont_inherit=True), scope)
        return 0
    except SystemExit as exit:
        return _status_of(exit)
    except KeyboardInterrupt as error:
        _show(error)
        return 130
    except BaseException as error:
        _show(error)
        return _MEMORY_EXHAUSTED if _is_exhaustion(error) else 1


#: What the guest ABI calls memory that ran out and that nobody caught.
_MEMORY_EXHAUSTED = 256


def _is_exhaustion(error):
    """True for memory that ran out, not for the parser's own use of the name."""
    return isinstance(error, MemoryError) and "stack" not in str(error)


def run(code, filename, args, execute=_execute, flush=_flush, finish=atexit._run_exitfuncs, seed=random.seed):
    """Run the program to its end; whatever it broke of ours is its own loss.

    What it uses is bound here: a program can reach this module and change its names.
    """
    status = 1
    try:
        seed()
        status = execute(code, filename, args)
    except BaseException:
        pass
    try:
        finish()
    except BaseException:
        pass
    flush()
    return status


# What a first program makes the interpreter set up: caches of types and of
# abstract classes, specialised bytecode, the parser's and the printer's tables.
REHEARSAL = """
import collections, dataclasses, json, math, re, sys
from typing import List, Optional

@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.0

def total(numbers: List[float]) -> Optional[float]:
    return sum(number for number in numbers if number > 0)

points = sorted((Point(n % 7, n / 3) for n in range(20)), key=lambda one: one.x)
words = collections.Counter(re.findall(r"[a-z]+", "the quick brown fox " * 3))
print(total([point.y for point in points]), json.dumps(words, sort_keys=True))
print(json.loads('{"a": [1, 2.5, null, "b"]}'), math.sqrt(2), f"{points[0]!r:>20}")
print({**words}, [*range(3)], "a-b".split("-"), "%d %s" % (1, "x"), bytes(3), {1, 2})
try:
    1 / 0
except ZeroDivisionError as error:
    print(error, file=sys.stderr)
with open("/tmp/rehearsal", "w") as file:
    file.write("x")
"""


def _rehearse():
    """Walk the way of a call once, so that what it sets up is in the image."""
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
    for code in (REHEARSAL, "print(1)", "raise ValueError(1)", "import sys; sys.exit(3)", "x ="):
        _execute(code, "main.py", ["a"])
    sys.stdout, sys.stderr = streams
    # The real streams too, without a byte: their codecs and locks.
    print(end="", flush=True)
    sys.argv[:] = [""]
    sys.modules["__main__"] = types.ModuleType("__main__")


_make_streams()
_make_environment()
_rehearse()

# A call that touches a page of the frozen image pays for a copy of it, so nothing
# is left to clean up: caches of the machine that built it, garbage, counters.
sys.path_importer_cache.clear()
linecache.clearcache()
tempfile._name_sequence = None
gc.collect()
gc.freeze()
