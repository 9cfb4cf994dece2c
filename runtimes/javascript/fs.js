// The module `fs`: files under /workspace and /tmp, which are all that there is.
(function (host) {
  const { path, Buffer } = host;

  // WASI's error numbers and what node calls them.
  const ERRORS = {
    2: ['EACCES', 'permission denied'], 8: ['EBADF', 'bad file descriptor'], 10: ['EBUSY', 'resource busy or locked'],
    20: ['EEXIST', 'file already exists'], 22: ['EFBIG', 'file too large'], 28: ['EINVAL', 'invalid argument'],
    29: ['EIO', 'i/o error'], 31: ['EISDIR', 'illegal operation on a directory'], 32: ['ELOOP', 'too many symbolic links encountered'],
    33: ['EMFILE', 'too many open files'], 37: ['ENAMETOOLONG', 'name too long'], 44: ['ENOENT', 'no such file or directory'],
    48: ['ENOMEM', 'not enough memory'], 51: ['ENOSPC', 'no space left on device'], 52: ['ENOSYS', 'function not implemented'],
    54: ['ENOTDIR', 'not a directory'], 55: ['ENOTEMPTY', 'directory not empty'], 58: ['ENOTSUP', 'operation not supported on socket'],
    63: ['EPERM', 'operation not permitted'], 64: ['EPIPE', 'broken pipe'], 69: ['EROFS', 'read-only file system'],
    70: ['ESPIPE', 'invalid seek'], 75: ['EXDEV', 'cross-device link not permitted'], 76: ['EPERM', 'operation not permitted'],
  };
  // The numbers that Linux gives them, which `error.errno` shows negative.
  const NUMBERS = { EPERM: 1, ENOENT: 2, EIO: 5, EBADF: 9, ENOMEM: 12, EACCES: 13, EBUSY: 16, EEXIST: 17, EXDEV: 18, ENOTDIR: 20, EISDIR: 21, EINVAL: 22, EMFILE: 24, EFBIG: 27, ENOSPC: 28, ESPIPE: 29, EROFS: 30, EPIPE: 32, ENAMETOOLONG: 36, ENOSYS: 38, ENOTEMPTY: 39, ELOOP: 40, ENOTSUP: 95 };
  const NOENT = 44;
  const EXIST = 20;
  const ISDIR = 31;
  const O = { CREATE: 1, DIRECTORY: 2, EXCLUSIVE: 4, TRUNCATE: 8 };
  const APPEND = 1;
  const FLAGS = {
    r: [0, 0, false], rs: [0, 0, false], 'r+': [0, 0, true], 'rs+': [0, 0, true],
    w: [O.CREATE | O.TRUNCATE, 0, true], 'w+': [O.CREATE | O.TRUNCATE, 0, true],
    wx: [O.CREATE | O.TRUNCATE | O.EXCLUSIVE, 0, true], 'wx+': [O.CREATE | O.TRUNCATE | O.EXCLUSIVE, 0, true],
    a: [O.CREATE, APPEND, true], 'a+': [O.CREATE, APPEND, true], as: [O.CREATE, APPEND, true],
    ax: [O.CREATE | O.EXCLUSIVE, APPEND, true], 'ax+': [O.CREATE | O.EXCLUSIVE, APPEND, true],
  };
  const CONSTANTS = { F_OK: 0, R_OK: 4, W_OK: 2, X_OK: 1, O_RDONLY: 0, O_WRONLY: 1, O_RDWR: 2, O_CREAT: 64, O_EXCL: 128, O_TRUNC: 512, O_APPEND: 1024, COPYFILE_EXCL: 1 };

  host.systemError = function systemError(number, syscall, where) {
    const [code, what] = ERRORS[number] ?? ['EIO', `error ${number}`];
    const error = new Error(`${code}: ${what}, ${syscall}${where === undefined ? '' : ` '${where}'`}`);
    error.errno = -(NUMBERS[code] ?? 5);
    error.code = code;
    error.syscall = syscall;
    if (where !== undefined) error.path = where;
    return error;
  };

  // What a call gave, or its error.
  function checked(result, syscall, where) {
    if (typeof result === 'number' && result < 0) throw host.systemError(-result, syscall, where);
    return result;
  }

  function pathOf(name, what = 'path') {
    if (name instanceof URL) name = host.fileUrlToPath(name);
    if (name instanceof Uint8Array) name = host.decodeUtf8(name, false);
    if (typeof name !== 'string') throw host.wrongType(what, 'of type string or an instance of Buffer or URL', name);
    if (name.includes('\0')) throw host.coded(TypeError, 'ERR_INVALID_ARG_VALUE', `The argument '${what}' must be a string, Uint8Array, or URL without null bytes. Received ${host.inspect(name)}`);
    return name;
  }

  function optionsOf(options) {
    return typeof options === 'string' ? { encoding: options } : options ?? {};
  }

  function flagsOf(flags) {
    if (typeof flags === 'number') {
      const create = (flags & 64 ? O.CREATE : 0) | (flags & 128 ? O.EXCLUSIVE : 0) | (flags & 512 ? O.TRUNCATE : 0);
      return [create, flags & 1024 ? APPEND : 0, (flags & 3) !== 0];
    }
    if (!Object.hasOwn(FLAGS, flags)) throw host.coded(TypeError, 'ERR_INVALID_ARG_VALUE', `The argument 'flags' is invalid. Received ${host.inspect(flags)}`);
    return FLAGS[flags];
  }

  const isStdin = (name) => name === '/dev/stdin' || name === '/dev/fd/0' || name === '/proc/self/fd/0';

  function openSync(name, flags = 'r') {
    const shown = pathOf(name);
    if (isStdin(shown)) return 0;
    if (shown === '/dev/stdout') return 1;
    if (shown === '/dev/stderr') return 2;
    const [create, mode, write] = flagsOf(flags);
    return checked(host.open(path.resolve(shown), create, mode, write), 'open', shown);
  }

  function openDirectory(shown) {
    return checked(host.open(path.resolve(shown), O.DIRECTORY, 0, false), 'scandir', shown);
  }

  function withOpen(name, flags, act) {
    if (typeof name === 'number') return act(name);
    const fd = openSync(name, flags);
    try {
      return act(fd);
    } finally {
      if (fd > 2) host.close(fd);
    }
  }

  function checkFd(fd) {
    if (typeof fd !== 'number') throw host.wrongType('fd', 'of type number', fd);
    return fd;
  }

  // ---- whole files ----

  function isDirectory(fd) {
    const found = host.statOf(fd);
    return typeof found !== 'number' && KINDS[found[0]] === 'Directory';
  }

  function readFileSync(name, options) {
    const { encoding, flag = 'r' } = optionsOf(options);
    return withOpen(name, flag, (fd) => {
      const bytes = host.readAll(fd);
      if (typeof bytes === 'number') throw host.systemError(isDirectory(fd) ? ISDIR : -bytes, 'read');
      if (!encoding || encoding === 'buffer') return host.asBuffer(bytes);
      return host.encodingOf(encoding) === 'utf8' ? host.decodeUtf8(bytes, false) : host.asBuffer(bytes).toString(encoding);
    });
  }

  function bytesToWrite(data, encoding) {
    if (typeof data === 'string') return encoding && host.encodingOf(encoding) !== 'utf8' ? Buffer.from(data, encoding) : data.toWellFormed();
    if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    throw host.wrongType('data', 'of type string or an instance of Buffer, TypedArray, or DataView', data);
  }

  function writeFileSync(name, data, options) {
    const { encoding, flag = 'w' } = optionsOf(options);
    const bytes = bytesToWrite(data, encoding);
    withOpen(name, flag, (fd) => checked(host.write(fd, bytes), 'write'));
  }

  function appendFileSync(name, data, options) {
    writeFileSync(name, data, { ...optionsOf(options), flag: 'a' });
  }

  function copyFileSync(from, to, mode = 0) {
    if (mode & 1 && existsSync(to)) throw host.systemError(EXIST, 'copyfile', `${from}' -> '${to}`);
    writeFileSync(to, readFileSync(from));
  }

  // ---- descriptors ----

  function closeSync(fd) {
    if (checkFd(fd) > 2) checked(host.close(fd), 'close');
  }

  function readSync(fd, buffer, at, length, position) {
    if (typeof at === 'object' && at !== null) ({ offset: at, length, position } = at);
    at ??= 0;
    length ??= buffer.byteLength - at;
    const into = new Uint8Array(buffer.buffer, buffer.byteOffset + at, length);
    return checked(host.read(checkFd(fd), into, typeof position === 'number' || typeof position === 'bigint' ? Number(position) : -1), 'read');
  }

  function writeSync(fd, data, at, length, position) {
    checkFd(fd);
    if (typeof data === 'string') {
      const bytes = Buffer.from(data, typeof length === 'string' ? length : 'utf8');
      checked(host.write(fd, bytes, typeof at === 'number' ? at : -1), 'write');
      return bytes.length;
    }
    const whole = bytesToWrite(data);
    const part = whole.subarray(at ?? 0, (at ?? 0) + (length ?? whole.length - (at ?? 0)));
    checked(host.write(fd, part, typeof position === 'number' ? position : -1), 'write');
    return part.length;
  }

  function ftruncateSync(fd, length = 0) {
    checked(host.truncate(checkFd(fd), length), 'ftruncate');
  }

  function truncateSync(name, length = 0) {
    withOpen(name, 'r+', (fd) => ftruncateSync(fd, length));
  }

  // ---- what is there ----

  const KINDS = { 2: 'BlockDevice', 1: 'CharacterDevice', 3: 'Directory', 4: 'File', 7: 'SymbolicLink' };
  const MODES = { 3: 0o40755, 4: 0o100644, 7: 0o120777, 2: 0o60644, 1: 0o20644 };

  class Stats {
    #kind;

    constructor([kind, size, mtimeMs, atimeMs, ctimeMs, ino, nlink]) {
      this.#kind = kind;
      Object.assign(this, { dev: 0, mode: MODES[kind] ?? 0, nlink, uid: 1000, gid: 1000, rdev: 0, blksize: 4096, ino, size, blocks: Math.ceil(size / 512), atimeMs, mtimeMs, ctimeMs, birthtimeMs: ctimeMs });
      for (const name of ['atime', 'mtime', 'ctime', 'birthtime']) this[name] = new Date(Math.round(this[`${name}Ms`]));
    }

    is(kind) {
      return KINDS[this.#kind] === kind;
    }
  }

  class Dirent {
    #kind;

    constructor(name, kind, parent) {
      this.name = name;
      this.parentPath = parent;
      this.path = parent;
      this.#kind = kind;
    }

    is(kind) {
      return KINDS[this.#kind] === kind;
    }
  }

  for (const Class of [Stats, Dirent]) {
    const members = {};
    for (const kind of ['File', 'Directory', 'SymbolicLink', 'BlockDevice', 'CharacterDevice']) {
      members[`is${kind}`] = function () {
        return this.is(kind);
      };
    }
    members.isFIFO = () => false;
    members.isSocket = () => false;
    host.define(Class.prototype, members);
  }

  function stat(name, options, follow, syscall) {
    const shown = pathOf(name);
    const found = host.stat(path.resolve(shown), follow);
    if (found === -NOENT && options?.throwIfNoEntry === false) return undefined;
    return new Stats(checked(found, syscall, shown));
  }

  const statSync = (name, options) => stat(name, options, true, 'stat');
  const lstatSync = (name, options) => stat(name, options, false, 'lstat');
  const fstatSync = (fd) => new Stats(checked(host.statOf(checkFd(fd)), 'fstat'));

  function existsSync(name) {
    try {
      return typeof host.stat(path.resolve(pathOf(name)), true) !== 'number';
    } catch {
      return false;
    }
  }

  function accessSync(name) {
    const shown = pathOf(name);
    checked(host.stat(path.resolve(shown), true), 'access', shown);
  }

  function realpathSync(name) {
    const shown = pathOf(name);
    checked(host.stat(path.resolve(shown), true), 'lstat', shown);
    return path.resolve(shown);
  }
  realpathSync.native = realpathSync;

  function entriesOf(shown) {
    const fd = openDirectory(shown);
    try {
      const flat = checked(host.readDirectory(fd), 'scandir', shown);
      const entries = [];
      for (let at = 0; at < flat.length; at += 2) entries.push([flat[at], flat[at + 1]]);
      return entries.sort(([a], [b]) => (a < b ? -1 : 1));
    } finally {
      host.close(fd);
    }
  }

  function readdirSync(name, options) {
    const { withFileTypes = false, recursive = false } = optionsOf(options);
    const top = pathOf(name);
    const found = [];
    const walk = (shown, lead) => {
      for (const [entry, kind] of entriesOf(shown)) {
        found.push(withFileTypes ? new Dirent(entry, kind, shown) : lead + entry);
        if (recursive && KINDS[kind] === 'Directory') walk(`${shown}/${entry}`, `${lead}${entry}/`);
      }
    };
    walk(top, '');
    return found;
  }

  // ---- changes ----

  function mkdirSync(name, options) {
    const shown = pathOf(name);
    const whole = path.resolve(shown);
    if (!(typeof options === 'object' && options?.recursive)) {
      checked(host.makeDirectory(whole), 'mkdir', shown);
      return undefined;
    }
    let first;
    const parts = whole.split('/');
    for (let count = 3; count <= parts.length; count++) {
      const part = parts.slice(0, count).join('/');
      const code = host.makeDirectory(part);
      if (code === 0) first ??= part;
      else if (code !== -EXIST) checked(code, 'mkdir', shown);
    }
    const found = host.stat(whole, true);
    if (typeof found === 'number') checked(found, 'mkdir', shown);
    else if (KINDS[found[0]] !== 'Directory') throw host.systemError(EXIST, 'mkdir', shown);
    return first;
  }

  function unlinkSync(name) {
    const shown = pathOf(name);
    checked(host.unlink(path.resolve(shown)), 'unlink', shown);
  }

  function rmdirSync(name, options) {
    if (options?.recursive) return rmSync(name, options);
    const shown = pathOf(name);
    checked(host.removeDirectory(path.resolve(shown)), 'rmdir', shown);
  }

  function rmSync(name, { recursive = false, force = false } = {}) {
    const shown = pathOf(name);
    const found = host.stat(path.resolve(shown), false);
    if (typeof found === 'number') {
      if (!(force && found === -NOENT)) checked(found, 'rm', shown);
      return;
    }
    if (KINDS[found[0]] !== 'Directory') return unlinkSync(shown);
    if (!recursive) throw host.coded(Error, 'ERR_FS_EISDIR', `Path is a directory: rm returned EISDIR (is a directory) ${shown}`);
    for (const [entry] of entriesOf(shown)) rmSync(`${shown}/${entry}`, { recursive, force });
    rmdirSync(shown);
  }

  function renameSync(from, to) {
    const [a, b] = [pathOf(from, 'oldPath'), pathOf(to, 'newPath')];
    checked(host.rename(path.resolve(a), path.resolve(b)), 'rename', `${a}' -> '${b}`);
  }

  function mkdtempSync(prefix) {
    const name = `${prefix}${Math.random().toString(36).slice(2, 8).padEnd(6, 'a')}`;
    mkdirSync(name);
    return name;
  }

  function cpSync(from, to, { recursive = false } = {}) {
    if (!statSync(from).isDirectory()) return copyFileSync(from, to);
    if (!recursive) throw host.coded(Error, 'ERR_FS_EISDIR', `Recursive option not enabled, cannot copy a directory: ${from}`);
    mkdirSync(to, { recursive: true });
    for (const name of readdirSync(from)) cpSync(`${from}/${name}`, `${to}/${name}`, { recursive });
  }

  // ---- the three forms of each function ----

  const sync = {
    readFile: readFileSync, writeFile: writeFileSync, appendFile: appendFileSync, copyFile: copyFileSync, cp: cpSync,
    open: openSync, close: closeSync, read: readSync, write: writeSync, fstat: fstatSync, ftruncate: ftruncateSync, truncate: truncateSync,
    stat: statSync, lstat: lstatSync, access: accessSync, realpath: realpathSync, readdir: readdirSync, mkdir: mkdirSync, mkdtemp: mkdtempSync,
    unlink: unlinkSync, rmdir: rmdirSync, rm: rmSync, rename: renameSync,
    // Accepted, as nothing here depends on them.
    chmod: (name) => accessSync(name), utimes: (name) => accessSync(name), fsync: checkFd, fdatasync: checkFd,
  };
  // What other calls exist in node, which a file system without links or watching cannot do.
  const MISSING = ['symlink', 'link', 'readlink', 'watch', 'watchFile', 'createReadStream', 'createWriteStream', 'opendir', 'chown', 'lchown', 'statfs'];

  function withCallback(act) {
    return (...args) => {
      const done = args.pop();
      host.needFunction('cb', done);
      let result;
      try {
        result = act(...args);
      } catch (error) {
        setImmediate(done, error);
        return;
      }
      setImmediate(done, null, result);
    };
  }

  class FileHandle {
    constructor(fd) {
      this.fd = fd;
    }

    async close() {
      closeSync(this.fd);
      this.fd = -1;
    }

    async [Symbol.asyncDispose]() {
      await this.close();
    }
  }
  for (const [name, act] of [['readFile', readFileSync], ['writeFile', writeFileSync], ['appendFile', appendFileSync], ['stat', fstatSync], ['truncate', ftruncateSync]]) {
    host.define(FileHandle.prototype, { async [name](...args) { return act(this.fd, ...args); } });
  }
  host.define(FileHandle.prototype, {
    async read(buffer, ...rest) {
      return { bytesRead: readSync(this.fd, buffer, ...rest), buffer };
    },
    async write(data, ...rest) {
      return { bytesWritten: writeSync(this.fd, data, ...rest), buffer: data };
    },
  });

  const fs = { constants: CONSTANTS, Stats, Dirent, existsSync, ...CONSTANTS };
  const promises = { constants: CONSTANTS };
  for (const [name, act] of Object.entries(sync)) {
    fs[`${name}Sync`] = act;
    fs[name] = withCallback(act);
    promises[name] = async (...args) => act(...args);
  }
  promises.open = async (...args) => new FileHandle(openSync(...args));
  fs.exists = (name, done) => setImmediate(done, existsSync(name));
  fs.promises = promises;
  for (const name of MISSING) {
    fs[name] = () => {
      throw host.unavailable(`fs.${name}`);
    };
  }

  host.fs = fs;
  host.modules.fs = () => fs;
  host.modules['fs/promises'] = () => promises;
})
