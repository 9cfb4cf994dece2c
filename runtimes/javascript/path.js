// The module `path`: POSIX paths.
(function (host) {
  function normalParts(path, isAbsolute) {
    const parts = [];
    for (const part of path.split('/')) {
      if (part === '' || part === '.') continue;
      if (part !== '..') parts.push(part);
      else if (parts.length > 0 && parts.at(-1) !== '..') parts.pop();
      else if (!isAbsolute) parts.push('..');
    }
    return parts.join('/');
  }

  function resolve(...paths) {
    let whole = '';
    for (let at = paths.length - 1; at >= -1 && !whole.startsWith('/'); at--) {
      const part = at >= 0 ? paths[at] : host.directory();
      host.needText(`paths[${at}]`, part);
      if (part !== '') whole = whole === '' ? part : `${part}/${whole}`;
    }
    return `/${normalParts(whole, true)}`;
  }

  function normalize(path) {
    host.needText('path', path);
    if (path === '') return '.';
    const isAbsolute = path.startsWith('/');
    let parts = normalParts(path, isAbsolute);
    if (parts === '') return isAbsolute ? '/' : path.endsWith('/') ? './' : '.';
    if (path.endsWith('/')) parts += '/';
    return isAbsolute ? `/${parts}` : parts;
  }

  function join(...paths) {
    paths.forEach((part) => host.needText('path', part));
    const whole = paths.filter((part) => part !== '').join('/');
    return whole === '' ? '.' : normalize(whole);
  }

  function trimmed(path) {
    return path.replace(/(.)\/+$/, '$1');
  }

  function dirname(path) {
    host.needText('path', path);
    if (path === '') return '.';
    const cut = trimmed(path);
    const at = cut.lastIndexOf('/');
    if (at === -1) return cut.startsWith('/') ? '/' : '.';
    return at === 0 ? '/' : trimmed(cut.slice(0, at));
  }

  function basename(path, suffix = '') {
    host.needText('path', path);
    const cut = trimmed(path);
    const name = cut === '/' ? '' : cut.slice(cut.lastIndexOf('/') + 1);
    return suffix !== '' && name !== suffix && name.endsWith(suffix) ? name.slice(0, -suffix.length) : name;
  }

  function extname(path) {
    const name = basename(path);
    const at = name.lastIndexOf('.');
    return at <= 0 || name === '..' ? '' : name.slice(at);
  }

  function relative(from, to) {
    const start = resolve(from).split('/').filter(Boolean);
    const end = resolve(to).split('/').filter(Boolean);
    let same = 0;
    while (same < start.length && same < end.length && start[same] === end[same]) same++;
    return [...start.slice(same).fill('..'), ...end.slice(same)].join('/');
  }

  function parse(path) {
    const base = basename(path);
    const ext = extname(path);
    const root = path.startsWith('/') ? '/' : '';
    const dir = dirname(path);
    return { root, dir: dir === '.' && !path.startsWith('.') ? '' : dir, base, ext, name: ext ? base.slice(0, -ext.length) : base };
  }

  function format({ root = '', dir = root, base, name = '', ext = '' }) {
    const last = base ?? name + (ext && !ext.startsWith('.') ? `.${ext}` : ext);
    return dir === '' ? last : dir === root ? `${dir}${last}` : `${dir}/${last}`;
  }

  const path = {
    sep: '/', delimiter: ':', resolve, normalize, join, dirname, basename, extname, relative, parse, format,
    isAbsolute: (of) => of.startsWith('/'),
    toNamespacedPath: (of) => of,
    matchesGlob: undefined,
  };
  delete path.matchesGlob;
  path.posix = path;
  host.path = path;
  host.modules.path = () => path;
  host.modules['path/posix'] = () => path;
})
