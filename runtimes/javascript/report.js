// The program's beginning and its end: errors that nobody caught, rejections that nobody took.
(function (host) {
  const { process } = host;
  const STATUS_FAILED = 1;
  const STATUS_HANDLED = -1;
  const STATUS_UNSETTLED = 13;
  const STATUS_HANDLER_FAILED = 7;
  let source = '';
  let main;
  let filename;
  const rejected = []; // promises whose rejection nobody took yet: [promise, reason]

  // ---- what is said about an error ----

  // The line of the program where it happened, with a mark below, as node shows it.
  function excerpt(stack) {
    const place = /(?:\(|at )(\/[^()\n]*?):(\d+):(\d+)\)?(?:\n|$)/.exec(stack);
    if (!place || place[1] !== filename) return '';
    const [, , line, column] = place;
    const text = source.split('\n')[line - 1];
    if (text === undefined || text.length > 500) return `${place[1]}:${line}\n\n`;
    const mark = text.slice(0, column - 1).replace(/[^\t]/g, ' ');
    return `${place[1]}:${line}\n${text}\n${mark}^\n\n`;
  }

  function described(error) {
    if (!Error.isError(error)) return `Uncaught ${host.inspect(error)}\n`;
    const stack = String(error.stack);
    return `${excerpt(stack)}${error instanceof SyntaxError ? syntaxText(error, stack) : host.inspect(error)}\n`;
  }

  function syntaxText(error, stack) {
    return stack.includes('\n') && !stack.includes('at parse') ? host.heading(error) : host.inspect(error);
  }

  function tell(error) {
    host.print(2, described(error));
  }

  // ---- called by C ----

  host.startProgram = function startProgram(text, name, args) {
    filename = name.startsWith('/') ? name : `/workspace/${name}`;
    source = text;
    process.argv = ['node', filename, ...args];
    main = host.runMain(text, filename);
  };
  // An error that nobody caught: the status with which the program ends, or below zero if a
  // handler of the program took it.
  host.reportFatal = function reportFatal(error) {
    try {
      if (process.listenerCount('uncaughtException') > 0) {
        process.emit('uncaughtException', error, 'uncaughtException');
        return STATUS_HANDLED;
      }
    } catch (second) {
      tell(second);
      return STATUS_HANDLER_FAILED;
    }
    tell(error);
    return ended(STATUS_FAILED);
  };

  function ended(status) {
    if (host.isExiting()) return status;
    try {
      return host.leave(status) & 0xff;
    } catch (error) {
      tell(error);
      return STATUS_HANDLER_FAILED;
    }
  }

  host.reportRejection = function reportRejection(promise, reason, isHandled) {
    if (!isHandled) {
      rejected.push([promise, reason]);
      return;
    }
    const at = rejected.findIndex(([one]) => one === promise);
    if (at !== -1) rejected.splice(at, 1);
  };

  // When all jobs are done: what is still rejected counts as not caught. True if a handler of
  // the program was told, who may have made new work.
  host.tellRejections = function tellRejections() {
    const isAny = rejected.length > 0;
    while (rejected.length > 0) {
      const [promise, reason] = rejected.shift();
      if (process.listenerCount('unhandledRejection') > 0) {
        process.emit('unhandledRejection', reason, promise);
        continue;
      }
      throw Error.isError(reason) ? reason : unhandled(reason);
    }
    return isAny;
  };

  function unhandled(reason) {
    const error = new Error(`This error originated either by throwing inside of an async function without a catch block, or by rejecting a promise which was not handled with .catch(). The promise rejected with the reason "${host.inspect(reason)}".`);
    error.name = 'UnhandledPromiseRejection';
    error.code = 'ERR_UNHANDLED_REJECTION';
    return error;
  }

  let saidGoodbye = false;

  // Nothing is left to do: the program's status, or below zero if a handler made new work.
  host.lastWords = function lastWords() {
    if (!saidGoodbye && process.listenerCount('beforeExit') > 0) {
      saidGoodbye = true;
      process.emit('beforeExit', process.exitCode ?? 0);
      return STATUS_HANDLED;
    }
    const state = main === undefined ? undefined : host.promise(main);
    if (state?.[0] === 0) {
      host.print(2, 'Warning: Detected unsettled top-level await\n');
      return ended(STATUS_UNSETTLED);
    }
    return ended(process.exitCode ?? 0) & 0xff;
  };
})
