// `console`: node's functions and layout, over stdout and stderr.
(function (host) {
  const { format, inspect, print } = host;
  const counts = Object.create(null);
  const started = Object.create(null);
  let indent = '';

  function line(fd, text) {
    if (indent !== '') text = indent + text.replaceAll('\n', `\n${indent}`);
    print(fd, `${text}\n`);
  }

  function log(...values) {
    // Most lines are one value.
    if (values.length !== 1) line(1, format(...values));
    else line(1, typeof values[0] === 'string' ? values[0] : inspect(values[0]));
  }

  function error(...values) {
    line(2, format(...values));
  }

  function took(ms) {
    if (ms < 1000) return `${Number(ms.toFixed(3))}ms`;
    if (ms < 60_000) return `${(ms / 1000).toFixed(3)}s`;
    const seconds = ms / 1000;
    return `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(3).padStart(6, '0')} (m:ss.mmm)`;
  }

  // ---- tables ----

  const cell = (value) => inspect(value, { maxArrayLength: 3, breakLength: Infinity, depth: value !== null && typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length > 2 ? -1 : 0 });

  function drawn(head, rows) {
    const widths = head.map((name, at) => Math.max(host.textWidth(name), ...rows.map((row) => host.textWidth(row[at]))) + 2);
    const padded = (text, room) => ` ${text}${' '.repeat(room - 1 - host.textWidth(text))}`;
    const row = (cells) => `│${cells.map((text, at) => padded(text, widths[at])).join('│')}│`;
    const rule = (from, between, to) => from + widths.map((room) => '─'.repeat(room)).join(between) + to;
    return [rule('┌', '┬', '┐'), row(head), rule('├', '┼', '┤'), ...rows.map(row), rule('└', '┴', '┘')].join('\n');
  }

  function entriesOf(data) {
    if (data instanceof Map) return { index: '(iteration index)', entries: [...data].map(([key, value], at) => [at, { Key: key, Values: value }]), isMap: true };
    if (data instanceof Set) return { index: '(iteration index)', entries: [...data].map((value, at) => [at, value]) };
    return { index: '(index)', entries: Object.keys(data).map((key) => [key, data[key]]) };
  }

  function table(data, only) {
    if (data === null || typeof data !== 'object') return log(data);
    const { index, entries, isMap } = entriesOf(data);
    const columns = only ? [...only] : isMap ? ['Key', 'Values'] : [];
    let hasValues = false;
    for (const [, row] of entries) {
      const isPlain = row === null || (typeof row !== 'object' && typeof row !== 'function');
      if (isPlain) hasValues = true;
      else if (!only) for (const key of Object.keys(row)) if (!columns.includes(key)) columns.push(key);
    }
    const rows = entries.map(([key, row]) => {
      const isPlain = row === null || (typeof row !== 'object' && typeof row !== 'function');
      const cells = columns.map((name) => (!isPlain && Object.hasOwn(row, name) ? cell(row[name]) : ''));
      return [`${key}`, ...cells, ...(hasValues ? [isPlain ? cell(row) : ''] : [])];
    });
    line(1, drawn([index, ...columns, ...(hasValues ? ['Values'] : [])], rows));
  }

  // ---- the object ----

  const console = {
    log,
    warn: error,
    dir(value, options) {
      line(1, inspect(value, { customInspect: false, ...options }));
    },
    time(label = 'default') {
      started[label] = performance.now();
    },
    timeEnd(label = 'default') {
      if (!(label in started)) return error(`(node:1) Warning: No such label '${label}' for console.timeEnd()`);
      line(1, `${label}: ${took(performance.now() - started[label])}`);
      delete started[label];
    },
    timeLog(label = 'default', ...values) {
      if (!(label in started)) return error(`(node:1) Warning: No such label '${label}' for console.timeLog()`);
      line(1, format(`${label}: ${took(performance.now() - started[label])}`, ...values));
    },
    trace(...values) {
      const mark = { name: 'Trace', message: format(...values) };
      Error.captureStackTrace(mark, console.trace);
      line(2, mark.stack);
    },
    assert(held, ...values) {
      if (held) return;
      if (typeof values[0] === 'string') values[0] = `Assertion failed: ${values[0]}`;
      else values.unshift('Assertion failed');
      error(...values);
    },
    count(label = 'default') {
      counts[label] = (counts[label] ?? 0) + 1;
      log(`${label}: ${counts[label]}`);
    },
    countReset(label = 'default') {
      delete counts[label];
    },
    group(...values) {
      if (values.length > 0) log(...values);
      indent += '  ';
    },
    groupEnd() {
      indent = indent.slice(2);
    },
    table,
    debug: log,
    info: log,
    dirxml: log,
    error,
    clear() {},
  };
  console.groupCollapsed = console.group;
  console.Console = function Console() {
    throw host.unavailable('console.Console');
  };
  Object.defineProperty(console, 'Console', { enumerable: false });
  Object.defineProperty(console, Symbol.toStringTag, { value: 'console', configurable: true });

  host.modules.console = () => console;
  host.global({ console });
})
