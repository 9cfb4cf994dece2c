// Buffer: bytes with the encodings that programs use. A Uint8Array with more methods.
(function (host) {
  const ENCODINGS = {
    utf8: 'utf8', 'utf-8': 'utf8', hex: 'hex', base64: 'base64', base64url: 'base64url', latin1: 'latin1',
    binary: 'latin1', ascii: 'ascii', ucs2: 'utf16le', 'ucs-2': 'utf16le', utf16le: 'utf16le', 'utf-16le': 'utf16le',
  };

  function encodingOf(name = 'utf8') {
    const known = typeof name === 'string' ? ENCODINGS[name.toLowerCase()] : undefined;
    if (!known) throw host.coded(TypeError, 'ERR_UNKNOWN_ENCODING', `Unknown encoding: ${name}`);
    return known;
  }

  function fromText(text, encoding) {
    switch (encodingOf(encoding)) {
      case 'utf8': return host.utf8(text);
      case 'hex': return fromHex(text);
      case 'base64': case 'base64url': return fromBase64(text);
      case 'utf16le': return units(text, 2);
      default: return units(text, 1);
    }
  }

  function units(text, size) {
    const bytes = new Uint8Array(text.length * size);
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      bytes[at * size] = code;
      if (size === 2) bytes[at * 2 + 1] = code >> 8;
    }
    return bytes;
  }

  function fromHex(text) {
    const good = text.match(/^(?:[0-9a-fA-F]{2})*/)[0];
    return Uint8Array.fromHex(good);
  }

  function fromBase64(text) {
    const plain = text.replaceAll('-', '+').replaceAll('_', '/').replace(/[^A-Za-z0-9+/=]/g, '').replace(/=.*$/, '');
    const cut = plain.length % 4 === 1 ? plain.slice(0, -1) : plain;
    return Uint8Array.fromBase64(cut);
  }

  function toText(bytes, encoding) {
    switch (encodingOf(encoding)) {
      case 'utf8': return host.decodeUtf8(bytes, false);
      case 'hex': return Uint8Array.prototype.toHex.call(bytes);
      case 'base64': return Uint8Array.prototype.toBase64.call(bytes);
      case 'base64url': return Uint8Array.prototype.toBase64.call(bytes, { alphabet: 'base64url', omitPadding: true });
      case 'utf16le': return fromUnits(bytes, 2, 0xff);
      case 'ascii': return fromUnits(bytes, 1, 0x7f);
      default: return fromUnits(bytes, 1, 0xff);
    }
  }

  function fromUnits(bytes, size, mask) {
    let text = '';
    for (let at = 0; at + size <= bytes.length; at += size) {
      text += String.fromCharCode(size === 2 ? bytes[at] | (bytes[at + 1] << 8) : bytes[at] & mask);
    }
    return text;
  }

  function outOfRange(name, range, value) {
    return host.coded(RangeError, 'ERR_OUT_OF_RANGE', `The value of "${name}" is out of range. It must be ${range}. Received ${value}`);
  }

  function checkSize(size) {
    if (typeof size !== 'number') throw host.wrongType('size', 'of type number', size);
    if (!(size >= 0 && size <= 2 ** 32)) throw outOfRange('size', '>= 0 && <= 4294967296', size);
  }

  // Plain bytes as a Buffer, without a copy.
  function asBuffer(bytes) {
    return new FastBuffer(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  class FastBuffer extends Uint8Array {}

  function Buffer(value, encoding, length) {
    return typeof value === 'number' ? Buffer.alloc(value) : Buffer.from(value, encoding, length);
  }
  Object.setPrototypeOf(Buffer, Uint8Array);
  Buffer.prototype = FastBuffer.prototype;
  Object.defineProperty(FastBuffer.prototype, 'constructor', { value: Buffer, writable: true, configurable: true });

  host.define(Buffer, {
    poolSize: 8192,
    from(value, encoding, length) {
      if (typeof value === 'string') return asBuffer(fromText(value, encoding));
      if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) return new FastBuffer(value, encoding, length);
      if (typeof value === 'object' && value !== null) {
        if (value.type === 'Buffer' && Array.isArray(value.data)) return asBuffer(Uint8Array.from(value.data));
        const inner = value.valueOf?.();
        if (inner != null && inner !== value && (typeof inner === 'string' || typeof inner === 'object')) return Buffer.from(inner, encoding, length);
        if (Array.isArray(value) || ArrayBuffer.isView(value) || typeof value.length === 'number') return asBuffer(Uint8Array.from(value));
      }
      throw host.wrongType('first argument', 'of type string or an instance of Buffer, ArrayBuffer, or Array or an Array-like Object', value);
    },
    of: (...bytes) => asBuffer(Uint8Array.of(...bytes)),
    alloc(size, fill, encoding) {
      checkSize(size);
      const buffer = new FastBuffer(size);
      return fill === undefined || fill === 0 ? buffer : buffer.fill(fill, encoding);
    },
    allocUnsafe: (size) => Buffer.alloc(size),
    allocUnsafeSlow: (size) => Buffer.alloc(size),
    isBuffer: (value) => value instanceof FastBuffer,
    isEncoding: (name) => typeof name === 'string' && name.toLowerCase() in ENCODINGS,
    byteLength(value, encoding) {
      if (typeof value !== 'string') return value.byteLength;
      return fromText(value, encoding).length;
    },
    concat(list, total = list.reduce((sum, part) => sum + part.length, 0)) {
      const whole = Buffer.alloc(total);
      let at = 0;
      for (const part of list) {
        if (at >= total) break;
        whole.set(part.subarray(0, total - at), at);
        at += part.length;
      }
      return whole;
    },
    compare(a, b) {
      const shared = Math.min(a.length, b.length);
      for (let at = 0; at < shared; at++) if (a[at] !== b[at]) return a[at] < b[at] ? -1 : 1;
      return Math.sign(a.length - b.length);
    },
  });

  function fillPattern(value, encoding) {
    if (typeof value === 'string') return fromText(value, encoding);
    if (typeof value === 'number') return Uint8Array.of(value);
    return value;
  }

  function search(buffer, value, from, encoding, isLast) {
    if (typeof from === 'string') [from, encoding] = [undefined, from];
    const wanted = fillPattern(value, encoding);
    const last = buffer.length - wanted.length;
    let at = from === undefined ? (isLast ? last : 0) : from < 0 ? buffer.length + from : from;
    at = Math.max(0, Math.min(at, isLast ? last : buffer.length));
    for (; at >= 0 && at <= last; at += isLast ? -1 : 1) {
      if (wanted.every((byte, index) => buffer[at + index] === byte)) return at;
    }
    return -1;
  }

  host.define(FastBuffer.prototype, {
    toString(encoding, from = 0, to = this.length) {
      return toText(from === 0 && to >= this.length ? this : this.subarray(from, to), encoding);
    },
    toLocaleString(encoding) {
      return this.toString(encoding);
    },
    toJSON() {
      return { type: 'Buffer', data: [...this] };
    },
    equals(other) {
      return Buffer.compare(this, other) === 0;
    },
    compare(other) {
      return Buffer.compare(this, other);
    },
    slice(from, to) {
      return this.subarray(from, to);
    },
    subarray(from, to) {
      return asBuffer(Uint8Array.prototype.subarray.call(new Uint8Array(this.buffer, this.byteOffset, this.length), from, to));
    },
    write(text, at = 0, length, encoding) {
      if (typeof at === 'string') [at, encoding] = [0, at];
      if (typeof length === 'string') [length, encoding] = [undefined, length];
      const bytes = fromText(text, encoding).subarray(0, Math.min(length ?? Infinity, this.length - at));
      this.set(bytes, at);
      return bytes.length;
    },
    fill(value, from = 0, to = this.length, encoding) {
      if (typeof from === 'string') [from, to, encoding] = [0, this.length, from];
      const pattern = fillPattern(value, encoding);
      if (pattern.length === 0) return Uint8Array.prototype.fill.call(this, 0, from, to);
      for (let at = from; at < to; at++) this[at] = pattern[(at - from) % pattern.length];
      return this;
    },
    copy(into, at = 0, from = 0, to = this.length) {
      const part = this.subarray(from, Math.min(to, from + into.length - at));
      into.set(part, at);
      return part.length;
    },
    indexOf(value, from, encoding) {
      return search(this, value, from, encoding, false);
    },
    lastIndexOf(value, from, encoding) {
      return search(this, value, from, encoding, true);
    },
    includes(value, from, encoding) {
      return search(this, value, from, encoding, false) !== -1;
    },
    swap16() {
      for (let at = 0; at + 1 < this.length; at += 2) [this[at], this[at + 1]] = [this[at + 1], this[at]];
      return this;
    },
    [Symbol.for('nodejs.util.inspect.custom')]() {
      const shown = [...this.subarray(0, 50)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
      const left = this.length - 50;
      return `<Buffer${shown ? ` ${shown}` : ''}${left > 0 ? ` ... ${left} more byte${left > 1 ? 's' : ''}` : ''}>`;
    },
  });

  // ---- numbers: readInt32LE, writeDoubleBE … ----

  function viewOf(buffer, at, size) {
    if (!Number.isInteger(at)) throw host.wrongType('offset', 'of type number', at);
    if (at < 0 || at + size > buffer.length) throw outOfRange('offset', `>= 0 and <= ${buffer.length - size}`, at);
    return new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  }

  function fixed(name, alias, method, size, isLittle) {
    const read = function (at = 0) {
      return viewOf(this, at, size)[`get${method}`](at, isLittle);
    };
    const write = function (value, at = 0) {
      viewOf(this, at, size)[`set${method}`](at, value, isLittle);
      return at + size;
    };
    host.define(FastBuffer.prototype, { [`read${name}`]: read, [`write${name}`]: write });
    if (alias) host.define(FastBuffer.prototype, { [`read${alias}`]: read, [`write${alias}`]: write });
  }

  fixed('UInt8', 'Uint8', 'Uint8', 1);
  fixed('Int8', null, 'Int8', 1);
  for (const [end, isLittle] of [['LE', true], ['BE', false]]) {
    fixed(`UInt16${end}`, `Uint16${end}`, 'Uint16', 2, isLittle);
    fixed(`Int16${end}`, null, 'Int16', 2, isLittle);
    fixed(`UInt32${end}`, `Uint32${end}`, 'Uint32', 4, isLittle);
    fixed(`Int32${end}`, null, 'Int32', 4, isLittle);
    fixed(`BigUInt64${end}`, `BigUint64${end}`, 'BigUint64', 8, isLittle);
    fixed(`BigInt64${end}`, null, 'BigInt64', 8, isLittle);
    fixed(`Float${end}`, null, 'Float32', 4, isLittle);
    fixed(`Double${end}`, null, 'Float64', 8, isLittle);
  }

  function ofLength(isSigned, isLittle) {
    return {
      read(at, size) {
        viewOf(this, at, size);
        let value = 0;
        for (let index = 0; index < size; index++) value = value * 256 + this[isLittle ? at + size - 1 - index : at + index];
        return isSigned && value >= 2 ** (8 * size - 1) ? value - 2 ** (8 * size) : value;
      },
      write(value, at, size) {
        viewOf(this, at, size);
        if (value < 0) value += 2 ** (8 * size);
        for (let index = 0; index < size; index++) {
          this[isLittle ? at + index : at + size - 1 - index] = value % 256;
          value = Math.floor(value / 256);
        }
        return at + size;
      },
    };
  }

  for (const [name, isSigned] of [['UInt', false], ['Uint', false], ['Int', true]]) {
    for (const [end, isLittle] of [['LE', true], ['BE', false]]) {
      const { read, write } = ofLength(isSigned, isLittle);
      host.define(FastBuffer.prototype, { [`read${name}${end}`]: read, [`write${name}${end}`]: write });
    }
  }

  host.asBuffer = asBuffer;
  host.Buffer = Buffer;
  host.encodingOf = encodingOf;
  host.global({ Buffer });
  host.modules.buffer = () => ({ Buffer, SlowBuffer: Buffer, kMaxLength: 2 ** 32, constants: { MAX_LENGTH: 2 ** 32, MAX_STRING_LENGTH: 2 ** 30 - 1 }, atob, btoa });

  class StringDecoder {
    #decoder;
    #encoding;

    constructor(encoding) {
      this.#encoding = encodingOf(encoding);
      this.encoding = this.#encoding;
      if (this.#encoding === 'utf8' || this.#encoding === 'utf16le') this.#decoder = new TextDecoder(this.#encoding === 'utf8' ? 'utf-8' : 'utf-16le', { ignoreBOM: true });
    }

    write(bytes) {
      return this.#decoder ? this.#decoder.decode(bytes, { stream: true }) : toText(bytes, this.#encoding);
    }

    end(bytes) {
      const last = bytes === undefined ? '' : this.write(bytes);
      return this.#decoder ? last + this.#decoder.decode() : last;
    }
  }

  host.StringDecoder = StringDecoder;
  host.modules.string_decoder = () => ({ StringDecoder });
})
