// Classes: private members, accessors, static blocks, inheritance, symbols.
class Account {
  #balance = 0;
  static #count = 0;
  static { this.currency = 'EUR'; }
  constructor(owner) { this.owner = owner; Account.#count++; }
  get balance() { return this.#balance; }
  set balance(v) { if (v < 0) throw new RangeError('negative'); this.#balance = v; }
  deposit(v) { this.#balance += v; return this; }
  static get count() { return Account.#count; }
  has(o) { return #balance in o; }
  [Symbol.toPrimitive](hint) { return hint === 'number' ? this.#balance : `${this.owner}: ${this.#balance} ${Account.currency}`; }
  *[Symbol.iterator]() { yield this.owner; yield this.#balance; }
}
class Savings extends Account {
  rate = 0.5;
  deposit(v) { super.deposit(v * (1 + this.rate)); return this; }
  get [Symbol.toStringTag]() { return 'Savings'; }
}
const a = new Account('ann').deposit(10);
const b = new Savings('bob').deposit(10);
console.log(`${a}`, +b, [...b], Account.count, a.has(b), a.has({}), String(Object.prototype.toString.call(b)));
console.log(a, b, a instanceof Account, b instanceof Account, Object.getOwnPropertyNames(b));
try { a.balance = -1; } catch (e) { console.log(e.name, e.message); }
try { Account(); } catch (e) { console.log(e instanceof TypeError); }
const Mixin = (Base) => class extends Base { hello() { return `hello from ${super.constructor.name}`; } };
class Greeter extends Mixin(Object) {}
console.log(new Greeter().hello(), Greeter.name, new Greeter());
console.log([1, 2, 3].map((n) => n ** 2), [..."héllo"].reverse().join(''), ((a, b = 2, ...rest) => [a, b, rest])(1, undefined, 3, 4));
label: for (let i = 0; i < 3; i++) { for (let j = 0; j < 3; j++) { if (j === 1) continue label; if (i === 2) break label; console.log(i, j); } }
const { x = 1, y: { z, ...others } = {}, ...rest } = { y: { z: 2, w: 3 }, v: 4 };
console.log(x, z, others, rest, typeof undefinedName, (() => { try { return 'try'; } finally { console.log('finally'); } })());
