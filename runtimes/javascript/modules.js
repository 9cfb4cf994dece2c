// `require` and `import`: modules of the prelude and files of the program, nothing else.
(function (host) {
  const { fs, path } = host;
  const made = Object.create(null); // modules of the prelude that were asked for
  const files = Object.create(null); // CommonJS modules by file name
  // What node has and a sandbox has not: named, so that the error can say what to do.
  const ABSENT = 'async_hooks child_process cluster dgram diagnostics_channel dns dns/promises domain http http2 https inspector module net os punycode querystring repl sqlite stream stream/promises test test/reporters tls trace_events tty v8 vm wasi worker_threads zlib'.split(' ');

  function builtin(name) {
    const plain = name.startsWith('node:') ? name.slice(5) : name;
    if (!Object.hasOwn(host.modules, plain)) return undefined;
    made[plain] ??= host.modules[plain]();
    return made[plain];
  }

  function missing(name, from) {
    const plain = name.startsWith('node:') ? name.slice(5) : name;
    const isFile = /^(\.{0,2}\/|\.{1,2}$)/.test(name);
    const why = isFile ? '' : `: not available in this sandbox; run the code in a container profile`;
    const error = new Error(`Cannot find module '${name}'${why}${isFile && from ? `\nRequire stack:\n- ${from}` : ''}`);
    error.code = ABSENT.includes(plain) || !isFile ? 'ERR_NOT_AVAILABLE' : 'MODULE_NOT_FOUND';
    if (isFile) error.code = 'MODULE_NOT_FOUND';
    return error;
  }

  const isFile = (name) => fs.statSync(name, { throwIfNoEntry: false })?.isFile() ?? false;

  // The file that a path means: itself, with an ending, or the index of a directory.
  function fileOf(whole) {
    const guesses = ['', '.js', '.json', '.mjs', '.cjs', '/index.js', '/index.json', '/index.mjs'];
    return guesses.map((end) => whole + end).find(isFile);
  }

  function resolveFrom(from, name) {
    host.needText('id', name);
    if (name.startsWith('file:')) name = host.fileUrlToPath(new URL(name));
    if (/^(\.{0,2}\/|\.{1,2}$)/.test(name)) {
      const file = fileOf(path.resolve(path.dirname(from), name));
      if (file !== undefined) return file;
    }
    throw missing(name, from);
  }

  // ---- CommonJS ----

  class Module {
    constructor(filename, parent) {
      Object.assign(this, { id: filename, path: path.dirname(filename), exports: {}, filename, loaded: false, children: [], paths: [] });
      if (parent) parent.children.push(this);
    }
  }

  const HEAD = '(function (exports, require, module, __filename, __dirname) {\n';

  // The program's own first line stays line 1.
  function wrapped(text, filename) {
    return host.compile(`${HEAD}${text.startsWith('#!') ? `//${text.slice(2)}` : text}\n})`, filename, 0);
  }

  function requireOf(module) {
    function require(name) {
      return builtin(`${name}`) ?? load(resolveFrom(module.filename, name), module).exports;
    }
    require.resolve = (name) => (builtin(name) ? name : resolveFrom(module.filename, name));
    require.main = host.main;
    require.cache = files;
    return require;
  }

  function runModule(module, make) {
    const { exports } = module;
    make.call(exports, exports, requireOf(module), module, module.filename, module.path);
    module.loaded = true;
  }

  function load(filename, parent) {
    if (files[filename]) return files[filename];
    const text = fs.readFileSync(filename, 'utf8');
    const module = new Module(filename, parent);
    files[filename] = module;
    try {
      if (filename.endsWith('.json')) module.exports = JSON.parse(text);
      else runModule(module, readCommon(text, filename));
    } catch (error) {
      delete files[filename];
      throw error;
    }
    return module;
  }

  function readCommon(text, filename) {
    try {
      return wrapped(text, filename);
    } catch (error) {
      if (!looksLikeModule(text)) throw error;
      throw host.coded(Error, 'ERR_REQUIRE_ESM', `require() of ES Module ${filename} is not supported; use import`);
    }
  }

  function looksLikeModule(text) {
    return /^\s*(import\b|export\b)/m.test(text) || /\bawait\b/.test(text);
  }

  // ---- ES modules ----

  host.findModule = function findModule(from, name) {
    return builtin(name) ? `node:${name.replace(/^node:/, '')}` : resolveFrom(from, name);
  };

  function asValues(exports) {
    const values = { default: exports };
    if (exports !== null && (typeof exports === 'object' || typeof exports === 'function')) {
      for (const key of Object.keys(exports)) if (key !== 'default') values[key] = exports[key];
    }
    return values;
  }

  host.loadModule = function loadModule(name, type) {
    if (name.startsWith('node:')) return { values: asValues(builtin(name)) };
    if (type === 'text') return { values: { default: fs.readFileSync(name, 'utf8') } };
    if (type === 'json' || name.endsWith('.json')) return { values: { default: JSON.parse(fs.readFileSync(name, 'utf8')) } };
    const text = fs.readFileSync(name, 'utf8');
    const isCommon = name.endsWith('.cjs') || (!name.endsWith('.mjs') && !looksLikeModule(text) && /\b(module|exports|require)\b/.test(text));
    return isCommon ? { values: asValues(load(name, host.main).exports) } : { text };
  };

  // ---- the program ----

  // Made when the runtime is built, so that a call finds them ready.
  const MAIN = '/workspace/main.js';
  const main = new Module(MAIN, null);
  main.id = '.';
  files[MAIN] = main;
  host.main = main;
  const mainRequire = requireOf(main);
  host.define(globalThis, { require: mainRequire, module: main, exports: main.exports });

  function rename(filename) {
    delete files[MAIN];
    files[filename] = main;
    main.filename = filename;
    main.path = path.dirname(filename);
  }

  // Runs the program; a promise of its end if it is an ES module.
  host.runMain = function runMain(text, filename) {
    if (filename !== MAIN) rename(filename);
    if (filename.endsWith('.mjs')) return host.importMain(text, filename);
    let make;
    try {
      make = wrapped(text, filename);
    } catch (error) {
      if (!(error instanceof SyntaxError) || !looksLikeModule(text)) throw error;
      return asModule(text, filename, error);
    }
    const { exports } = main;
    make.call(exports, exports, mainRequire, main, filename, main.path);
    main.loaded = true;
    return undefined;
  };

  const lineOf = (error) => Number(/:(\d+):\d+\)?$/m.exec(error.stack)?.[1] ?? 0);

  // What is no script may be a module; if it is neither, the reading that came further is right.
  function asModule(text, filename, first) {
    try {
      return host.importMain(text, filename);
    } catch (error) {
      throw error instanceof SyntaxError && lineOf(error) < lineOf(first) ? first : error;
    }
  }
})
