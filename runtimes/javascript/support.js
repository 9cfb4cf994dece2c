// What every part of the prelude uses: definitions, checks of arguments, errors in node's form.
// Parts are functions of `host`, run once when the runtime is built, in the order of prelude.h.
// They keep no entry in a Map or Set: the seed of their hashes is changed at each call.
(function (host) {
  const modules = Object.create(null);
  host.modules = modules;

  // Functions and classes that programs see: not enumerable, as in browsers and node.
  host.define = function define(target, members) {
    for (const name of Reflect.ownKeys(members)) {
      const property = Object.getOwnPropertyDescriptor(members, name);
      property.enumerable = false;
      Object.defineProperty(target, name, property);
    }
  };

  host.global = function global(members) {
    host.define(globalThis, members);
  };

  // An error with a `code`, shown as node shows it: `TypeError [CODE]: message`.
  host.coded = function coded(Class, code, message) {
    const error = new Class(message);
    Object.defineProperty(error, 'name', { value: `${error.name} [${code}]`, configurable: true, writable: true });
    error.stack; // the frames are taken with this name
    delete error.name;
    error.code = code;
    return error;
  };

  // What node has and a sandbox has not.
  host.unavailable = function unavailable(what) {
    return host.coded(Error, 'ERR_NOT_AVAILABLE', `${what} is not available in this sandbox; run the code in a container profile`);
  };

  function kind(value) {
    if (value == null) return ` Received ${value}`;
    if (typeof value === 'function') return ` Received function ${value.name}`;
    if (typeof value === 'object') {
      const maker = value.constructor?.name;
      return maker ? ` Received an instance of ${maker}` : ` Received ${host.inspect(value, { depth: -1 })}`;
    }
    let shown = host.inspect(value);
    if (shown.length > 28) shown = `${shown.slice(0, 25)}...`;
    return ` Received type ${typeof value} (${shown})`;
  }

  host.wrongType = function wrongType(name, expected, value) {
    const what = name.endsWith(' argument') || name.includes('.') ? name : `"${name}" argument`;
    return host.coded(TypeError, 'ERR_INVALID_ARG_TYPE', `The ${what} must be ${expected}.${kind(value)}`);
  };

  host.needFunction = function needFunction(name, value) {
    if (typeof value !== 'function') throw host.wrongType(name, 'of type function', value);
  };

  host.needText = function needText(name, value) {
    if (typeof value !== 'string') throw host.wrongType(name, 'of type string', value);
  };

  // UTF-8 of any text: a lone surrogate becomes U+FFFD.
  host.utf8 = function utf8(text) {
    return host.encodeUtf8(text.isWellFormed() ? text : text.toWellFormed());
  };
})
