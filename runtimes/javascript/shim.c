/* What the engine's side of a call sees of QuickJS: three exports over one context.
 *
 * `lazaret_init` runs once, when the runtime is built: it makes the context, runs the prelude
 * and tidies up. Memory and globals are then frozen, and every call starts from that image.
 * `lazaret_run` reads one program, runs it and its event loop to the end, and gives its status.
 *
 * This never opens anything that the host did not open for it, and it keeps nothing from the
 * build that a call could tell: random state, the hash seed and the clock's origin are set anew
 * before the program is read. A failure during the build traps, so that no image is made.
 *
 * QuickJS is compiled into this unit, because those three, and the limit of the stack (which
 * it leaves off under WASI), can be reached in no other way.
 */
#include "image.h"

/* The engine asks how deep its stack is by the address of a frame. Every function that asks is
 * given at least this much of it, because most of a frame lies on a stack that cannot be asked:
 * the host's. So the limit of this one comes before the end of that. */
#define FRAME_BYTES 64
#define __builtin_frame_address(level) \
    ({ char frame[FRAME_BYTES]; __asm__ volatile("" : : "r"(frame) : "memory"); (void *)frame; })
/* The same for one level of nesting in a text that is parsed; see build.sh. */
#define PARSER_FRAME_BYTES 1024
#define CHECK_PARSER_STACK(s) \
    char parser_frame[PARSER_FRAME_BYTES]; \
    __asm__ volatile("" : : "r"(parser_frame) : "memory"); \
    if (unlikely((uintptr_t)parser_frame < (s)->ctx->rt->stack_limit)) { \
        JS_ThrowRangeError((s)->ctx, "Maximum call stack size exceeded"); \
        return -1; \
    }
#include "quickjs.c"
#undef __builtin_frame_address

#include <wasi/api.h>

#include "host.h"
#include "seal.h"
#include "prelude.h"

/* Of the 1 MiB that the linker gives the stack, what a program may use before it gets its
 * RangeError; the rest is for C code between two checks. */
#define SCRIPT_STACK_BYTES (768 * 1024)

/* What a program may allocate before the collector looks for cycles the first time: most
 * programs end before. */
#define FIRST_COLLECTION_BYTES (8 * 1024 * 1024)

/* Exit status of a program that ended by an error that nobody caught. */
#define STATUS_FAILED 1

/* The result that says: memory was exhausted and nobody caught it. */
#define RESULT_OUT_OF_MEMORY 256

static JSContext *context;

/* Functions of the prelude that C calls. */
static JSValue start_program, run_ticks, next_turn, report_fatal, report_rejection, last_words;

/* ---- the build ---- */

static void must(bool held)
{
    if (!held)
        __builtin_trap();
}

/* Give up the build and say why: the prelude itself failed. */
static void build_failed(JSContext *ctx)
{
    JSValue error = JS_GetException(ctx);
    JSValue stack = JS_GetPropertyStr(ctx, error, "stack");
    const char *what = JS_ToCString(ctx, error);
    const char *where = JS_ToCString(ctx, stack);
    fprintf(stderr, "the prelude failed: %s\n%s\n", what ? what : "?", where ? where : "?");
    __builtin_trap();
}

static JSValue built(JSContext *ctx, JSValue value)
{
    if (JS_IsException(value))
        build_failed(ctx);
    return value;
}

static void run_part(JSContext *ctx, const struct part *part, JSValue host)
{
    JSValue make = built(ctx, JS_Eval(ctx, (const char *)part->text, part->length, part->name,
                                      JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_STRICT));
    JS_FreeValue(ctx, built(ctx, JS_Call(ctx, make, JS_UNDEFINED, 1, vc(&host))));
    JS_FreeValue(ctx, make);
}

static void on_rejection(JSContext *ctx, JSValueConst promise, JSValueConst reason,
                         bool handled, void *opaque)
{
    JSValueConst args[] = { promise, reason, js_bool(handled) };
    JSValue done = JS_Call(ctx, report_rejection, JS_UNDEFINED, 3, args);
    if (JS_IsException(done))
        JS_FreeValue(ctx, JS_GetException(ctx));
    JS_FreeValue(ctx, done);
}

static void run_prelude(JSContext *ctx)
{
    JSValue host = JS_NewObject(ctx);
    must(!add_host_functions(ctx, host));
    for (size_t i = 0; i < prelude_count; i++)
        run_part(ctx, &prelude[i], host);
    find_module = JS_GetPropertyStr(ctx, host, "findModule");
    load_module = JS_GetPropertyStr(ctx, host, "loadModule");
    must(JS_IsFunction(ctx, find_module) && JS_IsFunction(ctx, load_module));
    start_program = JS_GetPropertyStr(ctx, host, "startProgram");
    run_ticks = JS_GetPropertyStr(ctx, host, "runTicks");
    next_turn = JS_GetPropertyStr(ctx, host, "nextTurn");
    report_fatal = JS_GetPropertyStr(ctx, host, "reportFatal");
    report_rejection = JS_GetPropertyStr(ctx, host, "reportRejection");
    last_words = JS_GetPropertyStr(ctx, host, "lastWords");
    must(JS_IsFunction(ctx, start_program) && JS_IsFunction(ctx, run_ticks));
    must(JS_IsFunction(ctx, next_turn) && JS_IsFunction(ctx, report_fatal));
    must(JS_IsFunction(ctx, report_rejection) && JS_IsFunction(ctx, last_words));
    JS_FreeValue(ctx, host);
}

__attribute__((export_name("lazaret_init"))) void lazaret_init(void)
{
    JSRuntime *rt = JS_NewRuntime2(&image_memory, NULL);
    must(rt);
    JSContext *ctx = context = JS_NewContext(rt);
    must(ctx);
    JS_SetGCThreshold(rt, (size_t)-1);
    run_prelude(ctx);
    add_module_loader(ctx);
    JS_SetHostPromiseRejectionTracker(rt, on_rejection, NULL);
    JS_RunGC(rt);
    JS_SetGCThreshold(rt, rt->malloc_state.malloc_size + FIRST_COLLECTION_BYTES);
    seal_image(rt);
}

/* ---- a call ---- */

__attribute__((export_name("lazaret_alloc"))) void *lazaret_alloc(size_t length)
{
    return image_malloc(NULL, length);
}

/* The bytes that the host hands over, read from the front. */
struct reader {
    const uint8_t *at, *end;
};

static uint32_t read_u32(struct reader *from)
{
    uint32_t value;
    must(from->end - from->at >= (ptrdiff_t)sizeof value);
    memcpy(&value, from->at, sizeof value);
    from->at += sizeof value;
    return value;
}

static JSValue read_text(JSContext *ctx, struct reader *from)
{
    uint32_t length = read_u32(from);
    must((size_t)(from->end - from->at) >= length);
    JSValue text = JS_NewStringLen(ctx, (const char *)from->at, length);
    from->at += length;
    return text;
}

static JSValue read_args(JSContext *ctx, struct reader *from)
{
    uint32_t count = read_u32(from);
    JSValue args = JS_NewArray(ctx);
    for (uint32_t i = 0; i < count && !JS_IsException(args); i++)
        JS_SetPropertyUint32(ctx, args, i, read_text(ctx, from));
    return args;
}

/* Nothing that one call could learn from the build, or from another call. The prelude keeps no
 * entry in a Map or Set, so their seed may change. */
static void freshen(JSContext *ctx)
{
    struct { uint64_t random; uint32_t hash; } fresh;
    must(!__wasi_random_get((uint8_t *)&fresh, sizeof fresh));
    ctx->random_state = fresh.random ? fresh.random : 1;
    ctx->hash_seed = fresh.hash;
    ctx->time_origin = js__now_ms();
    JSRuntime *rt = ctx->rt;
    rt->stack_top = js_get_stack_pointer();
    rt->stack_limit = rt->stack_top > SCRIPT_STACK_BYTES ? rt->stack_top - SCRIPT_STACK_BYTES : 1;
}

/* An error that nobody caught: told on stderr, then the status. */
static int failed(JSContext *ctx)
{
    JSValue error = JS_GetException(ctx);
    bool exhausted = memory_was_refused && is_out_of_memory(ctx, error);
    JSValue status = JS_Call(ctx, report_fatal, JS_UNDEFINED, 1, vc(&error));
    if (exhausted)
        return RESULT_OUT_OF_MEMORY;
    if (JS_IsException(status)) {
        const char *plain = JS_ToCString(ctx, error);
        write_plain("Uncaught ");
        write_plain(plain ? plain : "error");
        write_plain("\n");
        return STATUS_FAILED;
    }
    return JS_VALUE_GET_INT(status);
}

/* process.nextTick, then promise jobs, until both are done. False if one of them threw. */
static bool drain(JSContext *ctx)
{
    JSContext *of;
    do {
        JSValue ticked = JS_Call(ctx, run_ticks, JS_UNDEFINED, 0, NULL);
        if (JS_IsException(ticked))
            return false;
        int ran = 0;
        while (JS_IsJobPending(ctx->rt)) {
            ran = JS_ExecutePendingJob(ctx->rt, &of);
            if (ran < 0)
                return false;
        }
        if (!ran && !JS_VALUE_GET_BOOL(ticked))
            return true;
    } while (true);
}

/* Let a handler of the program take the error. True if one did. */
static bool survived(JSContext *ctx, int *status)
{
    *status = failed(ctx);
    return *status < 0;
}

/* The event loop: the status with which the program ends. */
static int run_to_end(JSContext *ctx)
{
    int status;
    for (;;) {
        while (!drain(ctx))
            if (!survived(ctx, &status))
                return status;
        /* One turn: a timer's callbacks or what came in. Below zero nothing waits any more. */
        JSValue turn = JS_Call(ctx, next_turn, JS_UNDEFINED, 0, NULL);
        if (JS_IsException(turn)) {
            if (!survived(ctx, &status))
                return status;
            continue;
        }
        if (JS_VALUE_GET_BOOL(turn))
            continue;
        JSValue ended = JS_Call(ctx, last_words, JS_UNDEFINED, 0, NULL);
        if (JS_IsException(ended))
            return survived(ctx, &status) ? STATUS_FAILED : status;
        if (JS_VALUE_GET_INT(ended) >= 0)
            return JS_VALUE_GET_INT(ended);
    }
}

__attribute__((export_name("lazaret_run"))) int lazaret_run(const uint8_t *at, size_t length)
{
    JSContext *ctx = context;
    struct reader from = { at, at + length };
    freshen(ctx);
    JSValue program[3];
    program[0] = read_text(ctx, &from);
    program[1] = read_text(ctx, &from);
    program[2] = read_args(ctx, &from);
    image_free(NULL, (void *)at);
    JSValue begun = JS_EXCEPTION;
    if (!JS_HasException(ctx))
        begun = JS_Call(ctx, start_program, JS_UNDEFINED, 3, vc(program));
    int status;
    if (JS_IsException(begun) && !survived(ctx, &status))
        return status;
    return run_to_end(ctx);
}
