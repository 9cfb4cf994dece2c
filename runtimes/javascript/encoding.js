// TextEncoder and TextDecoder: UTF-8, UTF-16LE and what HTML calls latin1 (windows-1252).
(function (host) {
  const LABELS = {
    'utf-8': 'utf-8', utf8: 'utf-8', 'unicode-1-1-utf-8': 'utf-8',
    'utf-16le': 'utf-16le', 'utf-16': 'utf-16le', 'ucs-2': 'utf-16le',
    latin1: 'windows-1252', 'iso-8859-1': 'windows-1252', ascii: 'windows-1252', 'us-ascii': 'windows-1252', 'windows-1252': 'windows-1252',
  };
  // What windows-1252 has at 0x80 to 0x9F.
  const HIGH = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';

  function bytesOf(input) {
    if (input === undefined) return new Uint8Array();
    if (ArrayBuffer.isView(input)) return new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
    if (input instanceof ArrayBuffer || input instanceof SharedArrayBuffer) return new Uint8Array(input);
    throw host.wrongType('input', 'an instance of ArrayBuffer or ArrayBufferView', input);
  }

  class TextEncoder {
    get encoding() {
      return 'utf-8';
    }

    encode(text = '') {
      return host.utf8(`${text}`);
    }

    encodeInto(text, into) {
      let read = 0;
      let written = 0;
      for (const character of `${text}`.toWellFormed()) {
        const bytes = host.encodeUtf8(character);
        if (written + bytes.length > into.length) break;
        into.set(bytes, written);
        read += character.length;
        written += bytes.length;
      }
      return { read, written };
    }
  }

  // How many bytes at the end begin a character that is not complete yet.
  function unfinished(bytes) {
    for (let back = 1; back <= Math.min(3, bytes.length); back++) {
      const byte = bytes[bytes.length - back];
      if (byte < 0x80) return 0;
      if (byte >= 0xc0) {
        const needs = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
        return needs > back ? back : 0;
      }
    }
    return 0;
  }

  function joined(first, second) {
    if (first.length === 0) return second;
    const both = new Uint8Array(first.length + second.length);
    both.set(first);
    both.set(second, first.length);
    return both;
  }

  function utf16(bytes) {
    const parts = [];
    for (let at = 0; at + 1 < bytes.length; at += 2) parts.push(String.fromCharCode(bytes[at] | (bytes[at + 1] << 8)));
    if (bytes.length % 2) parts.push('\ufffd');
    return parts.join('').toWellFormed();
  }

  function latin(bytes) {
    let text = '';
    for (const byte of bytes) text += byte >= 0x80 && byte < 0xa0 ? HIGH[byte - 0x80] : String.fromCharCode(byte);
    return text;
  }

  class TextDecoder {
    #encoding;
    #fatal;
    #ignoreBOM;
    #rest = new Uint8Array();
    #started = false;

    constructor(label = 'utf-8', { fatal = false, ignoreBOM = false } = {}) {
      this.#encoding = LABELS[`${label}`.trim().toLowerCase()];
      if (!this.#encoding) throw host.coded(RangeError, 'ERR_ENCODING_NOT_SUPPORTED', `The "${label}" encoding is not supported`);
      this.#fatal = !!fatal;
      this.#ignoreBOM = !!ignoreBOM;
    }

    get encoding() {
      return this.#encoding;
    }

    get fatal() {
      return this.#fatal;
    }

    get ignoreBOM() {
      return this.#ignoreBOM;
    }

    decode(input, { stream = false } = {}) {
      let bytes = joined(this.#rest, bytesOf(input));
      const left = !stream ? 0 : this.#encoding === 'utf-8' ? unfinished(bytes) : this.#encoding === 'utf-16le' ? bytes.length % 2 : 0;
      this.#rest = bytes.slice(bytes.length - left);
      bytes = bytes.subarray(0, bytes.length - left);
      let text = this.#read(bytes);
      if (text === null) {
        this.#rest = new Uint8Array();
        throw host.coded(TypeError, 'ERR_ENCODING_INVALID_ENCODED_DATA', `The encoded data was not valid for encoding ${this.#encoding}`);
      }
      if (!this.#started && !this.#ignoreBOM && text.startsWith('\ufeff')) text = text.slice(1);
      this.#started = stream && (this.#started || text !== '');
      return text;
    }

    #read(bytes) {
      if (this.#encoding === 'utf-8') return host.decodeUtf8(bytes, this.#fatal);
      if (this.#encoding === 'utf-16le') return utf16(bytes);
      return latin(bytes);
    }
  }

  host.bytesOf = bytesOf;
  host.global({ TextEncoder, TextDecoder });
})
