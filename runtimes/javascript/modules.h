/* Where `import` finds its modules: the prelude says what a name means and what is in it, this
 * makes a module of that. It opens nothing itself. Included once, by host.h.
 */
#ifndef LAZARET_MODULES_H
#define LAZARET_MODULES_H

/* findModule(importer, name): the absolute name; throws if there is none */
static JSValue find_module;
/* loadModule(absolute name, type or undefined): { text } of an ES module, or { values }, which become exports */
static JSValue load_module;

static char *normalize(JSContext *ctx, const char *importer, const char *name, void *opaque)
{
    JSValue args[] = { JS_NewString(ctx, importer), JS_NewString(ctx, name) };
    JSValue found = JS_Call(ctx, find_module, JS_UNDEFINED, 2, vc(args));
    JS_FreeValue(ctx, args[0]);
    JS_FreeValue(ctx, args[1]);
    const char *text = JS_IsException(found) ? NULL : JS_ToCString(ctx, found);
    char *copy = text ? js_strdup(ctx, text) : NULL;
    JS_FreeCString(ctx, text);
    JS_FreeValue(ctx, found);
    return copy;
}

static int set_meta(JSContext *ctx, JSModuleDef *module, const char *filename)
{
    JSValue meta = JS_GetImportMeta(ctx, module);
    if (JS_IsException(meta))
        return -1;
    DynBuf url;
    js_dbuf_init(ctx, &url);
    dbuf_printf(&url, "file://%s", filename);
    const char *slash = strrchr(filename, '/');
    JS_SetPropertyStr(ctx, meta, "dirname",
                      JS_NewStringLen(ctx, filename, slash ? slash - filename : 0));
    JS_SetPropertyStr(ctx, meta, "filename", JS_NewString(ctx, filename));
    JS_SetPropertyStr(ctx, meta, "url", JS_NewStringLen(ctx, (char *)url.buf, url.size));
    dbuf_free(&url);
    JS_FreeValue(ctx, meta);
    return 0;
}

/* Read an ES module without running it. */
static JSValue read_module(JSContext *ctx, const char *text, size_t length, const char *shown)
{
    return JS_Eval(ctx, text, length, shown, JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
}

static int give_values(JSContext *ctx, JSModuleDef *module)
{
    JSValue values = JS_GetModulePrivateValue(ctx, module);
    JSPropertyEnum *names;
    uint32_t count;
    if (JS_GetOwnPropertyNames(ctx, &names, &count, values, JS_GPN_STRING_MASK))
        return -1;
    for (uint32_t i = 0; i < count; i++) {
        const char *name = JS_AtomToCString(ctx, names[i].atom);
        if (name)
            JS_SetModuleExport(ctx, module, name, JS_GetProperty(ctx, values, names[i].atom));
        JS_FreeCString(ctx, name);
    }
    JS_FreePropertyEnum(ctx, names, count);
    JS_FreeValue(ctx, values);
    return 0;
}

/* A module whose exports are the properties of `values`. */
static JSModuleDef *module_of_values(JSContext *ctx, const char *name, JSValue values)
{
    JSPropertyEnum *names;
    uint32_t count;
    JSModuleDef *module = JS_NewCModule(ctx, name, give_values);
    if (!module || JS_GetOwnPropertyNames(ctx, &names, &count, values, JS_GPN_STRING_MASK))
        return NULL;
    for (uint32_t i = 0; i < count; i++) {
        const char *export = JS_AtomToCString(ctx, names[i].atom);
        if (export)
            JS_AddModuleExport(ctx, module, export);
        JS_FreeCString(ctx, export);
    }
    JS_FreePropertyEnum(ctx, names, count);
    JS_SetModulePrivateValue(ctx, module, js_dup(values));
    return module;
}

static JSModuleDef *module_of_text(JSContext *ctx, const char *name, JSValue text)
{
    size_t length;
    const char *source = JS_ToCStringLen(ctx, &length, text);
    if (!source)
        return NULL;
    JSValue module = read_module(ctx, source, length, name);
    JS_FreeCString(ctx, source);
    if (JS_IsException(module))
        return NULL;
    JSModuleDef *of = JS_VALUE_GET_PTR(module);
    JS_FreeValue(ctx, module);
    return set_meta(ctx, of, name) ? NULL : of;
}

/* The attribute `type` of an import; undefined without one. */
static JSValue type_of(JSContext *ctx, JSValueConst attributes)
{
    return JS_IsObject(attributes) ? JS_GetPropertyStr(ctx, attributes, "type") : JS_UNDEFINED;
}

/* Only a type is understood, and only these: any other could load a module once more. */
static int check_attributes(JSContext *ctx, void *opaque, JSValueConst attributes)
{
    JSPropertyEnum *names;
    uint32_t count;
    if (JS_GetOwnPropertyNames(ctx, &names, &count, attributes, JS_GPN_STRING_MASK))
        return -1;
    JS_FreePropertyEnum(ctx, names, count);
    JSValue type = type_of(ctx, attributes);
    const char *text = JS_ToCString(ctx, type);
    bool is_known = text && count == 1 && (!strcmp(text, "json") || !strcmp(text, "text"));
    if (text && !is_known)
        JS_ThrowTypeError(ctx, "import attribute is not supported; only type: 'json' and type: 'text' are");
    JS_FreeCString(ctx, text);
    JS_FreeValue(ctx, type);
    return is_known ? 0 : -1;
}

static JSModuleDef *load(JSContext *ctx, const char *name, void *opaque, JSValueConst attributes)
{
    JSValue args[] = { JS_NewString(ctx, name), type_of(ctx, attributes) };
    JSValue loaded = JS_Call(ctx, load_module, JS_UNDEFINED, 2, vc(args));
    JS_FreeValue(ctx, args[0]);
    JS_FreeValue(ctx, args[1]);
    if (JS_IsException(loaded))
        return NULL;
    JSValue text = JS_GetPropertyStr(ctx, loaded, "text");
    JSValue values = JS_GetPropertyStr(ctx, loaded, "values");
    JSModuleDef *module = JS_IsString(text) ? module_of_text(ctx, name, text) :
                                              module_of_values(ctx, name, values);
    JS_FreeValue(ctx, text);
    JS_FreeValue(ctx, values);
    JS_FreeValue(ctx, loaded);
    return module;
}

static void add_module_loader(JSContext *ctx)
{
    JS_SetModuleLoaderFunc2(JS_GetRuntime(ctx), normalize, load, check_attributes, NULL);
}

/* host.importMain(text, filename): runs the program as an ES module; a promise of its end */
static JSValue host_import_main(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
    size_t length;
    const char *text = JS_ToCStringLen(ctx, &length, argv[0]);
    const char *filename = text ? JS_ToCString(ctx, argv[1]) : NULL;
    JSValue module = filename ? read_module(ctx, text, length, filename) : JS_EXCEPTION;
    JS_FreeCString(ctx, text);
    if (!JS_IsException(module) && set_meta(ctx, JS_VALUE_GET_PTR(module), filename)) {
        JS_FreeValue(ctx, module);
        module = JS_EXCEPTION;
    }
    JS_FreeCString(ctx, filename);
    return JS_IsException(module) ? module : JS_EvalFunction(ctx, module);
}

#endif
