// The module `assert`.
(function (host) {
  const { inspect } = host;
  const MAX_LINES = 50; // of a shown value in a message

  class AssertionError extends Error {
    constructor({ message, actual, expected, operator, stackStartFn, generated }) {
      super(message);
      Object.defineProperty(this, 'name', { value: 'AssertionError', configurable: true, writable: true, enumerable: false });
      Object.assign(this, { generatedMessage: !!generated, code: 'ERR_ASSERTION', actual, expected, operator });
      this.name = 'AssertionError [ERR_ASSERTION]';
      if (stackStartFn) Error.captureStackTrace(this, stackStartFn);
      else this.stack;
      this.name = 'AssertionError';
    }
  }

  const show = (value) => inspect(value, { compact: false, depth: 1000, maxArrayLength: Infinity, sorted: true, getters: true });

  const TITLES = {
    strictEqual: 'Expected values to be strictly equal:', deepStrictEqual: 'Expected values to be strictly deep-equal:',
    deepEqual: 'Expected values to be loosely deep-equal:', equal: 'Expected values to be loosely equal:',
    notStrictEqual: 'Expected "actual" to be strictly unequal to:', notDeepStrictEqual: 'Expected "actual" not to be strictly deep-equal to:',
    notEqual: 'Expected "actual" to be loosely unequal to:', notDeepEqual: 'Expected "actual" not to be loosely deep-equal to:',
  };

  // Lines of both values: `+` what is, `-` what should be. The longest common part stands once.
  function difference(actual, expected) {
    const [a, b] = [show(actual).split('\n'), show(expected).split('\n')];
    const lines = [];
    let [from, endA, endB] = [0, a.length, b.length];
    while (from < endA && from < endB && a[from] === b[from]) from++;
    while (endA > from && endB > from && a[endA - 1] === b[endB - 1]) {
      endA--;
      endB--;
    }
    for (const line of a.slice(0, from)) lines.push(`  ${line}`);
    for (const line of a.slice(from, endA)) lines.push(`+ ${line}`);
    for (const line of b.slice(from, endB)) lines.push(`- ${line}`);
    for (const line of a.slice(endA)) lines.push(`  ${line}`);
    return lines.slice(0, MAX_LINES).join('\n');
  }

  const isPlain = (value) => value === null || (typeof value !== 'object' && typeof value !== 'function');

  function explained(operator, actual, expected) {
    const title = TITLES[operator];
    if (operator.startsWith('not')) return `${title} ${show(expected)}`;
    if (operator === 'equal') return `${inspect(actual)} == ${inspect(expected)}`;
    const both = `${inspect(actual)} !== ${inspect(expected)}`;
    if (isPlain(actual) && isPlain(expected) && both.length < 80 && !both.includes('\n')) return `${title}\n\n${both}\n`;
    return `${title}\n+ actual - expected\n\n${difference(actual, expected)}`;
  }

  function fail(operator, actual, expected, message, stackStartFn) {
    if (message instanceof Error) throw message;
    throw new AssertionError({ message: message ?? explained(operator, actual, expected), actual, expected, operator, stackStartFn, generated: message === undefined });
  }

  function truthy(value, message, stackStartFn, count) {
    if (value) return;
    if (message instanceof Error) throw message;
    const text = count === 0 ? 'No value argument passed to `assert.ok()`' : 'The expression evaluated to a falsy value:\n\n  assert(' + `${inspect(value)})\n`;
    throw new AssertionError({ message: message ?? text, actual: value, expected: true, operator: '==', stackStartFn, generated: message === undefined });
  }

  function assert(...args) {
    truthy(args[0], args[1], assert, args.length);
  }

  const looseEqual = (a, b) => a == b || (Number.isNaN(a) && Number.isNaN(b));
  const COMPARISONS = {
    equal: looseEqual,
    notEqual: (a, b) => !looseEqual(a, b),
    strictEqual: Object.is,
    notStrictEqual: (a, b) => !Object.is(a, b),
    deepEqual: (a, b) => host.deepEqual(a, b, false),
    notDeepEqual: (a, b) => !host.deepEqual(a, b, false),
    deepStrictEqual: (a, b) => host.deepEqual(a, b, true),
    notDeepStrictEqual: (a, b) => !host.deepEqual(a, b, true),
  };
  for (const [operator, holds] of Object.entries(COMPARISONS)) {
    assert[operator] = function compare(actual, expected, message) {
      if (!holds(actual, expected)) fail(operator, actual, expected, message, compare);
    };
  }

  function matches(error, wanted) {
    if (wanted === undefined) return true;
    if (wanted instanceof RegExp) return wanted.test(String(error));
    if (typeof wanted === 'function') {
      if (wanted.prototype !== undefined && error instanceof wanted) return true;
      if (Error.isPrototypeOf(wanted)) return false;
      return wanted.call({}, error) === true;
    }
    return Reflect.ownKeys(wanted).concat(wanted instanceof Error ? ['name', 'message'] : [])
      .every((key) => (wanted[key] instanceof RegExp && typeof error[key] === 'string' ? wanted[key].test(error[key]) : host.deepEqual(error[key], wanted[key], true)));
  }

  function judged(error, wanted, message, operator) {
    if (typeof wanted === 'string') [wanted, message] = [undefined, wanted];
    if (matches(error, wanted)) return;
    if (typeof wanted === 'function' && Error.isPrototypeOf(wanted)) throw error;
    const text = wanted instanceof RegExp ? `The input did not match the regular expression ${wanted}. Input:\n\n${inspect(String(error))}\n`
      : typeof wanted === 'function' ? `The ${wanted.name ? `"${wanted.name}" ` : ''}validation function is expected to return "true". Received false\n\nCaught error:\n\n${inspect(error)}`
        : explained('deepStrictEqual', error, wanted);
    throw new AssertionError({ message: message ?? text, actual: error, expected: wanted, operator, generated: message === undefined });
  }

  function missing(wanted, message, operator, what) {
    if (typeof wanted === 'string') [wanted, message] = [undefined, wanted];
    const name = typeof wanted === 'function' && wanted.name ? ` (${wanted.name})` : '';
    throw new AssertionError({ message: `Missing expected ${what}${name}${message ? `: ${message}` : '.'}`, actual: undefined, expected: wanted, operator });
  }

  Object.assign(assert, {
    AssertionError,
    ok(...args) {
      truthy(args[0], args[1], assert.ok, args.length);
    },
    fail(message = 'Failed') {
      if (message instanceof Error) throw message;
      throw new AssertionError({ message, operator: 'fail', stackStartFn: assert.fail, generated: message === 'Failed' });
    },
    throws(act, wanted, message) {
      host.needFunction('fn', act);
      let error;
      try {
        act();
      } catch (caught) {
        error = { caught };
      }
      if (!error) missing(wanted, message, 'throws', 'exception');
      judged(error.caught, wanted, message, 'throws');
    },
    doesNotThrow(act, wanted, message) {
      try {
        act();
      } catch (error) {
        const said = typeof wanted === 'string' ? wanted : message;
        throw new AssertionError({ message: `Got unwanted exception${said ? `: ${said}` : '.'}\nActual message: "${error?.message}"`, actual: error, operator: 'doesNotThrow' });
      }
    },
    async rejects(promise, wanted, message) {
      let error;
      try {
        await (typeof promise === 'function' ? promise() : promise);
      } catch (caught) {
        error = { caught };
      }
      if (!error) missing(wanted, message, 'rejects', 'rejection');
      judged(error.caught, wanted, message, 'rejects');
    },
    async doesNotReject(promise, wanted, message) {
      try {
        await (typeof promise === 'function' ? promise() : promise);
      } catch (error) {
        const said = typeof wanted === 'string' ? wanted : message;
        throw new AssertionError({ message: `Got unwanted rejection${said ? `: ${said}` : '.'}\nActual message: "${error?.message}"`, actual: error, operator: 'doesNotReject' });
      }
    },
    match(text, pattern, message) {
      if (pattern.test(text)) return;
      if (message instanceof Error) throw message;
      throw new AssertionError({ message: message ?? `The input did not match the regular expression ${pattern}. Input:\n\n${inspect(text)}\n`, actual: text, expected: pattern, operator: 'match', generated: message === undefined });
    },
    doesNotMatch(text, pattern, message) {
      if (!pattern.test(text)) return;
      if (message instanceof Error) throw message;
      throw new AssertionError({ message: message ?? `The input was expected to not match the regular expression ${pattern}. Input:\n\n${inspect(text)}\n`, actual: text, expected: pattern, operator: 'doesNotMatch', generated: message === undefined });
    },
    ifError(value) {
      if (value === null || value === undefined) return;
      throw value instanceof Error ? value : new AssertionError({ message: `ifError got unwanted exception: ${inspect(value)}`, actual: value, expected: null, operator: 'ifError' });
    },
  });

  const strict = Object.assign((...args) => truthy(args[0], args[1], strict, args.length), assert, {
    equal: assert.strictEqual, notEqual: assert.notStrictEqual, deepEqual: assert.deepStrictEqual, notDeepEqual: assert.notDeepStrictEqual,
  });
  assert.strict = strict;
  strict.strict = strict;
  host.modules.assert = () => assert;
  host.modules['assert/strict'] = () => strict;
})
