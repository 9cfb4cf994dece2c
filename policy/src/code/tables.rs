//! Names of Python and of JavaScript's runtimes that matter to a judgement.
//!
//! From the reference manuals of CPython 3.14 and Node.js 22. Tables only; a name that is missing
//! here is still listed among the calls.

use super::facts::DynamicKind;

/// How a function starts other programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Starts {
    /// The first argument is a shell text.
    Shell,
    /// The first argument is a list of words, or one program; a shell text with `shell=True`.
    Either,
    /// A program, then a list of its words with its name first.
    ProgramThenList,
    /// A program, then its words with its name first.
    ProgramThenWords,
    /// The same, after a mode.
    ModeProgramThenList,
    /// The same, after a mode.
    ModeProgramThenWords,
    /// All arguments are words.
    Words,
    /// A program, then a list of its arguments without its name.
    ProgramAndList,
}

/// How a function of Python starts programs.
pub(super) fn python_starts(name: &str) -> Option<Starts> {
    Some(match name {
        "os.system"
        | "os.popen"
        | "os.popen2"
        | "os.popen3"
        | "os.popen4"
        | "posix.system"
        | "nt.system"
        | "platform.popen"
        | "subprocess.getoutput"
        | "subprocess.getstatusoutput"
        | "commands.getoutput"
        | "commands.getstatusoutput"
        | "asyncio.create_subprocess_shell"
        | "pexpect.run"
        | "pexpect.spawn" => Starts::Shell,
        "subprocess.run"
        | "subprocess.call"
        | "subprocess.check_call"
        | "subprocess.check_output"
        | "subprocess.Popen"
        | "pty.spawn"
        | "_posixsubprocess.fork_exec"
        | "os.startfile" => Starts::Either,
        "os.execv" | "os.execve" | "os.execvp" | "os.execvpe" | "os.posix_spawn"
        | "os.posix_spawnp" | "posix.execv" | "posix.execve" => Starts::ProgramThenList,
        "os.execl" | "os.execle" | "os.execlp" | "os.execlpe" => Starts::ProgramThenWords,
        "os.spawnv" | "os.spawnve" | "os.spawnvp" | "os.spawnvpe" => Starts::ModeProgramThenList,
        "os.spawnl" | "os.spawnle" | "os.spawnlp" | "os.spawnlpe" => Starts::ModeProgramThenWords,
        "asyncio.create_subprocess_exec" => Starts::Words,
        _ => return None,
    })
}

/// How a function of JavaScript starts programs.
pub(super) fn javascript_starts(name: &str) -> Option<Starts> {
    Some(match name {
        "child_process.exec"
        | "child_process.execSync"
        | "execa.command"
        | "execa.commandSync"
        | "execa.execaCommand"
        | "shelljs.exec"
        | "Bun.$" => Starts::Shell,
        "child_process.spawn"
        | "child_process.spawnSync"
        | "child_process.execFile"
        | "child_process.execFileSync"
        | "child_process.fork"
        | "execa"
        | "execa.execa"
        | "execa.execaSync"
        | "cross-spawn"
        | "Deno.Command" => Starts::ProgramAndList,
        "Bun.spawn" | "Bun.spawnSync" | "Deno.run" => Starts::Either,
        _ => return None,
    })
}

/// What a mention of a name of Python makes possible.
pub(super) fn python_dynamic(name: &str) -> Option<DynamicKind> {
    use DynamicKind as Kind;
    const ROOTS: &[(&str, DynamicKind)] = &[
        ("code.", Kind::Code),
        ("codeop.", Kind::Code),
        ("runpy.", Kind::Import),
        ("imp.", Kind::Import),
        ("importlib.", Kind::Import),
        ("zipimport.", Kind::Import),
        ("pkgutil.", Kind::Import),
        ("site.", Kind::Import),
        ("pickle.", Kind::Deserialise),
        ("cPickle.", Kind::Deserialise),
        ("_pickle.", Kind::Deserialise),
        ("dill.", Kind::Deserialise),
        ("cloudpickle.", Kind::Deserialise),
        ("marshal.", Kind::Deserialise),
        ("shelve.", Kind::Deserialise),
        ("joblib.load", Kind::Deserialise),
        ("jsonpickle.", Kind::Deserialise),
        ("ctypes.", Kind::Native),
        ("_ctypes.", Kind::Native),
        ("cffi.", Kind::Native),
        ("inspect.", Kind::Introspection),
        ("gc.get", Kind::Introspection),
    ];
    Some(match name {
        "eval" | "exec" | "compile" | "execfile" | "types.FunctionType" | "types.CodeType"
        | "types.LambdaType" | "timeit.timeit" | "timeit.Timer" | "timeit.repeat"
        | "sympy.sympify" | "pandas.eval" | "numexpr.evaluate" | "profile.run" | "cProfile.run"
        | "pdb.run" | "pdb.runeval" | "trace.Trace().run" => Kind::Code,
        "__import__" | "reload" | "importlib.import_module" => Kind::Import,
        "getattr"
        | "setattr"
        | "delattr"
        | "operator.attrgetter"
        | "operator.methodcaller"
        | "object.__getattribute__"
        | "type.__getattribute__" => Kind::Member,
        "globals" | "locals" | "vars" | "__builtins__" | "builtins" | "sys.modules"
        | "sys.meta_path" | "sys.path_hooks" | "__loader__" | "__spec__" => Kind::Namespace,
        "sys._getframe"
        | "sys._current_frames"
        | "sys.settrace"
        | "sys.setprofile"
        | "breakpoint"
        | "type.__subclasses__"
        | "object.__subclasses__" => Kind::Introspection,
        "yaml.load"
        | "yaml.unsafe_load"
        | "yaml.full_load"
        | "yaml.load_all"
        | "yaml.unsafe_load_all"
        | "pandas.read_pickle"
        | "torch.load"
        | "numpy.load"
        | "copyreg.pickle" => Kind::Deserialise,
        _ => {
            return ROOTS
                .iter()
                .find(|(root, _)| name.starts_with(root))
                .map(|(_, kind)| *kind);
        }
    })
}

/// Attributes of Python that lead around names.
pub(super) fn python_attribute(name: &str) -> Option<DynamicKind> {
    use DynamicKind as Kind;
    Some(match name {
        "__dict__" | "__globals__" | "__builtins__" | "__builtin__" | "f_globals" | "f_locals"
        | "f_builtins" | "func_globals" | "__self__" | "modules" => Kind::Namespace,
        "__class__" | "__bases__" | "__base__" | "__mro__" | "mro" | "__subclasses__"
        | "__code__" | "func_code" | "__closure__" | "gi_frame" | "cr_frame" | "ag_frame"
        | "tb_frame" | "f_back" | "gi_code" | "cr_code" | "__reduce__" | "__reduce_ex__"
        | "__init_subclass__" | "__wrapped__" | "__func__" | "__traceback__" => Kind::Introspection,
        "__getattribute__" | "__getattr__" | "__setattr__" | "__delattr__" => Kind::Member,
        "__import__" | "__loader__" | "__spec__" | "load_module" | "exec_module" | "find_spec" => {
            Kind::Import
        }
        _ => return None,
    })
}

/// What a mention of a name of JavaScript makes possible.
pub(super) fn javascript_dynamic(name: &str) -> Option<DynamicKind> {
    use DynamicKind as Kind;
    const ROOTS: &[(&str, DynamicKind)] = &[
        ("vm.", Kind::Code),
        ("vm2", Kind::Code),
        ("repl.", Kind::Code),
        ("module.", Kind::Import),
        ("Module.", Kind::Import),
        ("require.", Kind::Import),
        ("v8.deserialize", Kind::Deserialise),
        ("node-serialize", Kind::Deserialise),
        ("serialize-javascript", Kind::Deserialise),
        ("ffi", Kind::Native),
        ("koffi", Kind::Native),
        ("WebAssembly.", Kind::Native),
        ("Reflect.", Kind::Member),
        ("inspector", Kind::Introspection),
    ];
    Some(match name {
        "eval"
        | "Function"
        | "GeneratorFunction"
        | "AsyncFunction"
        | "worker_threads.Worker"
        | "Worker"
        | "importScripts"
        | "execScript"
        | "ShadowRealm" => Kind::Code,
        // What these name is one thing, handed on under another name.
        "module.exports" | "module.id" | "require.main" => return None,
        "require" | "module" | "process.mainModule" | "process.getBuiltinModule" => Kind::Import,
        "process.binding"
        | "process._linkedBinding"
        | "process.dlopen"
        | "bindings"
        | "Bun.dlopen"
        | "Deno.dlopen"
        | "bun:ffi.dlopen" => Kind::Native,
        "Proxy" | "Object.getOwnPropertyDescriptor" | "Object.getOwnPropertyDescriptors" => {
            Kind::Member
        }
        "globalThis" | "global" | "window" | "self" | "process" => Kind::Namespace,
        "Object.setPrototypeOf" | "Object.getPrototypeOf" => Kind::Introspection,
        _ => {
            return ROOTS
                .iter()
                .find(|(root, _)| name.starts_with(root))
                .map(|(_, kind)| *kind);
        }
    })
}

/// Members of JavaScript's objects that lead around names.
pub(super) fn javascript_member(name: &str) -> Option<DynamicKind> {
    match name {
        "constructor" | "__proto__" | "__defineGetter__" | "__lookupGetter__" | "caller"
        | "callee" => Some(DynamicKind::Introspection),
        "_load" | "_compile" | "mainModule" | "createRequire" => Some(DynamicKind::Import),
        _ => None,
    }
}
