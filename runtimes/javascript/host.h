/* What the prelude may ask of the host, and how `import` finds its modules.
 *
 * Included once, by shim.c. The prelude gets these as functions of one object, `host`, which no
 * program ever sees. Functions on files give a negative WASI error number when the host refuses;
 * the prelude makes the error that a program gets. They take absolute, normal paths and reach
 * nothing but the two directories that the host opens for a call.
 */
#ifndef LAZARET_HOST_H
#define LAZARET_HOST_H

/* The two directories and the descriptors that the host gives them. */
static const struct { const char *path; size_t length; __wasi_fd_t fd; } directories[] = {
    { "/workspace", sizeof "/workspace" - 1, 3 },
    { "/tmp", sizeof "/tmp" - 1, 4 },
};

/* A file is read in pieces of this size when its length is not known. */
#define READ_BYTES (64 * 1024)

/* ---- values ---- */

static bool is_out_of_memory(JSContext *ctx, JSValueConst error)
{
    JSValue text = JS_IsObject(error) ? JS_GetPropertyStr(ctx, error, "message") : JS_UNDEFINED;
    const char *message = JS_IsException(text) ? NULL : JS_ToCString(ctx, text);
    /* Not even the error could be made: then it is `null`. */
    bool is = JS_IsNull(error) || !message || !strcmp(message, "out of memory");
    JS_FreeCString(ctx, message);
    JS_FreeValue(ctx, text);
    return is;
}

static JSValue refusal(__wasi_errno_t error)
{
    return js_int32(-(int)error);
}

/* The bytes of a Uint8Array. NULL with an exception if it is none. */
static uint8_t *bytes_of(JSContext *ctx, JSValueConst value, size_t *length)
{
    return JS_GetUint8Array(ctx, length, value);
}

/* What an array buffer calls to resize its bytes, and to free them when `size` is 0. */
static void *resize_bytes(JSRuntime *rt, void *opaque, void *bytes, size_t size)
{
    return js_realloc_rt(rt, bytes, size);
}

/* A Uint8Array that owns `bytes`. */
static JSValue owned_bytes(JSContext *ctx, uint8_t *bytes, size_t length)
{
    return JS_NewUint8Array(ctx, bytes, length, resize_bytes, NULL, false);
}

/* ---- paths ---- */

struct place {
    __wasi_fd_t dir;
    const char *path;
    const char *whole;
};

/* Where `value` lies. False with an exception if it is no text; `dir` 0 if it is nowhere. */
static bool place_of(JSContext *ctx, JSValueConst value, struct place *place)
{
    *place = (struct place){ .whole = JS_ToCString(ctx, value) };
    if (!place->whole)
        return false;
    for (size_t i = 0; i < countof(directories); i++) {
        const char *rest = place->whole + directories[i].length;
        if (strncmp(place->whole, directories[i].path, directories[i].length))
            continue;
        if (*rest && *rest != '/')
            continue;
        while (*rest == '/')
            rest++;
        place->dir = directories[i].fd;
        place->path = *rest ? rest : ".";
    }
    return true;
}

static void leave(JSContext *ctx, struct place *place)
{
    JS_FreeCString(ctx, place->whole);
}

/* ---- descriptors ---- */

#define FILE_RIGHTS \
    (__WASI_RIGHTS_FD_READ | __WASI_RIGHTS_FD_SEEK | __WASI_RIGHTS_FD_TELL | \
     __WASI_RIGHTS_FD_FILESTAT_GET | __WASI_RIGHTS_FD_READDIR)
#define WRITE_RIGHTS \
    (__WASI_RIGHTS_FD_WRITE | __WASI_RIGHTS_FD_ALLOCATE | __WASI_RIGHTS_FD_FILESTAT_SET_SIZE | \
     __WASI_RIGHTS_FD_FILESTAT_SET_TIMES | __WASI_RIGHTS_FD_SYNC)

/* host.open(path, oflags, fdflags, write): a descriptor */
static JSValue host_open(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
    struct place place;
    int32_t oflags, fdflags, write;
    __wasi_fd_t fd;
    if (JS_ToInt32(ctx, &oflags, argv[1]) || JS_ToInt32(ctx, &fdflags, argv[2]) ||
        JS_ToInt32(ctx, &write, argv[3]) || !place_of(ctx, argv[0], &place))
        return JS_EXCEPTION;
    __wasi_errno_t error = place.dir ?
        __wasi_path_open(place.dir, __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW, place.path, oflags,
                         FILE_RIGHTS | (write ? WRITE_RIGHTS : 0), 0, fdflags, &fd) :
        __WASI_ERRNO_NOENT;
    leave(ctx, &place);
    return error ? refusal(error) : js_int32(fd);
}

/* host.close(fd) */
static JSValue host_close(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
    int32_t fd;
    if (JS_ToInt32(ctx, &fd, argv[0]))
        return JS_EXCEPTION;
    return refusal(__wasi_fd_close(fd));
}

/* host.read(fd, bytes, position): how many; from where the descriptor stands if below zero */
static JSValue host_read(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
    int32_t fd;
    int64_t position;
    size_t length, got;
    uint8_t *bytes = bytes_of(ctx, argv[1], &length);
    if (!bytes || JS_ToInt32(ctx, &fd, argv[0]) || JS_ToInt64(ctx, &position, argv[2]))
        return JS_EXCEPTION;
    __wasi_iovec_t into = { bytes, length };
    __wasi_errno_t error = position < 0 ? __wasi_fd_read(fd, &into, 1, &got) :
                                          __wasi_fd_pread(fd, &into, 1, position, &got);
    return error ? refusal(error) : js_int32(got);
}

static __wasi_errno_t write_all(__wasi_fd_t fd, const uint8_t *bytes, size_t length)
{
    while (length) {
        size_t done = 0;
        __wasi_ciovec_t from = { bytes, length };
        __wasi_errno_t error = __wasi_fd_write(fd, &from, 1, &done);
        if (error == __WASI_ERRNO_AGAIN || error == __WASI_ERRNO_INTR)
            continue;
        if (error)
            return error;
        bytes += done;
        length -= done;
    }
    return 0;
}

/* Tell something on stderr when nothing of JavaScript can be trusted to run. */
static void write_plain(const char *text)
{
    write_all(2, (const uint8_t *)text, strlen(text));
}

/* host.write(fd, bytes or text, position): 0 when all of it is written */
static JSValue host_write(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
    int32_t fd;
    if (JS_ToInt32(ctx, &fd, argv[0]))
        return JS_EXCEPTION;
    if (JS_IsString(argv[1])) {
        size_t length;
        const char *text = JS_ToCStringLen(ctx, &length, argv[1]);
        if (!text)
            return JS_EXCEPTION;
        __wasi_errno_t error = write_all(fd, (const uint8_t *)text, length);
        JS_FreeCString(ctx, text);
        return refusal(error);
    }
    int64_t position = -1;
    size_t length, done;
    uint8_t *bytes = bytes_of(ctx, argv[1], &length);
    if (!bytes || (argc > 2 && JS_ToInt64(ctx, &position, argv[2])))
        return JS_EXCEPTION;
    if (position < 0)
        return refusal(write_all(fd, bytes, length));
    __wasi_ciovec_t from = { bytes, length };
    return refusal(__wasi_fd_pwrite(fd, &from, 1, position, &done));
}

/* host.truncate(fd, length) */
static JSValue host_truncate(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
    int32_t fd;
    int64_t length;
    if (JS_ToInt32(ctx, &fd, argv[0]) || JS_ToInt64(ctx, &length, argv[1]))
        return JS_EXCEPTION;
    return refusal(__wasi_fd_filestat_set_size(fd, length));
}

/* host.readAll(fd): a Uint8Array of everything that follows */
static JSValue host_read_all(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
    int32_t fd;
    __wasi_filestat_t stat;
    if (JS_ToInt32(ctx, &fd, argv[0]))
        return JS_EXCEPTION;
    size_t room = READ_BYTES, length = 0;
    if (!__wasi_fd_filestat_get(fd, &stat) && stat.filetype == __WASI_FILETYPE_REGULAR_FILE)
        room = stat.size < SIZE_MAX / 2 ? stat.size + 1 : SIZE_MAX / 2;
    uint8_t *bytes = js_malloc(ctx, room);
    while (bytes) {
        size_t got = 0;
        __wasi_iovec_t into = { bytes + length, room - length };
        __wasi_errno_t error = __wasi_fd_read(fd, &into, 1, &got);
        if (error) {
            js_free(ctx, bytes);
            return refusal(error);
        }
        if (!got)
            return owned_bytes(ctx, bytes, length);
        length += got;
        if (length < room)
            continue;
        uint8_t *more = js_realloc(ctx, bytes, room *= 2);
        if (!more)
            js_free(ctx, bytes);
        bytes = more;
    }
    return JS_EXCEPTION;
}

/* ---- what lies in the directories ---- */

static JSValue stat_array(JSContext *ctx, const __wasi_filestat_t *stat)
{
    const double fields[] = {
        stat->filetype, stat->size, stat->mtim / 1e6, stat->atim / 1e6, stat->ctim / 1e6,
        stat->ino, stat->nlink,
    };
    JSValue array = JS_NewArray(ctx);
    for (size_t i = 0; i < countof(fields) && !JS_IsException(array); i++)
        JS_SetPropertyUint32(ctx, array, i, js_float64(fields[i]));
    return array;
}

/* host.stat(path, follow): [type, size, mtime, atime, ctime, inode, links], times in ms */
static JSValue host_stat(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
    struct place place;
    __wasi_filestat_t stat;
    if (!place_of(ctx, argv[0], &place))
        return JS_EXCEPTION;
    __wasi_lookupflags_t follow = JS_ToBool(ctx, argv[1]) ? __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW : 0;
    __wasi_errno_t error = place.dir ?
        __wasi_path_filestat_get(place.dir, follow, place.path, &stat) : __WASI_ERRNO_NOENT;
    leave(ctx, &place);
    return error ? refusal(error) : stat_array(ctx, &stat);
}

/* host.statOf(fd): the same of an open file */
static JSValue host_stat_of(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
    int32_t fd;
    __wasi_filestat_t stat;
    if (JS_ToInt32(ctx, &fd, argv[0]))
        return JS_EXCEPTION;
    __wasi_errno_t error = __wasi_fd_filestat_get(fd, &stat);
    return error ? refusal(error) : stat_array(ctx, &stat);
}

/* Put the entries that `bytes` holds whole into `names`: name, type, name, type … */
static __wasi_dircookie_t take_entries(JSContext *ctx, JSValue names, uint32_t *count,
                                       const uint8_t *bytes, size_t length,
                                       __wasi_dircookie_t cookie)
{
    __wasi_dirent_t entry;
    while (length >= sizeof entry) {
        memcpy(&entry, bytes, sizeof entry);
        if (length - sizeof entry < entry.d_namlen)
            break;
        const char *name = (const char *)bytes + sizeof entry;
        bool dots = name[0] == '.' && (entry.d_namlen == 1 ||
                                       (entry.d_namlen == 2 && name[1] == '.'));
        if (!dots) {
            JS_SetPropertyUint32(ctx, names, (*count)++,
                                 JS_NewStringLen(ctx, name, entry.d_namlen));
            JS_SetPropertyUint32(ctx, names, (*count)++, js_int32(entry.d_type));
        }
        cookie = entry.d_next;
        bytes += sizeof entry + entry.d_namlen;
        length -= sizeof entry + entry.d_namlen;
    }
    return cookie;
}

/* host.readDirectory(fd): [name, type, name, type …] */
static JSValue host_read_directory(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
    int32_t fd;
    if (JS_ToInt32(ctx, &fd, argv[0]))
        return JS_EXCEPTION;
    uint8_t *bytes = js_malloc(ctx, READ_BYTES);
    if (!bytes)
        return JS_EXCEPTION;
    JSValue names = JS_NewArray(ctx);
    __wasi_dircookie_t cookie = __WASI_DIRCOOKIE_START;
    uint32_t count = 0;
    __wasi_errno_t error;
    for (;;) {
        size_t got = 0;
        error = __wasi_fd_readdir(fd, bytes, READ_BYTES, cookie, &got);
        if (error)
            break;
        __wasi_dircookie_t next = take_entries(ctx, names, &count, bytes, got, cookie);
        if (got < READ_BYTES || next == cookie)
            break;
        cookie = next;
    }
    js_free(ctx, bytes);
    if (!error)
        return names;
    JS_FreeValue(ctx, names);
    return refusal(error);
}

enum path_act { MAKE_DIRECTORY, REMOVE_DIRECTORY, UNLINK };

static JSValue host_path(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv, int act)
{
    struct place place;
    if (!place_of(ctx, argv[0], &place))
        return JS_EXCEPTION;
    __wasi_errno_t error = __WASI_ERRNO_NOENT;
    if (place.dir && act == MAKE_DIRECTORY)
        error = __wasi_path_create_directory(place.dir, place.path);
    else if (place.dir && act == REMOVE_DIRECTORY)
        error = __wasi_path_remove_directory(place.dir, place.path);
    else if (place.dir)
        error = __wasi_path_unlink_file(place.dir, place.path);
    leave(ctx, &place);
    return refusal(error);
}

/* host.rename(from, to) */
static JSValue host_rename(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
    struct place from, to;
    if (!place_of(ctx, argv[0], &from))
        return JS_EXCEPTION;
    if (!place_of(ctx, argv[1], &to)) {
        leave(ctx, &from);
        return JS_EXCEPTION;
    }
    __wasi_errno_t error = from.dir && to.dir ?
        __wasi_path_rename(from.dir, from.path, to.dir, to.path) : __WASI_ERRNO_NOENT;
    leave(ctx, &from);
    leave(ctx, &to);
    return refusal(error);
}

/* ---- time, chance, the end ---- */

/* host.wait(ms, input): until `ms` are over (never, if below zero) or, if `input`, until stdin
 * has something. True if it has. */
static JSValue host_wait(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
    double ms;
    if (JS_ToFloat64(ctx, &ms, argv[0]))
        return JS_EXCEPTION;
    __wasi_subscription_t asked[2] = { 0 };
    __wasi_event_t events[2];
    size_t count = 0, happened = 0;
    if (ms >= 0) {
        asked[count].u.tag = __WASI_EVENTTYPE_CLOCK;
        asked[count].u.u.clock.id = __WASI_CLOCKID_MONOTONIC;
        asked[count++].u.u.clock.timeout = ms * 1e6;
    }
    if (JS_ToBool(ctx, argv[1])) {
        asked[count].userdata = 1;
        asked[count].u.tag = __WASI_EVENTTYPE_FD_READ;
        asked[count++].u.u.fd_read.file_descriptor = 0;
    }
    if (!count || __wasi_poll_oneoff(asked, events, count, &happened))
        return JS_FALSE;
    bool input = false;
    for (size_t i = 0; i < happened; i++)
        input |= events[i].userdata == 1;
    return js_bool(input);
}

/* host.random(bytes): fill them with entropy of the host */
static JSValue host_random(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
    size_t length;
    uint8_t *bytes = bytes_of(ctx, argv[0], &length);
    if (!bytes)
        return JS_EXCEPTION;
    return refusal(__wasi_random_get(bytes, length));
}

/* host.exit(status): does not return */
static JSValue host_exit(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
    int32_t status;
    if (JS_ToInt32(ctx, &status, argv[0]))
        return JS_EXCEPTION;
    __wasi_proc_exit(status & 0xFF);
}

/* host.monotonic(): nanoseconds since some moment, as a BigInt */
static JSValue host_monotonic(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
    return JS_NewBigUint64(ctx, js__hrtime_ns());
}

/* host.origin(): milliseconds of the same clock at which this call began */
static JSValue host_origin(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
    return js_float64(ctx->time_origin);
}

/* host.memory(): [bytes of the heap, bytes of the whole memory] */
static JSValue host_memory(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
    JSValue array = JS_NewArray(ctx);
    JS_SetPropertyUint32(ctx, array, 0, js_float64(ctx->rt->malloc_state.malloc_size));
    JS_SetPropertyUint32(ctx, array, 1, js_float64(__builtin_wasm_memory_size(0) * 65536.0));
    return array;
}

/* host.collect(): the garbage collector, now */
static JSValue host_collect(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
    JS_RunGC(ctx->rt);
    return JS_UNDEFINED;
}

/* ---- text ---- */

/* How long the well-formed UTF-8 sequence at `at` is, or 0; then `*bad` bytes of it are one
 * error, as the Encoding standard counts them. */
static size_t sequence(const uint8_t *at, size_t room, size_t *bad)
{
    uint8_t first = at[0], low = 0x80, high = 0xBF;
    size_t length = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 :
                    first < 0xF5 ? 4 : 0;
    *bad = 1;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
    for (size_t i = 1; i < length; i++) {
        if (i >= room || at[i] < low || at[i] > high) {
            *bad = i;
            return 0;
        }
        low = 0x80, high = 0xBF;
    }
    return length;
}

/* host.decodeUtf8(bytes, fatal): the text; null if it is not UTF-8 and `fatal` */
static JSValue host_decode_utf8(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
    static const char replacement[] = "\xEF\xBF\xBD";
    size_t length, bad;
    uint8_t *bytes = bytes_of(ctx, argv[0], &length);
    if (!bytes)
        return JS_EXCEPTION;
    bool fatal = JS_ToBool(ctx, argv[1]);
    DynBuf good;
    js_dbuf_init(ctx, &good);
    size_t from = 0, at = 0;
    while (at < length) {
        size_t step = sequence(bytes + at, length - at, &bad);
        if (step) {
            at += step;
            continue;
        }
        if (fatal) {
            dbuf_free(&good);
            return JS_NULL;
        }
        dbuf_put(&good, bytes + from, at - from);
        dbuf_put(&good, (const uint8_t *)replacement, sizeof replacement - 1);
        at = from = at + bad;
    }
    JSValue text;
    if (!from) {
        text = JS_NewStringLen(ctx, (const char *)bytes, length);
    } else {
        dbuf_put(&good, bytes + from, length - from);
        text = dbuf_error(&good) ? JS_ThrowOutOfMemory(ctx) :
                                   JS_NewStringLen(ctx, (const char *)good.buf, good.size);
    }
    dbuf_free(&good);
    return text;
}

/* host.encodeUtf8(text): a Uint8Array; the prelude hands over well-formed text */
static JSValue host_encode_utf8(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
    size_t length;
    const char *text = JS_ToCStringLen(ctx, &length, argv[0]);
    if (!text)
        return JS_EXCEPTION;
    JSValue bytes = JS_NewUint8ArrayCopy(ctx, (const uint8_t *)text, length);
    JS_FreeCString(ctx, text);
    return bytes;
}

/* ---- looking into values ---- */

/* host.promise(value): [state, result], or undefined for what is no promise */
static JSValue host_promise(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
    if (!JS_IsPromise(argv[0]))
        return JS_UNDEFINED;
    JSValue array = JS_NewArray(ctx);
    JS_SetPropertyUint32(ctx, array, 0, js_int32(JS_PromiseState(ctx, argv[0])));
    JS_SetPropertyUint32(ctx, array, 1, JS_PromiseResult(ctx, argv[0]));
    return array;
}

/* host.target(value): what a proxy stands for, or undefined; a revoked one gives null */
static JSValue host_target(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
    if (!JS_IsProxy(argv[0]))
        return JS_UNDEFINED;
    JSProxyData *proxy = JS_VALUE_GET_OBJ(argv[0])->u.proxy_data;
    return proxy->is_revoked ? JS_NULL : js_dup(proxy->target);
}

/* host.classOf(value): the engine's own name of its class */
static JSValue host_class_of(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
    JSClassID class = JS_GetClassID(argv[0]);
    if (class == JS_INVALID_CLASS_ID)
        return JS_UNDEFINED;
    return JS_AtomToString(ctx, ctx->rt->class_array[class].class_name);
}

/* ---- code ---- */

/* host.compile(text, filename, line): what the script's last expression gives; its first line
 * counts as `line` */
static JSValue host_compile(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
    int32_t line;
    size_t length;
    if (JS_ToInt32(ctx, &line, argv[2]))
        return JS_EXCEPTION;
    const char *text = JS_ToCStringLen(ctx, &length, argv[0]);
    const char *filename = text ? JS_ToCString(ctx, argv[1]) : NULL;
    /* Not JS_Eval2: it takes line 0, that of the wrapper around a program, for line 1. */
    JSValue made = filename ? JS_EvalInternal(ctx, ctx->global_obj, text, length, filename, line,
                                              JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_BACKTRACE_BARRIER, -1) :
                              JS_EXCEPTION;
    JS_FreeCString(ctx, filename);
    JS_FreeCString(ctx, text);
    return made;
}

#include "modules.h"

#define HOST_FUNCTION(name, length, function) JS_CFUNC_DEF(name, length, function)

static const JSCFunctionListEntry host_functions[] = {
    HOST_FUNCTION("open", 4, host_open),
    HOST_FUNCTION("close", 1, host_close),
    HOST_FUNCTION("read", 3, host_read),
    HOST_FUNCTION("write", 2, host_write),
    HOST_FUNCTION("truncate", 2, host_truncate),
    HOST_FUNCTION("readAll", 1, host_read_all),
    HOST_FUNCTION("stat", 2, host_stat),
    HOST_FUNCTION("statOf", 1, host_stat_of),
    HOST_FUNCTION("readDirectory", 1, host_read_directory),
    JS_CFUNC_MAGIC_DEF("makeDirectory", 1, host_path, MAKE_DIRECTORY),
    JS_CFUNC_MAGIC_DEF("removeDirectory", 1, host_path, REMOVE_DIRECTORY),
    JS_CFUNC_MAGIC_DEF("unlink", 1, host_path, UNLINK),
    HOST_FUNCTION("rename", 2, host_rename),
    HOST_FUNCTION("wait", 2, host_wait),
    HOST_FUNCTION("random", 1, host_random),
    HOST_FUNCTION("exit", 1, host_exit),
    HOST_FUNCTION("monotonic", 0, host_monotonic),
    HOST_FUNCTION("origin", 0, host_origin),
    HOST_FUNCTION("memory", 0, host_memory),
    HOST_FUNCTION("collect", 0, host_collect),
    HOST_FUNCTION("decodeUtf8", 2, host_decode_utf8),
    HOST_FUNCTION("encodeUtf8", 1, host_encode_utf8),
    HOST_FUNCTION("promise", 1, host_promise),
    HOST_FUNCTION("target", 1, host_target),
    HOST_FUNCTION("classOf", 1, host_class_of),
    HOST_FUNCTION("compile", 3, host_compile),
    HOST_FUNCTION("importMain", 2, host_import_main),
};

static int add_host_functions(JSContext *ctx, JSValue host)
{
    return JS_SetPropertyFunctionList(ctx, host, host_functions, countof(host_functions));
}

#endif
