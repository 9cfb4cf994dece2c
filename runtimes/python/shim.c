/* The C side of the Python runtime: CPython as a reactor that speaks the guest
 * ABI (docs/GUEST-ABI.md). `lazaret_init` runs once, when the runtime is built;
 * the instance is frozen after it. `lazaret_run` runs one program in a copy of
 * the frozen instance and is called once.
 *
 * It fails by returning 1 with the reason on standard error, or by trapping.
 */
#include <Python.h>
#include <stdlib.h>
#include <string.h>
#include <wasi/libc.h>

#define EXPORT(name) __attribute__((export_name(name)))

/* What the ABI calls "memory exhausted and nobody caught it". */
#define MEMORY_EXHAUSTED 256

/* A program of common size is handed over here, without touching the heap. */
#define INPUT_BYTES (64 * 1024)

/* Of wasi-libc; not in its headers. */
extern char *__wasilibc_cwd;
void __wasilibc_reset_preopens(void);

static char input[INPUT_BYTES];
static PyObject *run_program;

static void give_up(const char *step) {
    fprintf(stderr, "lazaret: %s failed\n", step);
    if (PyErr_Occurred()) PyErr_Print();
    fflush(stderr);
    abort();
}

/* Nothing of the machine that builds the image reaches the interpreter: no
 * environment, no site directory, one place to import from. */
static void start_python(void) {
    PyConfig config;
    PyConfig_InitIsolatedConfig(&config);
    config.site_import = 0;
    config.write_bytecode = 0;
    config.install_signal_handlers = 0;
    config.pathconfig_warnings = 0;
    config.module_search_paths_set = 1;
    PyStatus status = PyWideStringList_Append(&config.module_search_paths, L"/image");
    if (!PyStatus_Exception(status))
        status = PyConfig_SetString(&config, &config.program_name, L"python3");
    if (!PyStatus_Exception(status))
        status = PyConfig_SetString(&config, &config.executable, L"");
    if (!PyStatus_Exception(status)) status = Py_InitializeFromConfig(&config);
    if (PyStatus_Exception(status)) {
        fprintf(stderr, "lazaret: CPython does not start: %s\n", status.err_msg);
        abort();
    }
    PyConfig_Clear(&config);
}

EXPORT("lazaret_init") void lazaret_init(void) {
    start_python();
    PyObject *module = PyImport_ImportModule("lazaret_app");
    if (module == NULL) give_up("importing the Python side");
    run_program = PyObject_GetAttrString(module, "run");
    if (run_program == NULL) give_up("finding `run`");
    Py_DECREF(module);
    /* The directories of the machine that runs it are other ones. */
    __wasilibc_reset_preopens();
    __wasilibc_cwd = "/workspace";
}

EXPORT("lazaret_alloc") char *lazaret_alloc(size_t length) {
    return length <= INPUT_BYTES ? input : malloc(length);
}

/* The next length-prefixed field of the input as text. */
static PyObject *next_text(const unsigned char **at, const unsigned char *end) {
    uint32_t length;
    if (end - *at < 4) return NULL;
    memcpy(&length, *at, 4);
    *at += 4;
    if ((size_t)(end - *at) < length) return NULL;
    PyObject *text = PyUnicode_DecodeUTF8((const char *)*at, length, "strict");
    *at += length;
    return text;
}

static PyObject *next_list(const unsigned char **at, const unsigned char *end) {
    uint32_t count;
    if (end - *at < 4) return NULL;
    memcpy(&count, *at, 4);
    *at += 4;
    PyObject *list = PyList_New(0);
    for (; list != NULL && count > 0; count--) {
        PyObject *text = next_text(at, end);
        if (text == NULL || PyList_Append(list, text) < 0) Py_CLEAR(list);
        Py_XDECREF(text);
    }
    return list;
}

/* Reads the input and runs it; NULL with an exception when it cannot be read. */
static PyObject *run_input(const unsigned char *at, const unsigned char *end) {
    PyObject *code = next_text(&at, end);
    PyObject *filename = code ? next_text(&at, end) : NULL;
    PyObject *args = filename ? next_list(&at, end) : NULL;
    PyObject *status = NULL;
    if (args != NULL) {
        PyObject *all[] = {code, filename, args};
        status = PyObject_Vectorcall(run_program, all, 3, NULL);
    }
    Py_XDECREF(code);
    Py_XDECREF(filename);
    Py_XDECREF(args);
    return status;
}

EXPORT("lazaret_run") int lazaret_run(const unsigned char *at, size_t length) {
    PyObject *status = run_input(at, at + length);
    if (status == NULL) {
        if (PyErr_ExceptionMatches(PyExc_MemoryError)) return MEMORY_EXHAUSTED;
        PyErr_Print();
        return 1;
    }
    /* The instance is thrown away: nothing is worth releasing. */
    return (int)PyLong_AsLong(status);
}
