#!/bin/sh
# Builds CPython as one core WebAssembly module, with the compression libraries
# and SQLite in it.
#
# In:  $SOURCES/<name>/  the pinned sources, unpacked      $JOBS  processes at once
#      $RECIPE           this folder
# Out: $OUT/module.wasm  the module, not yet started       $OUT/image/  what it
#      imports while it is started: the standard library and our Python side
set -eu

CPYTHON=$SOURCES/python3.13
# The day of the release: what is built does not depend on when.
export SOURCE_DATE_EPOCH=1749600000
export ZIG=$SOURCES/ziglang/ziglang/zig
export ZIG_GLOBAL_CACHE_DIR=$OUT/zig-cache ZIG_LOCAL_CACHE_DIR=$OUT/zig-cache
TOOLS=$OUT/tools
LIBS=$OUT/libs
mkdir -p "$TOOLS" "$LIBS"

# The compiler under the names that configure scripts want.
# -fno-sanitize: zig traps on what C calls undefined, and CPython's age shows.
cat > "$TOOLS/cc" <<'CC'
#!/bin/sh
exec "$ZIG" cc -target wasm32-wasi -fno-sanitize=undefined -Wno-date-time -DSOCK_RAW=3 \
    -D_WASI_EMULATED_SIGNAL -D_WASI_EMULATED_GETPID -D_WASI_EMULATED_PROCESS_CLOCKS \
    ${LAZARET_CFLAGS-} "$@"
CC
printf '#!/bin/sh\nexec "$ZIG" ar "$@"\n' > "$TOOLS/ar"
printf '#!/bin/sh\nexec "$ZIG" ranlib "$@"\n' > "$TOOLS/ranlib"
chmod +x "$TOOLS"/*
CC=$TOOLS/cc
AR=$TOOLS/ar

step() { echo "lazaret-step: $*"; }

# One library from a list of C files.
library() {
    name=$1 flags=$2 dir=$3; shift 3
    for file in "$@"; do
        echo "$CC -O2 $flags -I$dir -c $dir/$file.c -o $LIBS/$name-$(basename "$file").o"
    done | xargs -P "$JOBS" -I{} sh -c '{}'
    "$AR" rcs "$LIBS/lib$name.a" "$LIBS/$name"-*.o
}

step "compression libraries and SQLite"
library z "-DHAVE_UNISTD_H" "$SOURCES/zlib" \
    adler32 crc32 deflate inffast inflate inftrees trees zutil compress uncompr infback \
    gzclose gzlib gzread gzwrite
library bz2 "" "$SOURCES/bzip2" blocksort huffman crctable randtable compress decompress bzlib
(
    mkdir -p "$OUT/xz" && cd "$OUT/xz"
    # liblzma alone, without threads, which WASI has not.
    CC=$CC AR=$AR RANLIB=$TOOLS/ranlib "$SOURCES/xz-utils/configure" --quiet \
        --host=wasm32-wasi --disable-shared --disable-threads --disable-xz --disable-xzdec \
        --disable-lzmadec --disable-lzmainfo --disable-scripts --disable-doc --disable-nls \
        --disable-assembler --disable-sandbox
    make -s -j"$JOBS" -C src/liblzma liblzma.la
    cp src/liblzma/.libs/liblzma.a "$LIBS/"
)
SQLITE=$SOURCES/libsqlite3-sys/sqlite3
library sqlite3 "-DSQLITE_THREADSAFE=0 -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_OMIT_WAL \
    -DSQLITE_OS_OTHER=1 -DSQLITE_ENABLE_FTS5 -DSQLITE_ENABLE_MATH_FUNCTIONS -DSQLITE_TEMP_STORE=2" \
    "$SQLITE" sqlite3 wasm32-wasi-vfs

step "CPython for this machine, which the other one is made with"
(
    mkdir -p "$OUT/native" && cd "$OUT/native"
    OPT=-O0 "$CPYTHON/configure" --quiet --disable-test-modules --without-ensurepip > configure.log 2>&1
    make -s -j"$JOBS" python > make.log 2>&1 || { tail -n 20 make.log >&2; exit 1; }
)

step "CPython as WebAssembly"
mkdir -p "$OUT/wasm" && cd "$OUT/wasm"
# PKG_CONFIG: libraries of this machine must not be found. The answers that begin with
# ac_cv_ are of headers that declare what the C library does not have.
CONFIG_SITE="$CPYTHON/Tools/wasm/config.site-wasm32-wasi" \
CC=$CC AR=$AR RANLIB=$TOOLS/ranlib PKG_CONFIG=/bin/false ac_cv_func_mmap=no \
ac_cv_header_sys_epoll_h=no ac_cv_header_sys_timerfd_h=no ac_cv_header_libintl_h=no \
ac_cv_func_setgroups=no ac_cv_func_timerfd_create=no ac_cv_func_epoll_create=no \
ac_cv_func_epoll_create1=no \
ZLIB_CFLAGS="-I$SOURCES/zlib" ZLIB_LIBS="-L$LIBS -lz" \
BZIP2_CFLAGS="-I$SOURCES/bzip2" BZIP2_LIBS="-L$LIBS -lbz2" \
LIBLZMA_CFLAGS="-I$SOURCES/xz-utils/src/liblzma/api" LIBLZMA_LIBS="-L$LIBS -llzma" \
LIBSQLITE3_CFLAGS="-I$SQLITE" LIBSQLITE3_LIBS="-L$LIBS -lsqlite3" \
LDFLAGS="-lwasi-emulated-signal -lwasi-emulated-getpid -lwasi-emulated-process-clocks" \
"$CPYTHON/configure" --quiet --host=wasm32-wasip1 --build="$(uname -m)-pc-linux-gnu" \
    --with-build-python="$OUT/native/python" --with-pymalloc --disable-test-modules \
    --without-ensurepip --disable-ipv6 > configure.log 2>&1 || { tail -n 20 configure.log >&2; exit 1; }
PARTS="Modules/_hacl/libHacl_Hash_SHA2.a Modules/expat/libexpat.a Modules/_decimal/libmpdec/libmpdec.a"
# shellcheck disable=SC2086 # a list
make -s -j"$JOBS" libpython3.13.a $PARTS pybuilddir.txt > make.log 2>&1 || { tail -n 20 make.log >&2; exit 1; }

step "one module, and what it imports while it starts"
# The linker puts the stack below the data: an overflow traps instead of writing on.
# shellcheck disable=SC2086 # a list
"$CC" -O2 -mexec-model=reactor -I"$CPYTHON/Include" -I. "$RECIPE/shim.c" "$RECIPE/stubs.c" \
    libpython3.13.a $PARTS -L"$LIBS" -lz -lbz2 -llzma -lsqlite3 -lwasi-emulated-signal \
    -lwasi-emulated-getpid -lwasi-emulated-process-clocks -lm \
    -Wl,-z,stack-size=8388608 -Wl,--strip-debug -o "$OUT/module.wasm"

IMAGE=$OUT/image
mkdir -p "$IMAGE"
cp -R "$CPYTHON/Lib/." "$IMAGE/"
# What nobody can use without a screen, a network or a package index, and the tests.
for gone in test idlelib tkinter turtledemo ensurepip lib2to3 turtle.py; do
    rm -rf "${IMAGE:?}/$gone"
done
find "$IMAGE" -name __pycache__ -prune -exec rm -rf {} + -o -name '*.exe' -exec rm -f {} +
# What sysconfig tells, without the places of this machine.
for data in "$OUT/wasm/build/lib"*/_sysconfigdata_*.py; do
    sed -e "s:$OUT:/build:g" -e "s:$SOURCES:/sources:g" "$data" > "$IMAGE/$(basename "$data")"
done
cp -R "$SOURCES/tzdata/tzdata/zoneinfo" "$IMAGE/zoneinfo-data"
cp "$RECIPE/app.py" "$IMAGE/lazaret_app.py"
