// `process`: arguments, streams, how the program ends. There is no environment and no host
// behind it: what it tells of the machine is what a sandbox may tell.
(function (host) {
  const { EventEmitter, nextTick } = host;
  const VERSION = 'v20.0.0-lazaret'; // of node, after which the functions are modelled
  const process = Object.create(Object.create(EventEmitter.prototype, {
    [Symbol.toStringTag]: { value: 'process', configurable: true },
  }));
  let directory = '/workspace';
  let exiting = false;

  host.directory = () => directory;

  // ---- output ----

  function failedWrite(code) {
    return host.systemError(-code, 'write');
  }

  class Output extends EventEmitter {
    constructor(fd) {
      super();
      Object.assign(this, { fd, writable: true, isTTY: undefined });
      delete this.isTTY;
    }

    write(data, encoding, done) {
      if (typeof encoding === 'function') [encoding, done] = [undefined, encoding];
      if (typeof data !== 'string' && !(data instanceof Uint8Array)) {
        throw host.wrongType('chunk', 'of type string or an instance of Buffer or Uint8Array', data);
      }
      const bytes = typeof data === 'string' && encoding ? host.Buffer.from(data, encoding) : data;
      host.print(this.fd, bytes);
      if (done) nextTick(done);
      return true;
    }

    end(data, encoding, done) {
      if (typeof data === 'function') [data, done] = [undefined, data];
      if (data !== undefined) this.write(data, encoding);
      if (typeof done === 'function') nextTick(done);
      nextTick(() => this.emit('finish'));
      return this;
    }

    cork() {}

    uncork() {}
  }

  // Writes all of it, or throws.
  host.print = function print(fd, data) {
    if (typeof data === 'string' && !data.isWellFormed()) data = data.toWellFormed();
    const code = host.write(fd, data);
    if (code !== 0) throw failedWrite(code);
  };

  // ---- input ----

  const CHUNK_BYTES = 64 * 1024;

  function readChunk() {
    const bytes = new Uint8Array(CHUNK_BYTES);
    const got = host.read(0, bytes, -1);
    if (got < 0) throw host.systemError(-got, 'read');
    return got === 0 ? null : host.asBuffer(bytes.slice(0, got));
  }

  class Input extends EventEmitter {
    #decoder = null;
    #ended = false;
    #flowing = false;
    #kept = [];

    fd = 0;
    readable = true;

    #text(bytes) {
      if (this.#decoder === null) return bytes;
      const text = bytes === null ? this.#decoder.end() : this.#decoder.write(bytes);
      return text === '' ? undefined : text;
    }

    #finish() {
      this.#ended = true;
      this.readable = false;
      host.awaitInput(null);
      const rest = this.#decoder === null ? undefined : this.#text(null);
      if (rest !== undefined) this.emit('data', rest);
      this.emit('end');
      this.emit('close');
    }

    #arrived = () => {
      const bytes = readChunk();
      if (bytes === null) return this.#finish();
      const data = this.#text(bytes);
      if (data === undefined) return;
      if (this.listenerCount('readable') > 0 && this.listenerCount('data') === 0) {
        this.#kept.push(data);
        this.emit('readable');
      } else {
        this.emit('data', data);
      }
    };

    #start() {
      if (this.#flowing || this.#ended) return;
      this.#flowing = true;
      host.awaitInput(this.#arrived);
    }

    on(name, listener) {
      super.on(name, listener);
      if (name === 'data' || name === 'readable') this.#start();
      return this;
    }

    addListener(name, listener) {
      return this.on(name, listener);
    }

    once(name, listener) {
      super.once(name, listener);
      if (name === 'data' || name === 'readable') this.#start();
      return this;
    }

    setEncoding(encoding) {
      this.#decoder = new host.StringDecoder(encoding);
      return this;
    }

    read() {
      return this.#kept.length > 0 ? this.#kept.shift() : null;
    }

    resume() {
      this.#start();
      return this;
    }

    pause() {
      this.#flowing = false;
      host.awaitInput(null);
      return this;
    }

    ref() {
      return this;
    }

    unref() {
      return this.pause();
    }

    pipe(into) {
      this.on('data', (data) => into.write(data));
      if (into !== process.stdout && into !== process.stderr) this.on('end', () => into.end?.());
      return into;
    }

    async *[Symbol.asyncIterator]() {
      for (;;) {
        const bytes = this.#ended ? null : readChunk();
        if (bytes === null) break;
        const data = this.#text(bytes);
        if (data !== undefined) yield data;
      }
      if (!this.#ended) {
        this.#ended = true;
        const rest = this.#decoder === null ? undefined : this.#text(null);
        if (rest !== undefined) yield rest;
      }
    }
  }

  // ---- the end ----

  function checkStatus(status) {
    const number = Number(status);
    if (Number.isInteger(number) && typeof status !== 'boolean') return number & 0xff;
    throw host.wrongType('code', 'of type number', status);
  }

  // Tell the handlers of `exit`, once; the status that they leave behind.
  host.leave = function leave(status) {
    if (!exiting) {
      exiting = true;
      process.exitCode = status;
      process.emit('exit', status);
    }
    return process.exitCode ?? status;
  };

  // What the loop asks when nothing is left to do.
  host.isExiting = () => exiting;

  let origin;

  function hrtime(since) {
    const now = host.monotonic();
    const past = since === undefined ? 0n : BigInt(since[0]) * 1_000_000_000n + BigInt(since[1]);
    const left = now - past;
    return [Number(left / 1_000_000_000n), Number(left % 1_000_000_000n)];
  }
  hrtime.bigint = () => host.monotonic();

  function memoryUsage() {
    const [heapUsed, rss] = host.memory();
    return { rss, heapTotal: rss, heapUsed, external: 0, arrayBuffers: 0 };
  }
  memoryUsage.rss = () => host.memory()[1];

  Object.assign(process, {
    title: 'lazaret', version: VERSION, versions: { node: VERSION.slice(1), quickjs: '0.16.2' },
    arch: 'wasm32', platform: 'wasi', release: { name: 'lazaret' }, pid: 1, ppid: 0, execArgv: [], execPath: 'node',
    argv: [], argv0: 'node', env: {}, exitCode: undefined, config: {}, features: {},
    stdin: new Input(), stdout: new Output(1), stderr: new Output(2),
    nextTick, hrtime, memoryUsage,
    cwd: () => directory,
    chdir(to) {
      const path = host.path.resolve(to);
      const found = host.stat(path, true);
      if (typeof found === 'number') throw host.systemError(-found, 'chdir', `${directory}' -> '${to}`);
      directory = path;
    },
    uptime: () => performance.now() / 1000,
    cpuUsage: () => ({ user: Math.round(performance.now() * 1000), system: 0 }),
    umask: () => 0o22,
    getuid: () => 1000, getgid: () => 1000, geteuid: () => 1000, getegid: () => 1000,
    emitWarning(warning) {
      host.print(2, `(node) ${typeof warning === 'string' ? `Warning: ${warning}` : warning}\n`);
    },
    exit(status = process.exitCode ?? 0) {
      host.exit(checkStatus(host.leave(checkStatus(status))));
    },
    reallyExit: (status) => host.exit(checkStatus(status)),
    abort: () => host.exit(134),
    kill() {
      throw host.unavailable('process.kill');
    },
  });

  host.process = process;
  host.modules.process = () => process;
  host.global({ process });
})
