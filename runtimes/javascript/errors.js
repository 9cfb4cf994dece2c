// `error.stack` in the form that programs know: what it is, then its frames, without ours.
(function (host) {
  const native = Object.getOwnPropertyDescriptor(Error.prototype, 'stack');
  const nativeCapture = Error.captureStackTrace;

  // Frames of the program only; the engine gives `    at name (file:line:column)` lines.
  function frames(text) {
    const lines = text.split('\n');
    const kept = lines.filter((line) => line !== '' && !line.includes('(lazaret:') && !line.endsWith('(native)'));
    return kept.map((line) => line.replace('at <anonymous> (', 'at (').replace(/at \((.*)\)$/, 'at $1')).join('\n');
  }

  function heading(error) {
    try {
      const name = error.name === undefined ? 'Error' : String(error.name);
      const message = error.message === undefined ? '' : String(error.message);
      return name === '' ? message : message === '' ? name : `${name}: ${message}`;
    } catch {
      return 'Error';
    }
  }

  function withHeading(error, text) {
    const kept = frames(text);
    return kept === '' ? heading(error) : `${heading(error)}\n${kept}`;
  }

  // As in node, an own property that is not enumerable; only made when somebody asks.
  function keep(error, value) {
    Reflect.defineProperty(error, 'stack', { value, writable: true, configurable: true, enumerable: false });
    return value;
  }

  Object.defineProperty(Error.prototype, 'stack', {
    configurable: true,
    enumerable: false,
    get() {
      const text = native.get.call(this);
      return typeof text === 'string' ? keep(this, withHeading(this, text)) : text;
    },
    set(value) {
      keep(this, value);
    },
  });

  host.define(Error, {
    captureStackTrace(target, above) {
      nativeCapture.call(Error, target, above);
      const text = Object.getOwnPropertyDescriptor(target, 'stack')?.value;
      if (typeof text === 'string') {
        const value = withHeading(target, text);
        Object.defineProperty(target, 'stack', { value, writable: true, configurable: true });
      }
    },
  });

  host.frames = frames;
  host.heading = heading;
})
