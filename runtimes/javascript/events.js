// EventEmitter, Event, EventTarget, AbortController.
(function (host) {
  const NONE = Object.freeze([]);

  function EventEmitter() {
    this._events ??= undefined;
  }

  function listenersOf(emitter, name) {
    return emitter._events?.[name] ?? NONE;
  }

  function add(emitter, name, listener, isFirst) {
    host.needFunction('listener', listener);
    emitter._events ??= Object.create(null);
    if (emitter._events.newListener) emitter.emit('newListener', name, listener.listener ?? listener);
    const old = emitter._events[name] ?? [];
    emitter._events[name] = isFirst ? [listener, ...old] : [...old, listener];
    return emitter;
  }

  function once(emitter, name, listener) {
    host.needFunction('listener', listener);
    function wrapped(...args) {
      emitter.removeListener(name, wrapped);
      return listener.apply(emitter, args);
    }
    wrapped.listener = listener;
    return wrapped;
  }

  function unhandled(args) {
    const [error] = args;
    if (error instanceof Error) return error;
    const made = host.coded(Error, 'ERR_UNHANDLED_ERROR', `Unhandled error. (${host.inspect(error)})`);
    made.context = error;
    return made;
  }

  host.define(EventEmitter.prototype, {
    on(name, listener) {
      return add(this, name, listener, false);
    },
    addListener(name, listener) {
      return add(this, name, listener, false);
    },
    prependListener(name, listener) {
      return add(this, name, listener, true);
    },
    once(name, listener) {
      return add(this, name, once(this, name, listener), false);
    },
    prependOnceListener(name, listener) {
      return add(this, name, once(this, name, listener), true);
    },
    removeListener(name, listener) {
      const old = listenersOf(this, name);
      const at = old.findLastIndex((one) => one === listener || one.listener === listener);
      if (at === -1) return this;
      this._events[name] = old.toSpliced(at, 1);
      if (this._events[name].length === 0) delete this._events[name];
      if (this._events.removeListener) this.emit('removeListener', name, listener);
      return this;
    },
    off(name, listener) {
      return this.removeListener(name, listener);
    },
    removeAllListeners(name) {
      if (name === undefined) this._events = undefined;
      else if (this._events) delete this._events[name];
      return this;
    },
    emit(name, ...args) {
      const listeners = listenersOf(this, name);
      if (listeners.length === 0) {
        if (name === 'error') throw unhandled(args);
        return false;
      }
      for (const listener of listeners) listener.apply(this, args);
      return true;
    },
    listenerCount(name) {
      return listenersOf(this, name).length;
    },
    listeners(name) {
      return listenersOf(this, name).map((one) => one.listener ?? one);
    },
    rawListeners(name) {
      return [...listenersOf(this, name)];
    },
    eventNames() {
      return Reflect.ownKeys(this._events ?? {});
    },
    setMaxListeners() {
      return this;
    },
    getMaxListeners() {
      return EventEmitter.defaultMaxListeners;
    },
  });

  EventEmitter.EventEmitter = EventEmitter;
  EventEmitter.defaultMaxListeners = 10;
  EventEmitter.once = function once(emitter, name) {
    return new Promise((resolve, reject) => {
      const failed = (error) => {
        emitter.removeListener(name, happened);
        reject(error);
      };
      const happened = (...args) => {
        emitter.removeListener('error', failed);
        resolve(args);
      };
      emitter.once(name, happened);
      if (name !== 'error') emitter.once('error', failed);
    });
  };
  EventEmitter.on = async function* on(emitter, name) {
    const waiting = [];
    let wake;
    emitter.on(name, (...args) => {
      waiting.push(args);
      wake?.();
    });
    for (;;) {
      if (waiting.length > 0) yield waiting.shift();
      else await new Promise((resolve) => (wake = resolve));
    }
  };

  // ---- the browser's events ----

  class Event {
    #prevented = false;
    #stopped = false;

    constructor(type, { bubbles = false, cancelable = false, composed = false } = {}) {
      Object.assign(this, { type: `${type}`, bubbles, cancelable, composed, target: null, currentTarget: null, timeStamp: performance.now() });
    }

    get defaultPrevented() {
      return this.#prevented;
    }

    get stopped() {
      return this.#stopped;
    }

    preventDefault() {
      this.#prevented = this.cancelable;
    }

    stopPropagation() {}

    stopImmediatePropagation() {
      this.#stopped = true;
    }
  }

  class CustomEvent extends Event {
    constructor(type, options = {}) {
      super(type, options);
      this.detail = options.detail ?? null;
    }
  }

  class EventTarget {
    #listeners = Object.create(null);

    addEventListener(type, listener, options) {
      if (listener == null) return;
      const isOnce = typeof options === 'object' && !!options?.once;
      const list = (this.#listeners[type] ??= []);
      if (!list.some((one) => one.listener === listener)) list.push({ listener, isOnce });
      if (typeof options === 'object') options?.signal?.addEventListener('abort', () => this.removeEventListener(type, listener));
    }

    removeEventListener(type, listener) {
      this.#listeners[type] = (this.#listeners[type] ?? []).filter((one) => one.listener !== listener);
    }

    dispatchEvent(event) {
      event.target = event.currentTarget = this;
      for (const { listener, isOnce } of [...(this.#listeners[event.type] ?? [])]) {
        if (isOnce) this.removeEventListener(event.type, listener);
        try {
          if (typeof listener === 'function') listener.call(this, event);
          else listener.handleEvent(event);
        } catch (error) {
          host.nextTick(() => {
            throw error;
          });
        }
        if (event.stopped) break;
      }
      return !event.defaultPrevented;
    }
  }

  class AbortSignal extends EventTarget {
    aborted = false;
    reason = undefined;
    onabort = null;

    throwIfAborted() {
      if (this.aborted) throw this.reason;
    }

    static abort(reason) {
      const controller = new AbortController();
      controller.abort(reason);
      return controller.signal;
    }

    static timeout(delay) {
      const controller = new AbortController();
      setTimeout(() => controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError')), delay).unref();
      return controller.signal;
    }

    static any(signals) {
      const controller = new AbortController();
      for (const signal of signals) {
        if (signal.aborted) controller.abort(signal.reason);
        else signal.addEventListener('abort', () => controller.abort(signal.reason));
      }
      return controller.signal;
    }
  }

  class AbortController {
    signal = new AbortSignal();

    abort(reason = new DOMException('This operation was aborted', 'AbortError')) {
      const { signal } = this;
      if (signal.aborted) return;
      signal.aborted = true;
      signal.reason = reason;
      const event = new Event('abort');
      signal.onabort?.(event);
      signal.dispatchEvent(event);
    }
  }

  host.EventEmitter = EventEmitter;
  host.modules.events = () => EventEmitter;
  host.global({ Event, CustomEvent, EventTarget, AbortSignal, AbortController });
})
