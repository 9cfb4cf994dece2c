// The module `util`.
(function (host) {
  const { inspect, format } = host;
  const PROMISIFY = Symbol.for('nodejs.util.promisify.custom');

  function promisify(original) {
    host.needFunction('original', original);
    if (original[PROMISIFY]) return original[PROMISIFY];
    return function (...args) {
      return new Promise((resolve, reject) => {
        original.call(this, ...args, (error, value) => (error ? reject(error) : resolve(value)));
      });
    };
  }
  promisify.custom = PROMISIFY;

  function callbackify(original) {
    host.needFunction('original', original);
    return function (...args) {
      const done = args.pop();
      original.apply(this, args).then((value) => host.nextTick(done, null, value), (error) => host.nextTick(done, error));
    };
  }

  function inherits(Class, Parent) {
    Object.defineProperty(Class, 'super_', { value: Parent, writable: true, configurable: true });
    Object.setPrototypeOf(Class.prototype, Parent.prototype);
  }

  function deprecate(act) {
    return act;
  }

  // ---- equality, as node's assert has it ----

  const kindOf = (value) => host.classOf(value);

  function sameBoxes(a, b, kind) {
    switch (kind) {
      case 'Date': return Object.is(a.getTime(), b.getTime());
      case 'RegExp': return String(a) === String(b) && a.lastIndex === b.lastIndex;
      case 'Number': case 'String': case 'Boolean': case 'BigInt': case 'Symbol': return Object.is(a.valueOf(), b.valueOf());
      case 'Error': return a.message === b.message && a.name === b.name;
      default: return true;
    }
  }

  function sameBytes(a, b, strict) {
    if (a.length !== b.length) return false;
    for (let at = 0; at < a.length; at++) if (!(strict ? Object.is(a[at], b[at]) : a[at] == b[at])) return false;
    return true;
  }

  function found(set, wanted, state) {
    for (const item of set) {
      if (equal(item, wanted, state)) {
        set.delete(item);
        return true;
      }
    }
    return false;
  }

  function sameSets(a, b, state) {
    if (a.size !== b.size) return false;
    const left = new Set();
    for (const item of b) if (!a.has(item) || (typeof item === 'object' && item !== null)) left.add(item);
    for (const item of a) {
      if (left.delete(item) || b.has(item)) continue;
      if (!found(left, item, state)) return false;
    }
    return true;
  }

  function sameMaps(a, b, state) {
    if (a.size !== b.size) return false;
    const rest = [...b].filter(([key]) => !a.has(key));
    for (const [key, value] of a) {
      if (b.has(key)) {
        if (!equal(value, b.get(key), state)) return false;
        continue;
      }
      const at = rest.findIndex(([other, item]) => equal(key, other, state) && equal(value, item, state));
      if (at === -1) return false;
      rest.splice(at, 1);
    }
    return true;
  }

  const enumerable = (value) => Object.getOwnPropertySymbols(value).filter((key) => Object.prototype.propertyIsEnumerable.call(value, key));

  function sameProperties(a, b, state) {
    const keys = Object.keys(a);
    if (keys.length !== Object.keys(b).length || !keys.every((key) => Object.hasOwn(b, key))) return false;
    if (state.strict) {
      const symbols = enumerable(a);
      if (symbols.length !== enumerable(b).length) return false;
      keys.push(...symbols);
    }
    return keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key], state));
  }

  function sameObjects(a, b, state) {
    const kind = kindOf(a);
    if (kind !== kindOf(b) && !(Error.isError(a) && Error.isError(b))) return false;
    if (Array.isArray(a) !== Array.isArray(b) || (Array.isArray(a) && a.length !== b.length)) return false;
    if (state.strict && Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
    if (!sameBoxes(a, b, kind)) return false;
    if (kind === 'ArrayBuffer') return sameBytes(new Uint8Array(a), new Uint8Array(b), true);
    if (ArrayBuffer.isView(a) && kind !== 'DataView' && !sameBytes(a, b, state.strict)) return false;
    if (kind === 'Set' && !sameSets(a, b, state)) return false;
    if (kind === 'Map' && !sameMaps(a, b, state)) return false;
    if (kind === 'WeakMap' || kind === 'WeakSet' || kind === 'Promise') return false;
    return sameProperties(a, b, state);
  }

  function equal(a, b, state) {
    if (a === b && a !== 0) return true;
    const bothObjects = typeof a === 'object' && typeof b === 'object' && a !== null && b !== null;
    if (!bothObjects) {
      if (state.strict) return Object.is(a, b);
      const isObject = (value) => value !== null && (typeof value === 'object' || typeof value === 'function');
      if (isObject(a) || isObject(b)) return false;
      return a == b || (Number.isNaN(a) && Number.isNaN(b));
    }
    if (state.pairs.some(([x, y]) => x === a && y === b)) return true;
    state.pairs.push([a, b]);
    const same = sameObjects(a, b, state);
    state.pairs.pop();
    return same;
  }

  host.deepEqual = (a, b, strict) => equal(a, b, { strict, pairs: [] });

  // ---- what a value is ----

  const types = {};
  for (const name of ['Map', 'Set', 'WeakMap', 'WeakSet', 'Date', 'RegExp', 'Promise', 'ArrayBuffer', 'SharedArrayBuffer', 'DataView']) {
    types[`is${name}`] = (value) => host.classOf(value) === name;
  }
  for (const name of ['Uint8Array', 'Int8Array', 'Uint8ClampedArray', 'Uint16Array', 'Int16Array', 'Uint32Array', 'Int32Array', 'Float32Array', 'Float64Array', 'BigInt64Array', 'BigUint64Array']) {
    types[`is${name}`] = (value) => host.classOf(value) === name;
  }
  Object.assign(types, {
    isTypedArray: (value) => ArrayBuffer.isView(value) && host.classOf(value) !== 'DataView',
    isAnyArrayBuffer: (value) => types.isArrayBuffer(value) || types.isSharedArrayBuffer(value),
    isArrayBufferView: (value) => ArrayBuffer.isView(value),
    isProxy: (value) => host.target(value) !== undefined,
    isNativeError: (value) => Error.isError(value),
    isGeneratorFunction: (value) => typeof value === 'function' && /^(Async)?GeneratorFunction$/.test(Object.getPrototypeOf(value)?.[Symbol.toStringTag] ?? ''),
    isAsyncFunction: (value) => typeof value === 'function' && /^Async/.test(Object.getPrototypeOf(value)?.[Symbol.toStringTag] ?? ''),
    isGeneratorObject: (value) => /Generator$/.test(host.classOf(value) ?? ''),
    isBoxedPrimitive: (value) => typeof value === 'object' && ['Number', 'String', 'Boolean', 'BigInt', 'Symbol'].includes(host.classOf(value)),
  });

  const util = {
    inspect, format, promisify, callbackify, inherits, deprecate, types, TextEncoder, TextDecoder,
    formatWithOptions: (options, ...values) => format(...values),
    isDeepStrictEqual: (a, b) => host.deepEqual(a, b, true),
    isArray: Array.isArray,
    stripVTControlCharacters: (text) => text.replace(/\x1b\[[0-9;]*[A-Za-z]/g, ''),
    toUSVString: (text) => `${text}`.toWellFormed(),
    debuglog: () => Object.assign(() => {}, { enabled: false }),
    parseArgs() {
      throw host.unavailable('util.parseArgs');
    },
    styleText: (_, text) => text,
  };
  util.debug = util.debuglog;
  host.modules.util = () => util;
  host.modules['util/types'] = () => types;
})
