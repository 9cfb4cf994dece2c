// The event loop's side in JavaScript: timers, immediates, ticks, and who waits for stdin.
// C runs promise jobs between the turns and asks here for the next turn.
(function (host) {
  // A delay outside of this counts as one millisecond, as in node.
  const MAX_DELAY_MS = 2 ** 31 - 1;

  // A heap by due time, then by order of making.
  const timers = [];
  let made = 0;
  let immediates = [];
  let ticks = [];
  let awaited = 0; // timers that keep the program alive
  let reader = null; // who takes what arrives on stdin

  const before = (a, b) => a.due < b.due || (a.due === b.due && a.order < b.order);

  function rise(at) {
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!before(timers[at], timers[above])) return;
      [timers[at], timers[above]] = [timers[above], timers[at]];
      at = above;
    }
  }

  function sink() {
    let at = 0;
    for (;;) {
      let least = at;
      for (const below of [2 * at + 1, 2 * at + 2]) if (below < timers.length && before(timers[below], timers[least])) least = below;
      if (least === at) return;
      [timers[at], timers[least]] = [timers[least], timers[at]];
      at = least;
    }
  }

  function push(timer) {
    timers.push(timer);
    rise(timers.length - 1);
  }

  function pop() {
    const first = timers[0];
    const last = timers.pop();
    if (timers.length > 0) {
      timers[0] = last;
      sink();
    }
    return first;
  }

  const now = () => Math.floor(performance.now());

  class Timeout {
    #kept = true;

    constructor(callback, delay, args, repeats) {
      delay = Math.trunc(+delay);
      this._delay = delay >= 1 && delay <= MAX_DELAY_MS ? delay : 1;
      Object.defineProperties(this, {
        callback: { value: callback, writable: true },
        args: { value: args },
        repeats: { value: repeats },
        isActive: { value: false, writable: true },
        due: { value: 0, writable: true },
        order: { value: 0, writable: true },
        id: { value: ++made },
      });
      this.start();
    }

    start() {
      this.due = now() + this._delay;
      this.order = ++made;
      if (!this.isActive && this.#kept) awaited++;
      this.isActive = true;
      byId[this.id] = this;
      push(this);
    }

    stop() {
      if (!this.isActive) return;
      this.isActive = false;
      delete byId[this.id];
      if (this.#kept) awaited--;
    }

    ref() {
      if (!this.#kept && this.isActive) awaited++;
      this.#kept = true;
      return this;
    }

    unref() {
      if (this.#kept && this.isActive) awaited--;
      this.#kept = false;
      return this;
    }

    hasRef() {
      return this.#kept;
    }

    refresh() {
      if (this.isActive) {
        const at = timers.indexOf(this);
        if (at !== -1) timers[at] = { due: timers[at].due, order: timers[at].order, isActive: false };
      }
      this.start();
      return this;
    }

    close() {
      this.stop();
      return this;
    }

    [Symbol.toPrimitive]() {
      return this.id;
    }

    [Symbol.dispose]() {
      this.stop();
    }
  }

  const byId = Object.create(null);

  class Immediate {
    constructor(callback, args) {
      Object.defineProperties(this, { callback: { value: callback, writable: true }, args: { value: args } });
    }

    ref() {
      return this;
    }

    unref() {
      return this;
    }

    hasRef() {
      return true;
    }
  }

  function setTimeout(callback, delay, ...args) {
    host.needFunction('callback', callback);
    return new Timeout(callback, delay, args, false);
  }

  function setInterval(callback, delay, ...args) {
    host.needFunction('callback', callback);
    return new Timeout(callback, delay, args, true);
  }

  function setImmediate(callback, ...args) {
    host.needFunction('callback', callback);
    const immediate = new Immediate(callback, args);
    immediates.push(immediate);
    return immediate;
  }

  function clearTimeout(timer) {
    if (timer instanceof Timeout) timer.stop();
    else if (typeof timer === 'number' || typeof timer === 'string') byId[timer]?.stop();
  }

  function clearImmediate(immediate) {
    if (immediate instanceof Immediate) immediate.callback = null;
  }

  function queueMicrotask(callback) {
    host.needFunction('callback', callback);
    Promise.resolve().then(() => {
      try {
        callback();
      } catch (error) {
        host.later.push(error);
      }
    });
  }

  host.nextTick = function nextTick(callback, ...args) {
    host.needFunction('callback', callback);
    ticks.push(args.length === 0 ? callback : () => callback(...args));
  };

  // Errors of microtasks: thrown from the loop, where they count as not caught.
  host.later = [];

  function throwLater() {
    if (host.later.length > 0) throw host.later.shift();
  }

  host.runTicks = function runTicks() {
    throwLater();
    if (ticks.length === 0) return false;
    while (ticks.length > 0) ticks.shift()();
    return true;
  };

  // One callback that is due, if any: true if one ran.
  function runDue() {
    while (timers.length > 0 && !timers[0].isActive) pop();
    if (timers.length === 0 || timers[0].due > now()) return false;
    const timer = pop();
    if (timer.repeats) {
      timer.start();
    } else {
      timer.stop();
    }
    timer.callback(...timer.args);
    return true;
  }

  function runImmediate() {
    const next = immediates.shift();
    next.callback?.(...next.args);
  }

  // Immediates run once between two looks at the timers.
  let round = 0;

  // The next turn; false if nothing is left to wait for.
  host.nextTurn = function nextTurn() {
    if (host.tellRejections()) return true;
    if (round > 0 && immediates.length > 0) {
      round--;
      runImmediate();
      return true;
    }
    if (runDue()) return true;
    if (immediates.length > 0) {
      round = immediates.length;
      return true;
    }
    if (awaited === 0 && reader === null) return false;
    const left = timers.length > 0 ? Math.max(0, timers[0].due - performance.now()) : -1;
    if (host.wait(left, reader !== null)) reader();
    return true;
  };

  // Who is called when stdin has something; null for nobody.
  host.awaitInput = function awaitInput(callback) {
    reader = callback;
  };

  host.global({
    setTimeout, setInterval, setImmediate, queueMicrotask,
    clearTimeout,
    clearInterval: function clearInterval(timer) {
      clearTimeout(timer);
    },
    clearImmediate,
  });

  const promised = Symbol.for('nodejs.util.promisify.custom');
  const aborted = (signal) => signal?.reason ?? new DOMException('This operation was aborted', 'AbortError');

  function after(make, value, signal) {
    if (signal?.aborted) return Promise.reject(aborted(signal));
    return new Promise((resolve, reject) => {
      const clear = make(() => resolve(value));
      signal?.addEventListener?.('abort', () => {
        clear();
        reject(aborted(signal));
      });
    });
  }

  const promises = {
    setTimeout: (delay, value, { signal } = {}) =>
      after((done) => {
        const timer = setTimeout(done, delay);
        return () => clearTimeout(timer);
      }, value, signal),
    setImmediate: (value, { signal } = {}) =>
      after((done) => {
        const immediate = setImmediate(done);
        return () => clearImmediate(immediate);
      }, value, signal),
    async *setInterval(delay, value) {
      for (;;) {
        await promises.setTimeout(delay);
        yield value;
      }
    },
  };
  promises.scheduler = { wait: (delay) => promises.setTimeout(delay), yield: () => promises.setImmediate() };
  Object.defineProperty(setTimeout, promised, { value: promises.setTimeout });
  Object.defineProperty(setImmediate, promised, { value: promises.setImmediate });

  host.modules.timers = () => ({
    setTimeout, setInterval, setImmediate, clearTimeout, clearInterval: globalThis.clearInterval, clearImmediate, promises,
  });
  host.modules['timers/promises'] = () => promises;
})
