// The order of promises, ticks, timers and immediates.
const log = [];
const say = (what) => log.push(what);
setTimeout(() => say('timeout 0'), 0);
setTimeout(() => say('timeout 20'), 20);
setTimeout(() => say('timeout 10'), 10);
setImmediate(() => { say('immediate'); process.nextTick(() => say('tick in immediate')); Promise.resolve().then(() => say('job in immediate')); });
process.nextTick(() => { say('tick 1'); process.nextTick(() => say('tick 3')); });
process.nextTick(say, 'tick 2');
Promise.resolve().then(() => say('job 1')).then(() => say('job 3'));
queueMicrotask(() => say('job 2'));
(async () => { say('sync in async'); await null; say('after await'); })();
const every = setInterval(() => { say('interval'); if (log.filter((l) => l === 'interval').length === 3) clearInterval(every); }, 30);
const never = setTimeout(() => say('never'), 1);
clearTimeout(never);
say('end of script');
process.on('exit', () => console.log(log.filter((l) => l !== 'immediate' && l !== 'timeout 0' && !l.includes('in immediate')).join('\n'), log.includes('immediate'), log.indexOf('tick in immediate') < log.indexOf('job in immediate')));
