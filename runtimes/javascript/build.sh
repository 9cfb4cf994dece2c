#!/bin/sh
# Compiles QuickJS, the shim and the prelude to one WebAssembly module: `$OUT/module.wasm`.
# Gets `$SOURCES` (quickjs/ and ziglang/, unpacked), `$OUT` and `$JOBS`; reads no network, and
# nothing of the machine but a shell and Python, which starts the compiler.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
quickjs=$SOURCES/quickjs/quickjs
export PYTHONPATH="$SOURCES/ziglang"
export ZIG_GLOBAL_CACHE_DIR="$OUT/zig" ZIG_LOCAL_CACHE_DIR="$OUT/zig"

cc() {
    python3 -m ziglang cc -target wasm32-wasi "$@"
}

# The engine is written for wrapping integers and reaches into its own structures, which the
# sanitizer that zig adds in debug builds refuses. Computed jumps become one table in
# WebAssembly; the plain `switch` is the same code, faster to compile.
flags="-O3 -std=gnu2x -fno-sanitize=undefined -fwrapv -D_GNU_SOURCE -DNDEBUG -I$OUT/patched -I$quickjs -I$here -w"

# Objects of the image share one reference count (image.h): the engine's own macro, replaced.
mkdir -p "$OUT/patched"
sed 's/^#define JS_REF_COUNT(p) (js_rc(p)->ref_count)$/#define JS_REF_COUNT(p) (*(is_sealed(p) ? \&image_count : \&js_rc(p)->ref_count))/' \
    "$quickjs/quickjs.c" >"$OUT/patched/quickjs.c"
grep -q is_sealed "$OUT/patched/quickjs.c"

# All units at once: the first takes a minute, the others seconds.
pids=
objects=
for unit in "$here/shim" "$here/prelude" "$quickjs/dtoa" "$quickjs/libregexp" "$quickjs/libunicode"; do
    object=$OUT/$(basename "$unit").o
    # shellcheck disable=SC2086
    cc $flags -c "$unit.c" -o "$object" &
    pids="$pids $!"
    objects="$objects $object"
done
for pid in $pids; do
    wait "$pid"
done

# zig's linker puts the stack below the data, so that running over its end traps.
# shellcheck disable=SC2086
cc -mexec-model=reactor -Wl,-z,stack-size=1048576 -Wl,--strip-all \
    -Wl,--export-memory -Wl,--export=lazaret_init -Wl,--export=lazaret_alloc -Wl,--export=lazaret_run \
    $objects -o "$OUT/module.wasm"
