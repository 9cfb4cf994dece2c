#!/bin/sh
# Builds QuickJS, the shim and the prelude as one core WebAssembly module.
#
# In:  $SOURCES/<name>/  the pinned sources, unpacked      $RECIPE  this folder
# Out: $OUT/module.wasm  the module, not yet started       $OUT/image/  nothing: the
#      prelude is in the module
set -eu

QUICKJS=$SOURCES/rquickjs-sys/quickjs
ZIG=$SOURCES/ziglang/ziglang/zig
export ZIG_GLOBAL_CACHE_DIR=$OUT/zig-cache ZIG_LOCAL_CACHE_DIR=$OUT/zig-cache
mkdir -p "$OUT/image" "$OUT/patched"

step() { echo "lazaret-step: $*"; }

# -fno-sanitize: zig traps on what C calls undefined, and the engine wraps integers.
FLAGS="-O3 -std=gnu2x -fwrapv -fno-sanitize=undefined -w -D_GNU_SOURCE -DNDEBUG"

compile() {
    # shellcheck disable=SC2086
    "$ZIG" cc -target wasm32-wasi $FLAGS -I"$OUT/patched" -I"$QUICKJS" -I"$RECIPE" -c "$1" -o "$OUT/$2.o"
}

step "compile QuickJS (a minute or two)"
# Objects of the image share one reference count (image.h): the engine's own macro, replaced.
shared='(*(is_sealed(p) ? \&image_count : \&js_rc(p)->ref_count))'
# The parser looks at its stack in one leaf only: its one function that every nesting passes
# through looks as well, and takes as much of the stack as its frames take of the host's.
unary='static __exception int js_parse_unary(JSParseState \*s, int parse_flags)'
sed -e "s/^#define JS_REF_COUNT(p) (js_rc(p)->ref_count)\$/#define JS_REF_COUNT(p) $shared/" \
    -e "/^$unary\$/,/^{\$/ s/^{\$/{ CHECK_PARSER_STACK(s)/" \
    "$QUICKJS/quickjs.c" > "$OUT/patched/quickjs.c"
grep -q 'is_sealed(p)' "$OUT/patched/quickjs.c"
grep -q 'CHECK_PARSER_STACK(s)' "$OUT/patched/quickjs.c"
compile "$RECIPE/shim.c" shim

step "compile the prelude and the rest"
compile "$RECIPE/prelude.c" prelude
for unit in dtoa libregexp libunicode; do
    compile "$QUICKJS/$unit.c" "$unit"
done

# zig's linker puts the stack below the data, so that an overflow traps.
"$ZIG" cc -target wasm32-wasi -mexec-model=reactor -Wl,-z,stack-size=1048576 -Wl,--strip-all \
    -Wl,--export-memory -Wl,--export=lazaret_init -Wl,--export=lazaret_alloc -Wl,--export=lazaret_run \
    "$OUT"/*.o -o "$OUT/module.wasm"
