// The module `readline`, over stdin: lines, questions, `for await`.
(function (host) {
  const { EventEmitter, process } = host;

  class Interface extends EventEmitter {
    #rest = '';
    #questions = [];
    #lines = [];
    #wake = null;

    constructor({ input = process.stdin, output, prompt = '> ' } = {}) {
      super();
      Object.assign(this, { input, output, line: '', closed: false, terminal: false });
      this.promptText = prompt;
      const decoder = new host.StringDecoder('utf8');
      this.take = (data) => this.#take(typeof data === 'string' ? data : decoder.write(data));
      this.finish = () => this.#finish();
      input.on('data', this.take);
      input.on('end', this.finish);
    }

    #take(text) {
      const parts = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
      this.#rest = parts.pop();
      for (const [at, line] of parts.entries()) {
        if (this.closed) {
          this.#rest = [...parts.slice(at), this.#rest].join('\n');
          return;
        }
        this.#tell(line);
      }
    }

    #tell(line) {
      const question = this.#questions.shift();
      if (question) return question(line);
      if (this.listenerCount('line') === 0) this.#lines.push(line);
      this.emit('line', line);
      this.#wake?.();
    }

    #finish() {
      if (this.#rest !== '') this.#tell(this.#rest.replace(/\r$/, ''));
      this.#rest = '';
      this.close();
    }

    question(text, options, done = options) {
      if (this.closed) throw host.coded(Error, 'ERR_USE_AFTER_CLOSE', 'readline was closed');
      this.output?.write(text);
      if (this.#lines.length > 0) host.nextTick(done, this.#lines.shift());
      else this.#questions.push(done);
    }

    prompt() {
      this.output?.write(this.promptText);
    }

    setPrompt(text) {
      this.promptText = text;
    }

    getPrompt() {
      return this.promptText;
    }

    write() {}

    pause() {
      this.input.pause();
      this.emit('pause');
      return this;
    }

    resume() {
      this.input.resume();
      return this;
    }

    close() {
      if (this.closed) return;
      this.closed = true;
      this.input.removeListener('data', this.take);
      this.input.removeListener('end', this.finish);
      this.input.pause();
      this.emit('close');
      this.#wake?.();
    }

    [Symbol.dispose]() {
      this.close();
    }

    async *[Symbol.asyncIterator]() {
      for (;;) {
        if (this.#lines.length > 0) yield this.#lines.shift();
        else if (this.closed) return;
        else await new Promise((resolve) => (this.#wake = resolve));
      }
    }
  }

  class PromiseInterface extends Interface {
    question(text) {
      return new Promise((resolve) => super.question(text, resolve));
    }
  }

  const make = (Class) => (input, output) => new Class(input instanceof EventEmitter ? { input, output } : input);
  const rest = { clearLine: () => true, cursorTo: () => true, moveCursor: () => true, clearScreenDown: () => true, emitKeypressEvents() {} };
  const promises = { createInterface: make(PromiseInterface), Interface: PromiseInterface };
  host.modules.readline = () => ({ createInterface: make(Interface), Interface, promises, ...rest });
  host.modules['readline/promises'] = () => promises;
})
