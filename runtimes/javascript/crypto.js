// Random numbers of the host, and the hashes that programs use (in JavaScript: for texts, not
// for gigabytes). No keys, no ciphers, no signatures.
(function (host) {
  const { Buffer } = host;
  const MAX_RANDOM_BYTES = 65536; // for one call of getRandomValues, as the standard has it
  const hex = (bytes) => Uint8Array.prototype.toHex.call(bytes);

  function randomBytes(count) {
    const bytes = new Uint8Array(count);
    if (host.random(bytes) !== 0) throw new Error('the host gave no random numbers');
    return host.asBuffer(bytes);
  }

  function randomUUID() {
    const bytes = randomBytes(16);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    return hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  }

  function getRandomValues(array) {
    if (!ArrayBuffer.isView(array) || /^(Float|Data)/.test(host.classOf(array))) {
      throw new DOMException('The data argument must be an integer-type TypedArray', 'TypeMismatchError');
    }
    if (array.byteLength > MAX_RANDOM_BYTES) throw new DOMException(`The requested length exceeds ${MAX_RANDOM_BYTES} bytes`, 'QuotaExceededError');
    host.random(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    return array;
  }

  function randomInt(low, high, done) {
    if (high === undefined || typeof high === 'function') [low, high, done] = [0, low, high];
    const range = high - low;
    if (!(Number.isSafeInteger(low) && Number.isSafeInteger(high) && range > 0 && range < 2 ** 48)) {
      throw host.coded(RangeError, 'ERR_OUT_OF_RANGE', `The value of "max" is out of range. It must be greater than the value of "min" (${low}). Received ${high}`);
    }
    const most = 2 ** 48 - (2 ** 48 % range);
    let drawn;
    do drawn = randomBytes(6).readUIntBE(0, 6);
    while (drawn >= most);
    const number = low + (drawn % range);
    if (done) host.nextTick(done, null, number);
    return done ? undefined : number;
  }

  // ---- hashes ----

  // The message with its end mark and its length in bits, in blocks of `size` bytes.
  function padded(bytes, size, isLittle) {
    const field = size / 8;
    const whole = new Uint8Array(Math.ceil((bytes.length + 1 + field) / size) * size);
    whole.set(bytes);
    whole[bytes.length] = 0x80;
    new DataView(whole.buffer).setBigUint64(whole.length - 8, BigInt(bytes.length) * 8n, isLittle);
    return whole;
  }

  const rotl = (x, by) => (x << by) | (x >>> (32 - by));
  const rotr = (x, by) => (x >>> by) | (x << (32 - by));

  function primes(count) {
    const found = [];
    for (let number = 2; found.length < count; number++) if (found.every((prime) => number % prime)) found.push(number);
    return found;
  }

  // The first 64 bits of the fraction of the root of a prime: what SHA-2's constants are.
  function fraction(prime, root) {
    const scaled = BigInt(prime) << BigInt(64 * root);
    let low = 0n;
    let high = 1n << 70n;
    while (low < high) {
      const middle = (low + high + 1n) >> 1n;
      if (middle ** BigInt(root) <= scaled) low = middle;
      else high = middle - 1n;
    }
    return low & 0xffffffffffffffffn;
  }

  const K64 = BigUint64Array.from(primes(80), (prime) => fraction(prime, 3));
  const K32 = Int32Array.from(K64.subarray(0, 64), (k) => Number(k >> 32n));
  const H64 = BigUint64Array.from(primes(8), (prime) => fraction(prime, 2));
  const H384 = BigUint64Array.from(primes(16).slice(8), (prime) => fraction(prime, 2));
  const H32 = Int32Array.from(H64, (h) => Number(h >> 32n));
  const H224 = Int32Array.from(H384, (h) => Number(h & 0xffffffffn));
  const SINES = Int32Array.from({ length: 64 }, (_, at) => Math.floor(Math.abs(Math.sin(at + 1)) * 2 ** 32));
  const SHIFTS = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

  function words(numbers, isLittle) {
    const bytes = new Uint8Array(numbers.length * 4);
    const view = new DataView(bytes.buffer);
    numbers.forEach((number, at) => view.setInt32(at * 4, number, isLittle));
    return bytes;
  }

  function md5(message) {
    const whole = padded(message, 64, true);
    const view = new DataView(whole.buffer);
    const sum = [0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476];
    for (let from = 0; from < whole.length; from += 64) {
      let [a, b, c, d] = sum;
      for (let at = 0; at < 64; at++) {
        const round = at >> 4;
        const mixed = round === 0 ? (b & c) | (~b & d) : round === 1 ? (d & b) | (~d & c) : round === 2 ? b ^ c ^ d : c ^ (b | ~d);
        const index = round === 0 ? at : round === 1 ? (5 * at + 1) % 16 : round === 2 ? (3 * at + 5) % 16 : (7 * at) % 16;
        const next = (a + mixed + SINES[at] + view.getInt32(from + index * 4, true)) | 0;
        [a, d, c, b] = [d, c, b, (b + rotl(next, SHIFTS[round][at % 4])) | 0];
      }
      [a, b, c, d].forEach((part, at) => (sum[at] = (sum[at] + part) | 0));
    }
    return words(sum, true);
  }

  function sha1(message) {
    const whole = padded(message, 64, false);
    const view = new DataView(whole.buffer);
    const sum = [0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476, 0xc3d2e1f0 | 0];
    const w = new Int32Array(80);
    for (let from = 0; from < whole.length; from += 64) {
      for (let at = 0; at < 80; at++) w[at] = at < 16 ? view.getInt32(from + at * 4) : rotl(w[at - 3] ^ w[at - 8] ^ w[at - 14] ^ w[at - 16], 1);
      let [a, b, c, d, e] = sum;
      for (let at = 0; at < 80; at++) {
        const [mixed, k] = at < 20 ? [(b & c) | (~b & d), 0x5a827999] : at < 40 ? [b ^ c ^ d, 0x6ed9eba1] : at < 60 ? [(b & c) | (b & d) | (c & d), 0x8f1bbcdc] : [b ^ c ^ d, 0xca62c1d6];
        [a, b, c, d, e] = [(rotl(a, 5) + mixed + e + k + w[at]) | 0, a, rotl(b, 30), c, d];
      }
      [a, b, c, d, e].forEach((part, at) => (sum[at] = (sum[at] + part) | 0));
    }
    return words(sum, false);
  }

  function sha256(message, start = H32) {
    const whole = padded(message, 64, false);
    const view = new DataView(whole.buffer);
    const sum = Int32Array.from(start);
    const w = new Int32Array(64);
    for (let from = 0; from < whole.length; from += 64) {
      for (let at = 0; at < 64; at++) {
        if (at < 16) {
          w[at] = view.getInt32(from + at * 4);
          continue;
        }
        const [x, y] = [w[at - 15], w[at - 2]];
        w[at] = (w[at - 16] + (rotr(x, 7) ^ rotr(x, 18) ^ (x >>> 3)) + w[at - 7] + (rotr(y, 17) ^ rotr(y, 19) ^ (y >>> 10))) | 0;
      }
      let [a, b, c, d, e, f, g, h] = sum;
      for (let at = 0; at < 64; at++) {
        const one = (h + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + ((e & f) ^ (~e & g)) + K32[at] + w[at]) | 0;
        const two = ((rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        h = g; g = f; f = e; e = (d + one) | 0; d = c; c = b; b = a; a = (one + two) | 0;
      }
      [a, b, c, d, e, f, g, h].forEach((part, at) => (sum[at] += part));
    }
    return words([...sum], false);
  }

  const wide = (x) => BigInt.asUintN(64, x);
  const rotr64 = (x, by) => wide((x >> by) | (x << (64n - by)));

  function sha512(message, start = H64) {
    const whole = padded(message, 128, false);
    const view = new DataView(whole.buffer);
    const sum = BigUint64Array.from(start);
    const w = new BigUint64Array(80);
    for (let from = 0; from < whole.length; from += 128) {
      for (let at = 0; at < 80; at++) {
        if (at < 16) {
          w[at] = view.getBigUint64(from + at * 8);
          continue;
        }
        const [x, y] = [w[at - 15], w[at - 2]];
        w[at] = w[at - 16] + (rotr64(x, 1n) ^ rotr64(x, 8n) ^ (x >> 7n)) + w[at - 7] + (rotr64(y, 19n) ^ rotr64(y, 61n) ^ (y >> 6n));
      }
      let [a, b, c, d, e, f, g, h] = sum;
      for (let at = 0; at < 80; at++) {
        const one = h + (rotr64(e, 14n) ^ rotr64(e, 18n) ^ rotr64(e, 41n)) + ((e & f) ^ (wide(~e) & g)) + K64[at] + w[at];
        const two = (rotr64(a, 28n) ^ rotr64(a, 34n) ^ rotr64(a, 39n)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g; g = f; f = e; e = wide(d + one); d = c; c = b; b = a; a = wide(one + two);
      }
      [a, b, c, d, e, f, g, h].forEach((part, at) => (sum[at] += part));
    }
    const bytes = new Uint8Array(64);
    sum.forEach((part, at) => new DataView(bytes.buffer).setBigUint64(at * 8, part));
    return bytes;
  }

  // Name, function, and bytes of a block (for HMAC).
  const HASHES = {
    md5: [md5, 64], sha1: [sha1, 64], sha224: [(bytes) => sha256(bytes, H224).slice(0, 28), 64], sha256: [(bytes) => sha256(bytes), 64],
    sha384: [(bytes) => sha512(bytes, H384).slice(0, 48), 128], sha512: [(bytes) => sha512(bytes), 128],
  };

  function hashOf(name) {
    const plain = `${name}`.toLowerCase().replace('-', '');
    if (!Object.hasOwn(HASHES, plain)) throw host.coded(Error, 'ERR_NOT_AVAILABLE', `Digest method '${name}' is not available in this sandbox; run the code in a container profile`);
    return HASHES[plain];
  }

  const bytesOf = (data, encoding) => (typeof data === 'string' ? Buffer.from(data, encoding) : host.bytesOf(data));

  class Hash {
    #parts = [];
    #finish;

    constructor(finish) {
      this.#finish = finish;
    }

    update(data, encoding) {
      if (this.#parts === null) throw host.coded(Error, 'ERR_CRYPTO_HASH_FINALIZED', 'Digest already called');
      if (typeof data !== 'string' && !ArrayBuffer.isView(data)) throw host.wrongType('data', 'of type string or an instance of Buffer, TypedArray, or DataView', data);
      this.#parts.push(Uint8Array.from(bytesOf(data, encoding)));
      return this;
    }

    digest(encoding) {
      if (this.#parts === null) throw host.coded(Error, 'ERR_CRYPTO_HASH_FINALIZED', 'Digest already called');
      const sum = host.asBuffer(this.#finish(Buffer.concat(this.#parts)));
      this.#parts = null;
      return encoding && encoding !== 'buffer' ? sum.toString(encoding) : sum;
    }

    copy() {
      const copy = new Hash(this.#finish);
      copy.#parts = [...this.#parts];
      return copy;
    }
  }

  function createHash(name) {
    return new Hash(hashOf(name)[0]);
  }

  function createHmac(name, key) {
    const [hash, size] = hashOf(name);
    let secret = bytesOf(key);
    if (secret.length > size) secret = hash(secret);
    const pad = (mask) => Uint8Array.from({ length: size }, (_, at) => (secret[at] ?? 0) ^ mask);
    return new Hash((message) => hash(Buffer.concat([pad(0x5c), hash(Buffer.concat([pad(0x36), message]))])));
  }

  function timingSafeEqual(a, b) {
    const [x, y] = [host.bytesOf(a), host.bytesOf(b)];
    if (x.length !== y.length) throw host.coded(RangeError, 'ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH', 'Input buffers must have the same byte length');
    return x.reduce((sum, byte, at) => sum | (byte ^ y[at]), 0) === 0;
  }

  const subtle = {
    async digest(algorithm, data) {
      const sum = hashOf(typeof algorithm === 'object' ? algorithm.name : algorithm)[0](host.bytesOf(data));
      return sum.buffer.slice(sum.byteOffset, sum.byteOffset + sum.length);
    },
  };

  const crypto = { getRandomValues, randomUUID, subtle };
  Object.defineProperty(crypto, Symbol.toStringTag, { value: 'Crypto', configurable: true });

  function maybeLater(act) {
    return (count, done) => {
      const result = act(count);
      if (typeof done !== 'function') return result;
      host.nextTick(done, null, result);
    };
  }

  host.modules.crypto = () => ({
    webcrypto: crypto, subtle, getRandomValues, randomUUID, randomInt, createHash, createHmac, timingSafeEqual,
    randomBytes: maybeLater(randomBytes),
    randomFillSync: (view) => {
      host.random(host.bytesOf(view));
      return view;
    },
    hash: (name, data, encoding = 'hex') => createHash(name).update(data).digest(encoding),
    getHashes: () => Object.keys(HASHES),
  });
  host.global({ crypto });
})
