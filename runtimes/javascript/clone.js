// structuredClone, and the rest of what browsers and node have as globals: crypto's random
// numbers, performance.
(function (host) {
  function refuse(value) {
    const shown = typeof value === 'symbol' ? String(value) : typeof value === 'function' ? String(value) : host.inspect(value, { depth: -1 });
    throw new DOMException(`${shown} could not be cloned.`, 'DataCloneError');
  }

  const ERRORS = ['Error', 'EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError', 'URIError'];

  function cloneError(error, seen) {
    const Class = globalThis[ERRORS.includes(error.name) ? error.name : 'Error'];
    const copy = new Class(error.message);
    seen.set(error, copy);
    Object.defineProperty(copy, 'stack', { value: error.stack, writable: true, configurable: true });
    if (Object.hasOwn(error, 'cause')) Object.defineProperty(copy, 'cause', { value: clone(error.cause, seen), writable: true, configurable: true });
    return copy;
  }

  function cloneView(view, seen) {
    const buffer = clone(view.buffer, seen);
    const Class = host.classOf(view) === 'DataView' ? DataView : globalThis[host.classOf(view)];
    return new Class(buffer, view.byteOffset, view.length ?? view.byteLength);
  }

  function start(value, kind) {
    switch (kind) {
      case 'Number': case 'String': case 'Boolean': case 'BigInt': return Object(value.valueOf());
      case 'Date': return new Date(value.getTime());
      case 'RegExp': return new RegExp(value.source, value.flags);
      case 'ArrayBuffer': return value.slice(0);
      case 'SharedArrayBuffer': return value;
      case 'Map': return new Map();
      case 'Set': return new Set();
      case 'Array': return new Array(value.length);
      case 'Object': case 'Arguments': case 'Mapped Arguments': return {};
      default: return refuse(value);
    }
  }

  function clone(value, seen) {
    if (typeof value === 'symbol' || typeof value === 'function') refuse(value);
    if (typeof value !== 'object' || value === null) return value;
    if (seen.has(value)) return seen.get(value);
    if (host.target(value) !== undefined) refuse(value);
    if (Error.isError(value)) return cloneError(value, seen);
    const kind = host.classOf(value);
    const copy = ArrayBuffer.isView(value) ? cloneView(value, seen) : start(value, kind);
    seen.set(value, copy);
    if (kind === 'Map') for (const [key, item] of [...value]) copy.set(clone(key, seen), clone(item, seen));
    else if (kind === 'Set') for (const item of [...value]) copy.add(clone(item, seen));
    else if (kind === 'Array' || kind === 'Object') for (const key of Object.keys(value)) copy[key] = clone(value[key], seen);
    return copy;
  }

  function structuredClone(value, { transfer = [] } = {}) {
    const seen = new Map();
    for (const buffer of transfer) {
      if (!(buffer instanceof ArrayBuffer)) refuse(buffer);
      seen.set(buffer, buffer.transfer());
    }
    return clone(value, seen);
  }

  // ---- performance ----

  const now = performance.now;
  const wallOrigin = () => Date.now() - now();

  class Performance {
    get timeOrigin() {
      return wallOrigin();
    }

    now() {
      return now();
    }

    mark(name) {
      const entry = { name, entryType: 'mark', startTime: now(), duration: 0, detail: null };
      marks.push(entry);
      return entry;
    }

    measure(name, from, to) {
      const at = (mark) => marks.findLast((entry) => entry.name === mark)?.startTime;
      const startTime = at(from) ?? 0;
      const entry = { name, entryType: 'measure', startTime, duration: (at(to) ?? now()) - startTime, detail: null };
      marks.push(entry);
      return entry;
    }

    getEntries() {
      return [...marks];
    }

    getEntriesByName(name) {
      return marks.filter((entry) => entry.name === name);
    }

    getEntriesByType(type) {
      return marks.filter((entry) => entry.entryType === type);
    }

    clearMarks() {
      marks.length = 0;
    }

    clearMeasures() {
      marks.length = 0;
    }

    toJSON() {
      return { timeOrigin: this.timeOrigin };
    }
  }
  const marks = [];
  const performance_ = new Performance();

  host.modules.perf_hooks = () => ({ performance: performance_ });

  host.global({ structuredClone, performance: performance_, global: globalThis });
  Object.defineProperty(globalThis, Symbol.toStringTag, { value: 'global', configurable: true });
})
