// How values are shown: `console.log`, `util.inspect`, messages of `assert`. The layout is
// node's, so that a program's output is the same here and there.
(function (host) {
  const CUSTOM = Symbol.for('nodejs.util.inspect.custom');
  const DEFAULTS = {
    depth: 2, breakLength: 80, compact: 3, maxArrayLength: 100, maxStringLength: 10000,
    showHidden: false, sorted: false, getters: false, colors: false, customInspect: true, numericSeparator: false,
  };
  const NAME = /^[a-zA-Z_][a-zA-Z_0-9]*$/;
  const CONTROL = /[\x00-\x1f\x27\x5c\x7f-\x9f]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
  const CONTROLS = new RegExp(CONTROL, 'g');
  const SHORT = { '\b': '\\b', '\t': '\\t', '\n': '\\n', '\f': '\\f', '\r': '\\r', '\\': '\\\\', "'": "\\'" };
  const TYPED = Object.getPrototypeOf(Uint8Array);
  const typedTag = Object.getOwnPropertyDescriptor(TYPED.prototype, Symbol.toStringTag).get;

  // ---- texts ----

  function escaped(character) {
    const short = SHORT[character];
    if (short) return short;
    const code = character.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).toUpperCase().padStart(2, '0')}` : `\\u${code.toString(16)}`;
  }

  function quoted(text) {
    let mark = "'";
    if (text.includes("'")) {
      if (!text.includes('"')) mark = '"';
      else if (!text.includes('`') && !text.includes('${')) mark = '`';
    }
    if (!CONTROL.test(text)) return mark + text + mark;
    return mark + text.replace(CONTROLS, (c) => (c === "'" && mark !== "'" ? c : escaped(c))) + mark;
  }

  // Columns that a text takes: wide characters two, combining ones none.
  function width(text) {
    if (/^[\x20-\x7e]*$/.test(text)) return text.length;
    let columns = 0;
    for (const character of text.normalize('NFC')) {
      if (/[\p{Mn}\p{Me}\p{Cf}\p{Cc}]/u.test(character)) continue;
      columns += /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]/u.test(character) ? 2 : 1;
    }
    return columns;
  }

  function number(value) {
    return Object.is(value, -0) ? '-0' : `${value}`;
  }

  function text(state, value) {
    let rest = '';
    if (value.length > state.maxStringLength) {
      const left = value.length - state.maxStringLength;
      value = value.slice(0, state.maxStringLength);
      rest = `... ${left} more character${left > 1 ? 's' : ''}`;
    }
    // A long text of several lines is shown as one piece for each.
    if (state.compact !== true && value.length > 16 && value.length > state.breakLength - state.indent - 4) {
      const lines = value.split(/(?<=\n)/);
      return lines.map(quoted).join(` +\n${' '.repeat(state.indent + 2)}`) + rest;
    }
    return quoted(value) + rest;
  }

  function primitive(state, value) {
    switch (typeof value) {
      case 'string': return text(state, value);
      case 'number': return number(value);
      case 'bigint': return `${value}n`;
      case 'symbol': return Symbol.prototype.toString.call(value);
      default: return `${value}`;
    }
  }

  // ---- what something is ----

  // The name of the class that made it, or null for an object without prototype.
  function makerOf(value) {
    for (let at = value; at !== null; at = Object.getPrototypeOf(at)) {
      const own = Object.getOwnPropertyDescriptor(at, 'constructor');
      if (own && typeof own.value === 'function' && own.value.name !== '' && isMadeBy(value, own.value)) return own.value.name;
    }
    return null;
  }

  function isMadeBy(value, Class) {
    try {
      return value instanceof Class;
    } catch {
      return false;
    }
  }

  function tagOf(value, maker) {
    let tag;
    try {
      tag = value[Symbol.toStringTag];
    } catch {
      return '';
    }
    if (typeof tag !== 'string' || tag === '' || tag === maker) return '';
    return tag;
  }

  function prefix(maker, tag, fallback, size = '') {
    const end = tag !== '' && maker !== tag ? ` [${tag}] ` : ' ';
    if (maker === null) return tag !== '' && fallback !== tag ? `[${fallback}${size}: null prototype] [${tag}] ` : `[${fallback}${size}: null prototype] `;
    return `${maker}${size}${end}`;
  }

  function keysOf(state, value, isIndexed) {
    let keys;
    if (isIndexed) keys = (state.showHidden ? Object.getOwnPropertyNames(value) : Object.keys(value)).filter((key) => !/^(0|[1-9][0-9]*)$/.test(key));
    else if (state.showHidden) keys = Object.getOwnPropertyNames(value);
    else keys = Object.keys(value);
    const symbols = Object.getOwnPropertySymbols(value);
    const shown = symbols.filter((key) => state.showHidden || Object.prototype.propertyIsEnumerable.call(value, key));
    return keys.concat(shown);
  }

  // ---- properties ----

  function keyText(key) {
    if (typeof key === 'symbol') return `[${Symbol.prototype.toString.call(key).replace(CONTROLS, escaped)}]`;
    if (key === '__proto__') return "['__proto__']";
    return NAME.test(key) ? key : quoted(key);
  }

  function accessor(state, property, owner, depth) {
    const what = property.get ? (property.set ? 'Getter/Setter' : 'Getter') : 'Setter';
    if (!property.get || !state.getters) return `[${what}]`;
    try {
      const value = property.get.call(owner);
      return typeof value === 'object' && value !== null ? `[${what}] ${show(state, value, depth)}` : `[${what}: ${primitive(state, value)}]`;
    } catch (error) {
      return `[${what}: <Inspection threw (${error.message})>]`;
    }
  }

  function propertyText(state, owner, depth, key, isItem) {
    const property = Object.getOwnPropertyDescriptor(owner, key) ?? { value: owner[key], enumerable: true };
    let shown;
    if ('value' in property) {
      const step = isItem && state.compact === 3 ? 2 : state.compact !== true || isItem ? 2 : 3;
      state.indent += step;
      shown = show(state, property.value, depth);
      if (step === 3 && state.breakLength < width(shown)) shown = `\n${' '.repeat(state.indent)}${shown}`;
      state.indent -= step;
    } else {
      shown = accessor(state, property, owner, depth);
    }
    if (isItem) return shown;
    const name = keyText(key);
    return `${property.enumerable === false ? `[${typeof key === 'symbol' ? name.slice(1, -1) : key}]` : name}: ${shown}`;
  }

  // ---- contents of each kind ----

  function more(count) {
    return `... ${count} more item${count > 1 ? 's' : ''}`;
  }

  function items(state, value, depth) {
    const output = [];
    const length = value.length;
    const most = Math.min(Math.max(0, state.maxArrayLength), length);
    let at = 0;
    while (at < length && output.length < most) {
      if (Object.hasOwn(value, at)) {
        output.push(propertyText(state, value, depth, String(at), true));
        at++;
        continue;
      }
      const from = at;
      while (at < length && !Object.hasOwn(value, at)) at++;
      output.push(`<${at - from} empty item${at - from > 1 ? 's' : ''}>`);
    }
    if (at < length) output.push(more(length - at));
    return output;
  }

  function typedItems(state, value) {
    const most = Math.min(Math.max(0, state.maxArrayLength), value.length);
    const output = [];
    for (let at = 0; at < most; at++) output.push(primitive(state, value[at]));
    if (most < value.length) output.push(more(value.length - most));
    return output;
  }

  function listed(state, values, one) {
    const most = Math.max(0, state.maxArrayLength);
    const output = [];
    state.indent += 2;
    for (const value of values.slice(0, most)) output.push(one(value));
    state.indent -= 2;
    if (values.length > most) output.push(more(values.length - most));
    return output;
  }

  function setItems(state, value, depth) {
    return listed(state, [...Set.prototype.values.call(value)], (item) => show(state, item, depth));
  }

  function mapItems(state, value, depth) {
    const entries = [...Map.prototype.entries.call(value)];
    return listed(state, entries, ([key, item]) => `${show(state, key, depth)} => ${show(state, item, depth)}`);
  }

  function bufferItems(state, value) {
    let bytes;
    try {
      bytes = new Uint8Array(value);
    } catch {
      return ['(detached)'];
    }
    const shown = [...bytes.slice(0, Math.max(0, Math.min(state.maxArrayLength, 50)))].map((byte) => byte.toString(16).padStart(2, '0'));
    let line = shown.join(' ');
    const left = bytes.length - shown.length;
    if (left > 0) line += ` ... ${left} more byte${left > 1 ? 's' : ''}`;
    return [`[Uint8Contents]: <${line}>`, `byteLength: ${primitive(state, value.byteLength)}`];
  }

  function promiseItems(state, value, depth) {
    const [status, result] = host.promise(value);
    if (status === 0) return ['<pending>'];
    state.indent += 2;
    const shown = show(state, result, depth);
    state.indent -= 2;
    return [status === 2 ? `<rejected> ${shown}` : shown];
  }

  function functionBase(value, maker, tag) {
    const source = Function.prototype.toString.call(value);
    if (/^class\b/.test(source) && source.endsWith('}')) {
      const named = Object.hasOwn(value, 'name') && value.name ? `class ${value.name}` : 'class (anonymous)';
      const parent = Object.getPrototypeOf(value);
      const base = parent === null ? ' extends [null prototype]' : parent.name ? ` extends ${parent.name}` : '';
      return `[${named}${maker !== 'Function' && maker !== null ? ` [${maker}]` : ''}${base}]`;
    }
    const kind = { GeneratorFunction: 'GeneratorFunction', AsyncFunction: 'AsyncFunction', AsyncGeneratorFunction: 'AsyncGeneratorFunction' }[host.classOf(value).replace(/^function$/, 'Function')]
      ?? { GeneratorFunction: 'GeneratorFunction', AsyncFunction: 'AsyncFunction', AsyncGeneratorFunction: 'AsyncGeneratorFunction' }[tag] ?? 'Function';
    const own = maker === null ? `${kind} (null prototype)` : kind;
    const name = value.name === '' || typeof value.name !== 'string' ? ' (anonymous)' : `: ${value.name}`;
    const extra = maker !== kind && maker !== null && maker !== 'Function' ? ` ${maker}` : '';
    return `[${own}${name}]${extra}${tag !== '' && tag !== kind && maker !== tag ? ` [${tag}]` : ''}`;
  }

  // ---- errors ----

  function errorBase(state, error, maker, tag, keys) {
    let stack = typeof error.stack === 'string' && error.stack !== '' ? error.stack : Error.prototype.toString.call(error);
    for (const name of ['name', 'message', 'stack']) {
      const at = keys.indexOf(name);
      if (at !== -1 && (typeof error[name] !== 'string' || stack.includes(error[name]))) keys.splice(at, 1);
    }
    if ('cause' in error && Object.hasOwn(error, 'cause') && !keys.includes('cause')) keys.push('cause');
    if (Array.isArray(error.errors) && Object.hasOwn(error, 'errors') && !keys.includes('errors')) keys.push('errors');
    stack = betterHeading(stack, error, maker);
    const message = typeof error.message === 'string' && error.message !== '' ? stack.indexOf(error.message) + error.message.length : 0;
    const frames = stack.indexOf('\n    at', Math.max(0, message));
    if (frames === -1) stack = `[${stack}]`;
    if (state.indent !== 0) stack = stack.replaceAll('\n', `\n${' '.repeat(state.indent)}`);
    return stack;
  }

  // A class of its own is named even if it did not set `name`.
  function betterHeading(stack, error, maker) {
    const name = error.name == null ? 'Error' : String(error.name);
    if (maker === null) {
      const own = stack.match(/^([A-Z][a-zA-Z_ 0-9[\]()-]+)(?::|\n\s+at)/)?.[1] ?? '';
      return stack.replace(own, `[${own || 'Error'}: null prototype]`);
    }
    if (name.endsWith('Error') && stack.startsWith(name) && !stack.includes(maker) && (stack.length === name.length || ':\n '.includes(stack[name.length]))) {
      if (name === 'Error' || maker.includes(name)) return stack.replace(name, maker.includes(name) || name === 'Error' ? maker === name ? name : name === 'Error' && maker.endsWith('Error') ? maker : `${name === 'Error' ? 'Error' : name} [${maker}]` : name);
      return stack.replace(name, `${name} [${maker}]`);
    }
    return stack;
  }

  // ---- layout ----

  // More than six short items are set in columns.
  function columns(state, output, value) {
    let total = 0;
    let longest = 0;
    const count = output.length - (state.maxArrayLength < output.length ? 1 : 0);
    const widths = [];
    for (let at = 0; at < count; at++) {
      widths[at] = width(output[at]);
      total += widths[at] + 2;
      longest = Math.max(longest, widths[at]);
    }
    const room = longest + 2;
    if (room * 3 + state.indent >= state.breakLength || (total / room <= 5 && longest > 6)) return output;
    const bias = Math.sqrt(room - total / output.length);
    const biased = Math.max(room - 3 - bias, 1);
    const across = Math.min(
      Math.round(Math.sqrt(2.5 * biased * count) / biased),
      Math.floor((state.breakLength - state.indent) / room),
      state.compact * 4,
      15,
    );
    if (across <= 1) return output;
    const each = [];
    for (let column = 0; column < across; column++) {
      let most = 0;
      for (let at = column; at < count; at += across) most = Math.max(most, widths[at]);
      each.push(most + 2);
    }
    const toTheRight = value !== undefined && value.every((item) => typeof item === 'number' || typeof item === 'bigint');
    const lines = [];
    for (let from = 0; from < count; from += across) {
      const end = Math.min(from + across, count);
      let line = '';
      for (let at = from; at < end; at++) {
        const isLast = at === end - 1;
        const cell = isLast ? output[at] : `${output[at]}, `;
        const space = each[at - from] + output[at].length - widths[at] - (isLast ? 2 : 0);
        line += toTheRight ? cell.padStart(space) : isLast ? cell : cell.padEnd(space);
      }
      lines.push(line);
    }
    if (count < output.length) lines.push(output[count]);
    return lines;
  }

  function fits(state, output, start, base) {
    let total = output.length + start;
    if (total + output.length > state.breakLength) return false;
    for (const part of output) {
      total += part.length;
      if (total > state.breakLength) return false;
    }
    return base === '' || !base.includes('\n');
  }

  function laidOut(state, output, base, open, close, isList, depth, value) {
    const lead = base === '' ? '' : `${base} `;
    if (state.compact === true) {
      const start = output.length + state.indent + open.length + base.length + 10;
      if (fits(state, output, start, base)) return `${lead}${open} ${output.join(', ')} ${close}`;
      return `${lead}${open}\n${' '.repeat(state.indent)}  ${output.join(`,\n${' '.repeat(state.indent)}  `)} ${close}`;
    }
    if (typeof state.compact === 'number' && state.compact >= 1) {
      const count = output.length;
      if (isList && count > 6) output = columns(state, output, value);
      if (state.deepest - depth < state.compact && count === output.length) {
        const start = output.length + state.indent + open.length + base.length + 10;
        if (fits(state, output, start, base)) {
          const line = output.join(', ');
          if (!line.includes('\n')) return `${lead}${open} ${line} ${close}`;
        }
      }
    }
    const indent = `\n${' '.repeat(state.indent)}`;
    return `${lead}${open}${indent}  ${output.join(`,${indent}  `)}${indent}${close}`;
  }

  // ---- objects ----

  // What to write around an object and how to list what is in it.
  function plan(state, value, maker, tag) {
    const own = (isList, keys, open, close, list, extra = {}) => ({ isList, keys, open, close, list, base: '', ...extra });
    const none = () => [];
    if (Array.isArray(value)) {
      const named = maker !== 'Array' || tag !== '' ? prefix(maker, tag, 'Array', `(${value.length})`) : '';
      return own(true, keysOf(state, value, true), `${named}[`, ']', items, { isEmptyShort: true });
    }
    const kind = host.classOf(value);
    const named = (fallback, size) => prefix(maker, tag, fallback, size);
    const keys = () => keysOf(state, value, false);
    switch (kind) {
      case 'Set': return own(false, keys(), `${named('Set', `(${setSize.call(value)})`)}{`, '}', setItems);
      case 'Map': return own(false, keys(), `${named('Map', `(${mapSize.call(value)})`)}{`, '}', mapItems);
      case 'Map Iterator': case 'Set Iterator': return own(false, keys(), `[${tag || kind}] {`, '}', () => ['<items unknown>']);
      case 'Arguments': case 'Mapped Arguments': return own(false, keys(), '[Arguments] {', '}', none, { isEmptyBraces: true });
      case 'RegExp': return own(false, keys(), '{', '}', none, { base: withMaker(RegExp.prototype.toString.call(value), maker, 'RegExp') });
      case 'Date': return own(false, keys(), '{', '}', none, { base: withMaker(dateText(value), maker, 'Date') });
      case 'Promise': return own(false, keys(), `${named('Promise')}{`, '}', promiseItems);
      case 'WeakSet': case 'WeakMap': return own(false, keys(), `${named(kind)}{`, '}', () => ['<items unknown>']);
      case 'WeakRef': return own(false, keys(), `${named(kind)}{`, '}', (s, v, d) => [show(s, v.deref(), d)]);
      case 'ArrayBuffer': case 'SharedArrayBuffer': return own(false, keys(), `${named(kind)}{`, '}', bufferItems);
      case 'DataView': return own(false, keys(), `${named('DataView')}{`, '}', viewItems);
      case 'Number': case 'String': case 'Boolean': case 'BigInt': case 'Symbol': return boxed(state, value, maker, tag, kind, own, none);
    }
    if (ArrayBuffer.isView(value)) {
      const name = typedTag.call(value);
      return own(true, keysOf(state, value, true), `${prefix(maker, maker === name ? '' : tag, name, `(${value.length})`)}[`, ']', typedItems, { isEmptyShort: true });
    }
    if (typeof value === 'function') return own(false, keys(), '{', '}', none, { base: functionBase(value, maker, tag) });
    if (Error.isError(value) || isMadeBy(value, Error)) {
      const shown = keys();
      return own(false, shown, '{', '}', none, { base: errorBase(state, value, maker, tag, shown) });
    }
    if (kind === 'Generator' || kind === 'AsyncGenerator') return own(false, keys(), `Object [${tag || kind}] {`, '}', none, { isEmptyBraces: true });
    if (maker === null && tag === 'Module') return own(false, keys(), '[Module: null prototype] {', '}', none);
    if (maker === 'Object' && tag === '') return own(false, keys(), '{', '}', none, { isEmptyBraces: true });
    return own(false, keys(), `${named('Object')}{`, '}', none, { isEmptyBraces: true });
  }

  const setSize = Object.getOwnPropertyDescriptor(Set.prototype, 'size').get;
  const mapSize = Object.getOwnPropertyDescriptor(Map.prototype, 'size').get;

  function withMaker(shown, maker, usual) {
    return maker === usual ? shown : `${maker === null ? `[${usual}: null prototype]` : maker} ${shown}`;
  }

  function dateText(value) {
    const time = Date.prototype.getTime.call(value);
    return Number.isNaN(time) ? 'Invalid Date' : Date.prototype.toISOString.call(value);
  }

  function viewItems(state, value, depth) {
    state.indent += 2;
    const shown = [`byteLength: ${value.byteLength}`, `byteOffset: ${value.byteOffset}`, `buffer: ${show(state, value.buffer, depth)}`];
    state.indent -= 2;
    return shown;
  }

  function boxed(state, value, maker, tag, kind, own, none) {
    const inner = globalThis[kind].prototype.valueOf.call(value);
    const keys = kind === 'String' ? keysOf(state, value, true) : keysOf(state, value, false);
    let name = kind;
    if (maker !== kind) name += maker === null ? ' (null prototype)' : ` (${maker})`;
    const plain = typeof inner === 'string' ? quoted(inner) : primitive(state, inner);
    const base = `[${name}: ${plain}]${tag !== '' && tag !== maker ? ` [${tag}]` : ''}`;
    return own(false, keys, '{', '}', none, { base });
  }

  function tooDeep(maker, tag, value) {
    const fallback = Array.isArray(value) ? 'Array' : 'Object';
    const name = Array.isArray(value) && maker === 'Array' ? 'Array' : prefix(maker, tag, fallback).slice(0, -1);
    return `[${name}]`;
  }

  function custom(state, value, depth) {
    const by = value[CUSTOM];
    if (!state.customInspect || typeof by !== 'function' || by === inspect) return undefined;
    const left = state.depth === Infinity || state.depth === null ? state.depth : state.depth - depth;
    const given = by.call(value, left, { ...DEFAULTS, ...state.options, depth: left, stylize: (shown) => `${shown}` }, inspect);
    if (given === value) return undefined;
    return typeof given === 'string' ? given.replaceAll('\n', `\n${' '.repeat(state.indent)}`) : show(state, given, depth);
  }

  function show(state, value, depth) {
    if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return primitive(state, value);
    const target = host.target(value);
    if (target === null) return '<Revoked Proxy>';
    if (target !== undefined) return show(state, target, depth);
    const shownByItself = custom(state, value, depth);
    if (shownByItself !== undefined) return shownByItself;
    if (state.seen.includes(value)) {
      let index = state.circular.indexOf(value);
      if (index === -1) index = state.circular.push(value) - 1;
      return `[Circular *${index + 1}]`;
    }
    return object(state, value, depth);
  }

  function object(state, value, depth) {
    const maker = makerOf(value);
    const tag = tagOf(value, maker);
    const how = plan(state, value, maker, tag);
    if (how.keys.length === 0) {
      if (how.base !== '') return how.base;
      if (how.isEmptyShort && value.length === 0) return `${how.open}]`;
      if (how.isEmptyBraces) return `${how.open}}`;
      if (how.open.endsWith('{') && (host.classOf(value) === 'Set' || host.classOf(value) === 'Map') && value.size === 0) return `${how.open}}`;
    }
    if (state.depth !== null && depth > state.depth) return tooDeep(maker, tag, value);
    return contents(state, value, depth + 1, how);
  }

  function contents(state, value, depth, how) {
    state.seen.push(value);
    state.deepest = depth;
    let output;
    try {
      output = how.list(state, value, depth);
      for (const key of how.keys) output.push(propertyText(state, value, depth, key, false));
    } finally {
      state.seen.pop();
    }
    let { base, open } = how;
    const index = state.circular.indexOf(value);
    if (index !== -1) {
      const mark = `<ref *${index + 1}>`;
      if (state.compact !== true) base = base === '' ? mark : `${mark} ${base}`;
      else open = `${mark} ${open}`;
    }
    if (state.sorted) output.sort(typeof state.sorted === 'function' ? state.sorted : undefined);
    const listed = how.isList && Array.isArray(value) ? value : how.isList ? [...value] : undefined;
    return laidOut(state, output, base, open, how.close, how.isList, depth, listed);
  }

  // What is kept while one value is shown: the options, and where in it we are.
  function State(options) {
    Object.assign(this, DEFAULTS, options);
    if (this.maxArrayLength === null) this.maxArrayLength = Infinity;
    if (this.maxStringLength === null) this.maxStringLength = Infinity;
    this.options = options;
    this.indent = 0;
    this.deepest = 0;
    this.seen = [];
    this.circular = [];
  }

  function inspect(value, options, depth) {
    if (options === undefined && (typeof value === 'number' || typeof value === 'boolean')) return primitive(DEFAULTS, value);
    if (typeof options === 'boolean') options = { showHidden: options, depth: depth === undefined ? 2 : depth };
    return show(new State(options), value, 0);
  }
  inspect.custom = CUSTOM;
  inspect.defaultOptions = DEFAULTS;

  // ---- format strings ----

  function hasOwnText(value) {
    if (typeof value.toString !== 'function') return false;
    if (Object.hasOwn(value, 'toString')) return true;
    for (let at = Object.getPrototypeOf(value); at !== null; at = Object.getPrototypeOf(at)) {
      if (Object.hasOwn(at, 'toString')) return ![Object, Error, Array, Function, Date, RegExp].some((Class) => Class.prototype === at) || at === Error.prototype || at === Date.prototype;
    }
    return false;
  }

  function asText(value) {
    if (typeof value === 'number') return number(value);
    if (typeof value === 'bigint') return `${value}n`;
    if (typeof value !== 'object' || value === null || hasOwnText(value)) return String(value);
    return inspect(value, { depth: 0 });
  }

  function asNumber(value, convert) {
    if (typeof value === 'bigint') return `${value}n`;
    if (typeof value === 'symbol') return 'NaN';
    return number(convert(value));
  }

  function filled(kind, value) {
    switch (kind) {
      case 's': return asText(value);
      case 'd': return typeof value === 'object' && value !== null ? 'NaN' : asNumber(value, Number);
      case 'i': return typeof value === 'object' && value !== null ? 'NaN' : asNumber(value, Number.parseInt);
      case 'f': return typeof value === 'symbol' ? 'NaN' : number(Number.parseFloat(value));
      case 'j': return jsonText(value);
      case 'O': return inspect(value);
      case 'o': return inspect(value, { showHidden: true, depth: 4 });
      default: return '';
    }
  }

  function jsonText(value) {
    try {
      return JSON.stringify(value);
    } catch (error) {
      if (/circular/i.test(error.message)) return '[Circular]';
      throw error;
    }
  }

  function format(...values) {
    let from = 0;
    let shown = '';
    if (typeof values[0] === 'string') {
      from = 1;
      shown = values.length === 1 ? values[0] : values[0].replace(/%([sdifjoOc%])/g, (whole, kind) => {
        if (kind === '%') return '%';
        if (from >= values.length) return whole;
        return filled(kind, values[from++]);
      });
      if (from >= values.length) return shown;
      shown += ' ';
    }
    return shown + values.slice(from).map((value) => (typeof value === 'string' ? value : inspect(value))).join(' ');
  }

  host.inspect = inspect;
  host.format = format;
  host.textWidth = width;
})
