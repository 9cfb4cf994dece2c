// URL and URLSearchParams, after the WHATWG standard, for hosts in ASCII: names in other
// scripts need tables that are not here, and are refused with a clear error.
(function (host) {
  const PORTS = { 'http:': '80', 'https:': '443', 'ws:': '80', 'wss:': '443', 'ftp:': '21', 'file:': '' };
  const isSpecial = (protocol) => Object.hasOwn(PORTS, protocol);

  // What is left as it is in each part; everything else is written as %XX.
  const FRAGMENT = /[^\x21\x23-\x3b\x3d\x3f-\x5f\x61-\x7e]/u;
  const QUERY = /[^\x21\x24-\x3b\x3d\x3f-\x7e]/u;
  const SPECIAL_QUERY = /[^\x21\x24-\x26\x28-\x3b\x3d\x3f-\x7e]/u;
  const PATH = /[^\x21\x24-\x3b\x3d\x40-\x5d\x5f\x61-\x7a\x7c\x7e]/u;
  const USER = /[^\x21\x24-\x2e\x30-\x39\x41-\x5a\x5f\x61-\x7a\x7e]/u;
  const OPAQUE = /[^\x20-\x7e]/u;
  const FORM = /[^*\-.0-9A-Z_a-z]/u;

  function encoded(text, keep) {
    let result = '';
    for (const character of text.toWellFormed()) {
      if (!keep.test(character)) result += character;
      else for (const byte of host.encodeUtf8(character)) result += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    }
    return result;
  }

  function decoded(text) {
    if (!text.includes('%')) return text;
    const bytes = host.utf8(text);
    const kept = [];
    for (let at = 0; at < bytes.length; at++) {
      const hex = String.fromCharCode(bytes[at + 1], bytes[at + 2]);
      if (bytes[at] === 0x25 && /^[0-9a-fA-F]{2}$/.test(hex)) {
        kept.push(parseInt(hex, 16));
        at += 2;
      } else {
        kept.push(bytes[at]);
      }
    }
    return host.decodeUtf8(Uint8Array.from(kept), false);
  }

  function invalid(input, base) {
    const error = host.coded(TypeError, 'ERR_INVALID_URL', 'Invalid URL');
    error.input = input;
    if (base !== undefined) error.base = base;
    return error;
  }

  // ---- hosts ----

  function ipv4Number(part) {
    if (part === '') return NaN;
    if (/^0[xX]/.test(part)) return /^0[xX][0-9a-fA-F]*$/.test(part) ? parseInt(part.slice(2) || '0', 16) : NaN;
    if (part.length > 1 && part[0] === '0') return /^0[0-7]*$/.test(part) ? parseInt(part, 8) : NaN;
    return /^[0-9]+$/.test(part) ? parseInt(part, 10) : NaN;
  }

  function ipv4(name) {
    const parts = name.split('.');
    if (parts.at(-1) === '' && parts.length > 1) parts.pop();
    if (!/^([0-9]+|0[xX][0-9a-fA-F]*)$/.test(parts.at(-1))) return undefined;
    const numbers = parts.map(ipv4Number);
    const last = numbers.pop();
    if (numbers.length > 3 || numbers.some((n) => !(n <= 255)) || !(last < 256 ** (4 - numbers.length))) return null;
    const whole = numbers.reduce((sum, n, at) => sum + n * 256 ** (3 - at), last);
    return [24, 16, 8, 0].map((shift) => Math.floor(whole / 2 ** shift) % 256).join('.');
  }

  function ipv6(text) {
    const sides = text.split('::');
    if (sides.length > 2) return null;
    const pieces = (side) => {
      const parts = side === '' ? [] : side.split(':');
      const last = parts.at(-1) ?? '';
      if (last.includes('.')) {
        const bytes = last.split('.');
        if (bytes.length !== 4 || bytes.some((n) => !/^(0|[1-9][0-9]{0,2})$/.test(n) || n > 255)) return null;
        parts.splice(-1, 1, (bytes[0] * 256 + +bytes[1]).toString(16), (bytes[2] * 256 + +bytes[3]).toString(16));
      }
      return parts.every((part) => /^[0-9a-fA-F]{1,4}$/.test(part)) ? parts.map((part) => parseInt(part, 16)) : null;
    };
    const [head, tail] = [pieces(sides[0]), sides.length === 2 ? pieces(sides[1]) : []];
    if (!head || !tail || (sides.length === 1 && head.length !== 8) || head.length + tail.length > (sides.length === 2 ? 7 : 8)) return null;
    return shortened([...head, ...new Array(8 - head.length - tail.length).fill(0), ...tail]);
  }

  function shortened(pieces) {
    let [best, length] = [-1, 1];
    for (let at = 0; at < 8; at++) {
      let end = at;
      while (end < 8 && pieces[end] === 0) end++;
      if (end - at > length) [best, length] = [at, end - at];
    }
    const hex = (part) => part.map((piece) => piece.toString(16)).join(':');
    return best === -1 ? hex(pieces) : `${hex(pieces.slice(0, best))}::${hex(pieces.slice(best + length))}`;
  }

  function parseHost(text, special) {
    if (text.startsWith('[')) {
      const address = text.endsWith(']') ? ipv6(text.slice(1, -1)) : null;
      return address === null ? null : `[${address}]`;
    }
    if (!special) return /[\0\t\n\r #/:<>?@[\\\]^|]/.test(text) ? null : encoded(text, OPAQUE);
    const name = decoded(text).toLowerCase();
    if (/[^\x00-\x7f]/.test(name)) throw host.unavailable('a URL with a host name outside of ASCII');
    if (name === '' || /[\x00-\x20"#%/:<>?@[\\\]^`{|}\x7f]/.test(name)) return null;
    const address = ipv4(name);
    return address === undefined ? name : address;
  }

  // ---- parsing ----

  function shortenedPath(url, parts) {
    const isDrive = url.protocol === 'file:' && parts.length === 1 && /^[a-zA-Z]:$/.test(parts[0]);
    if (!isDrive) parts.pop();
  }

  function readPath(url, text, parts) {
    const pieces = text.split(isSpecial(url.protocol) ? /[/\\]/ : '/');
    pieces.forEach((piece, at) => {
      const isLast = at === pieces.length - 1;
      const plain = piece.replace(/%2e/gi, '.');
      if (plain === '..') {
        shortenedPath(url, parts);
        if (isLast) parts.push('');
      } else if (plain === '.') {
        if (isLast) parts.push('');
      } else {
        parts.push(encoded(piece, PATH));
      }
    });
    url.path = parts;
  }

  function readAuthority(url, text) {
    const at = text.lastIndexOf('@');
    if (at !== -1) {
      const [, user, password] = /^([^:]*):?(.*)$/s.exec(text.slice(0, at));
      url.username = encoded(user, USER);
      url.password = encoded(password, USER);
    }
    const [, name, port] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/s.exec(text.slice(at + 1)) ?? [];
    if (name === undefined || (port && !/^[0-9]*$/.test(port)) || port > 65535) return false;
    if (name === '' && (isSpecial(url.protocol) ? url.protocol !== 'file:' : at !== -1 || port !== undefined)) return false;
    url.host = name === '' ? '' : parseHost(name, isSpecial(url.protocol));
    if (url.protocol === 'file:' && url.host === 'localhost') url.host = '';
    url.port = port && `${+port}` !== PORTS[url.protocol] ? `${+port}` : '';
    return url.host !== null;
  }

  function readTail(url, text) {
    const [, before, query, fragment] = /^([^?#]*)(\?[^#]*)?(#.*)?$/s.exec(text);
    url.query = query === undefined ? null : encoded(query.slice(1), isSpecial(url.protocol) ? SPECIAL_QUERY : QUERY);
    url.fragment = fragment === undefined ? null : encoded(fragment.slice(1), FRAGMENT);
    return before;
  }

  const empty = (protocol) => ({ protocol, username: '', password: '', host: null, port: '', path: [], opaque: null, query: null, fragment: null });

  function parse(input, base) {
    const text = input.replace(/^[\x00-\x20]+|[\x00-\x20]+$/g, '').replace(/[\t\n\r]/g, '');
    const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(text);
    if (!scheme) return base ? relative(text, base) : null;
    const url = empty(scheme[0].toLowerCase());
    const rest = text.slice(scheme[0].length);
    const special = isSpecial(url.protocol);
    if (special && base?.protocol === url.protocol && !/^[/\\]/.test(rest)) return relative(rest, base);
    const before = readTail(url, rest);
    if (special && url.protocol !== 'file:') return absolute(url, before.replace(/^[/\\]*/, '//'));
    if (url.protocol === 'file:' || before.startsWith('/')) return absolute(url, before);
    url.opaque = encoded(before, OPAQUE);
    return url;
  }

  // From `//host/path` or `/path` on.
  function absolute(url, text) {
    const slashes = isSpecial(url.protocol) ? /^[/\\]{2}/ : /^\/\//;
    let path = text;
    if (slashes.test(text)) {
      const [, authority, after] = (isSpecial(url.protocol) ? /^([^/\\]*)(.*)$/s : /^([^/]*)(.*)$/s).exec(text.slice(2));
      if (!readAuthority(url, authority)) return null;
      path = after;
    } else if (url.protocol === 'file:') {
      url.host = '';
    }
    if (path === '' && !isSpecial(url.protocol)) return url;
    readPath(url, path.replace(isSpecial(url.protocol) ? /^[/\\]/ : /^\//, ''), []);
    return url;
  }

  function relative(text, base) {
    if (base.opaque !== null) {
      if (!text.startsWith('#')) return null;
      return { ...base, fragment: encoded(text.slice(1), FRAGMENT) };
    }
    const url = empty(base.protocol);
    const before = readTail(url, text);
    const slash = isSpecial(base.protocol) ? /^[/\\]/ : /^\//;
    if (/^[/\\]{2}/.test(before) && slash.test(before) && slash.test(before.slice(1))) return absolute(url, before);
    Object.assign(url, { username: base.username, password: base.password, host: base.host, port: base.port });
    if (slash.test(before)) {
      readPath(url, before.slice(1), []);
    } else if (before === '') {
      url.path = [...base.path];
      if (url.query === null && !text.startsWith('?')) url.query = base.query;
    } else {
      const parts = [...base.path];
      shortenedPath(url, parts);
      readPath(url, before, parts);
    }
    return url;
  }

  // ---- the classes ----

  class URLSearchParams {
    #pairs = [];
    #changed = () => {};

    constructor(init = '') {
      if (typeof init === 'object' && init !== null) {
        const pairs = typeof init[Symbol.iterator] === 'function' ? [...init] : Object.entries(init);
        this.#pairs = pairs.map(([name, value]) => [`${name}`, `${value}`]);
      } else {
        this.#read(`${init}`.replace(/^\?/, ''));
      }
    }

    #read(text) {
      const plain = (part) => decoded(part.replaceAll('+', ' '));
      this.#pairs = text.split('&').filter((part) => part !== '').map((part) => {
        const at = part.indexOf('=');
        return at === -1 ? [plain(part), ''] : [plain(part.slice(0, at)), plain(part.slice(at + 1))];
      });
    }

    static bind(params, text, changed) {
      params.#read(text);
      params.#changed = changed;
    }

    get size() {
      return this.#pairs.length;
    }

    append(name, value) {
      this.#pairs.push([`${name}`, `${value}`]);
      this.#changed();
    }

    delete(name, value) {
      this.#pairs = this.#pairs.filter(([key, held]) => key !== `${name}` || (value !== undefined && held !== `${value}`));
      this.#changed();
    }

    get(name) {
      return this.#pairs.find(([key]) => key === `${name}`)?.[1] ?? null;
    }

    getAll(name) {
      return this.#pairs.filter(([key]) => key === `${name}`).map(([, value]) => value);
    }

    has(name, value) {
      return this.#pairs.some(([key, held]) => key === `${name}` && (value === undefined || held === `${value}`));
    }

    set(name, value) {
      const first = this.#pairs.findIndex(([key]) => key === `${name}`);
      if (first === -1) return this.append(name, value);
      this.#pairs = this.#pairs.filter(([key], at) => at === first || key !== `${name}`);
      this.#pairs[first] = [`${name}`, `${value}`];
      this.#changed();
    }

    sort() {
      this.#pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
      this.#changed();
    }

    forEach(act, self) {
      for (const [name, value] of this.#pairs) act.call(self, value, name, this);
    }

    *entries() {
      for (const [name, value] of this.#pairs) yield [name, value];
    }

    *keys() {
      for (const [name] of this.#pairs) yield name;
    }

    *values() {
      for (const [, value] of this.#pairs) yield value;
    }

    [Symbol.iterator]() {
      return this.entries();
    }

    toString() {
      const form = (text) => encoded(text, FORM).replaceAll('%20', '+');
      return this.#pairs.map(([name, value]) => `${form(name)}=${form(value)}`).join('&');
    }

    [host.inspect.custom]() {
      if (this.#pairs.length === 0) return 'URLSearchParams {}';
      return `URLSearchParams { ${this.#pairs.map(([name, value]) => `${host.inspect(name)} => ${host.inspect(value)}`).join(', ')} }`;
    }
  }
  const { bind } = URLSearchParams;
  delete URLSearchParams.bind;

  class URL {
    #url;
    #params;

    constructor(input, base) {
      const from = base === undefined ? undefined : parse(`${base}`);
      this.#url = from === null ? null : parse(`${input}`, from);
      if (this.#url === null) throw invalid(`${input}`, base === undefined ? undefined : `${base}`);
      this.#params = new URLSearchParams();
      this.#follow();
    }

    #follow() {
      bind(this.#params, this.#url.query ?? '', () => {
        this.#url.query = this.#params.toString() || null;
      });
    }

    static canParse(input, base) {
      try {
        return !!new URL(input, base);
      } catch {
        return false;
      }
    }

    static parse(input, base) {
      return URL.canParse(input, base) ? new URL(input, base) : null;
    }

    get href() {
      const { protocol, host: name, query, fragment } = this.#url;
      const user = this.username === '' && this.password === '' ? '' : `${this.username}${this.password === '' ? '' : `:${this.password}`}@`;
      const authority = name === null ? (this.#url.path.length > 1 && this.#url.path[0] === '' ? '/.' : '') : `//${user}${this.host}`;
      return `${protocol}${authority}${this.pathname}${query === null ? '' : `?${query}`}${fragment === null ? '' : `#${fragment}`}`;
    }

    set href(text) {
      const url = parse(`${text}`);
      if (url === null) throw invalid(`${text}`);
      this.#url = url;
      this.#follow();
    }

    get origin() {
      return isSpecial(this.protocol) && this.protocol !== 'file:' ? `${this.protocol}//${this.host}` : 'null';
    }

    get protocol() {
      return this.#url.protocol;
    }

    set protocol(text) {
      const scheme = `${`${text}`.replace(/:.*$/s, '').toLowerCase()}:`;
      if (/^[a-z][a-z0-9+.-]*:$/.test(scheme) && isSpecial(scheme) === isSpecial(this.protocol)) this.#url.protocol = scheme;
      if (this.#url.port === PORTS[this.#url.protocol]) this.#url.port = '';
    }

    get username() {
      return this.#url.username;
    }

    set username(text) {
      if (this.#url.host) this.#url.username = encoded(`${text}`, USER);
    }

    get password() {
      return this.#url.password;
    }

    set password(text) {
      if (this.#url.host) this.#url.password = encoded(`${text}`, USER);
    }

    get host() {
      return `${this.hostname}${this.port === '' ? '' : `:${this.port}`}`;
    }

    set host(text) {
      const copy = { ...this.#url };
      if (this.#url.opaque === null && readAuthority(copy, `${text}`.replace(/[/?#\\].*$/s, '').replaceAll('@', ''))) {
        if (!`${text}`.includes(':')) copy.port = this.#url.port;
        this.#url = { ...copy, username: this.username, password: this.password };
      }
    }

    get hostname() {
      return this.#url.host ?? '';
    }

    set hostname(text) {
      const name = this.#url.opaque === null ? parseHost(`${text}`.replace(/[/?#\\:].*$/s, ''), isSpecial(this.protocol)) : null;
      if (name !== null) this.#url.host = name;
    }

    get port() {
      return this.#url.port;
    }

    set port(text) {
      const digits = /^[0-9]*/.exec(`${text}`)[0];
      if (!this.#url.host || this.protocol === 'file:' || +digits > 65535 || (digits === '' && `${text}` !== '')) return;
      this.#url.port = digits === '' || `${+digits}` === PORTS[this.protocol] ? '' : `${+digits}`;
    }

    get pathname() {
      if (this.#url.opaque !== null) return this.#url.opaque;
      return this.#url.path.map((part) => `/${part}`).join('');
    }

    set pathname(text) {
      if (this.#url.opaque === null) readPath(this.#url, `${text}`.replace(/^[/\\]/, '').replaceAll('?', '%3F').replaceAll('#', '%23'), []);
    }

    get search() {
      return this.#url.query ? `?${this.#url.query}` : '';
    }

    set search(text) {
      const plain = `${text}`.replace(/^\?/, '');
      this.#url.query = `${text}` === '' ? null : encoded(plain, isSpecial(this.protocol) ? SPECIAL_QUERY : QUERY).replaceAll('#', '%23');
      this.#follow();
    }

    get searchParams() {
      return this.#params;
    }

    get hash() {
      return this.#url.fragment ? `#${this.#url.fragment}` : '';
    }

    set hash(text) {
      this.#url.fragment = `${text}` === '' ? null : encoded(`${text}`.replace(/^#/, ''), FRAGMENT);
    }

    toString() {
      return this.href;
    }

    toJSON() {
      return this.href;
    }

    [host.inspect.custom](depth, options) {
      if (typeof depth === 'number' && depth < 0) return this.href;
      const shown = {};
      for (const name of ['href', 'origin', 'protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search', 'searchParams', 'hash']) shown[name] = this[name];
      return `URL ${host.inspect(shown, { ...options, depth: 2 })}`;
    }
  }

  host.fileUrlToPath = function fileUrlToPath(url) {
    const of = typeof url === 'string' ? new URL(url) : url;
    if (of.protocol !== 'file:') throw host.coded(TypeError, 'ERR_INVALID_URL_SCHEME', 'The URL must be of scheme file');
    return decoded(of.pathname);
  };

  function pathToFileURL(name) {
    const url = new URL('file:///');
    url.pathname = host.path.resolve(name).replaceAll('%', '%25');
    return url;
  }

  host.modules.url = () => ({
    URL, URLSearchParams, fileURLToPath: host.fileUrlToPath, pathToFileURL,
    parse() {
      throw host.unavailable('url.parse');
    },
    format: (url) => `${url}`,
    resolve: (from, to) => new URL(to, new URL(from, 'resolve://')).href.replace(/^resolve:\/\//, ''),
  });
  host.global({ URL, URLSearchParams });
})
