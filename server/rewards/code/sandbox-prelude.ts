/**
 * JavaScript that runs inside the sandbox before the candidate. It evaluates to a function of the host's `report(i)` and
 * returns the test helpers, `begin`, `pass` and `runTimer`.
 *
 * The candidate shares the realm with the tests, so the helpers keep their own references to everything they call, read
 * own properties only, and are handed to the tests as parameters, never through the global object. Methods that tests lean on
 * (arrays, strings, maps, sets, promises, JSON, Math, ...) are made read-only first.
 */
export const prelude = `(function (report) {
  'use strict';
  const { apply, ownKeys, getPrototypeOf, defineProperty, getOwnPropertyDescriptor } = Reflect;
  const { is } = Object;
  const { isArray } = Array;
  const { abs } = Math;
  const mapSize = getOwnPropertyDescriptor(Map.prototype, 'size').get;
  const mapHas = Map.prototype.has, mapGet = Map.prototype.get, mapEach = Map.prototype.forEach;
  const setSize = getOwnPropertyDescriptor(Set.prototype, 'size').get;
  const setHas = Set.prototype.has, setEach = Set.prototype.forEach;
  const dateTime = Date.prototype.getTime;
  const regExpText = RegExp.prototype.toString;
  const isEnumerable = Object.prototype.propertyIsEnumerable;
  const PromiseType = Promise, promiseThen = Promise.prototype.then, promiseResolve = Promise.resolve;

  const iterator = (value) => getPrototypeOf(value[Symbol.iterator]());
  const locked = [
    Array, Array.prototype, String, String.prototype, Number, Number.prototype, Boolean.prototype, Symbol, BigInt,
    Map.prototype, Set.prototype, WeakMap.prototype, WeakSet.prototype, Promise, Promise.prototype, JSON, Math, Reflect,
    Object, Date, Date.prototype, RegExp.prototype, iterator([]), iterator(''), iterator(new Map()), iterator(new Set()),
    getPrototypeOf(iterator([])), getPrototypeOf(function* () {}).prototype, getPrototypeOf(Int8Array.prototype),
  ];
  const lock = (target, key) => {
    const property = getOwnPropertyDescriptor(target, key);
    if (!property || !property.configurable) return;
    defineProperty(target, key, 'value' in property ? { writable: false, configurable: false } : { configurable: false });
  };
  for (const target of locked) for (const key of ownKeys(target)) lock(target, key);
  for (const key of ['call', 'apply', 'bind', Symbol.hasInstance]) lock(Function.prototype, key);

  let count = 0;
  const fail = () => { throw 'assertion failed'; };
  const attempt = (method, value) => { try { return apply(method, value, []); } catch { return undefined; } };

  const same = (a, b, depth) => {
    if (a === b || is(a, b)) return true;
    if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null || depth > 100) return false;
    if (isArray(a) !== isArray(b)) return false;
    if (isArray(a) && a.length !== b.length) return false;
    const time = attempt(dateTime, b);
    if (time !== undefined || attempt(dateTime, a) !== undefined) return is(attempt(dateTime, a), time);
    const maps = attempt(mapSize, b);
    if (maps !== undefined || attempt(mapSize, a) !== undefined) {
      if (attempt(mapSize, a) !== maps) return false;
      let equal = true;
      apply(mapEach, b, [(value, key) => {
        if (!apply(mapHas, a, [key]) || !same(apply(mapGet, a, [key]), value, depth + 1)) equal = false;
      }]);
      return equal;
    }
    const sets = attempt(setSize, b);
    if (sets !== undefined || attempt(setSize, a) !== undefined) {
      if (attempt(setSize, a) !== sets) return false;
      let equal = true;
      apply(setEach, b, [(value) => {
        if (apply(setHas, a, [value])) return;
        let found = false;
        apply(setEach, a, [(other) => { if (same(other, value, depth + 1)) found = true; }]);
        if (!found) equal = false;
      }]);
      return equal;
    }
    if (getPrototypeOf(b) === RegExp.prototype && apply(regExpText, a, []) !== apply(regExpText, b, [])) return false;
    const keysA = ownKeys(a), keysB = ownKeys(b);
    let sizeA = 0, sizeB = 0;
    for (let i = 0; i < keysA.length; i += 1) if (apply(isEnumerable, a, [keysA[i]])) sizeA += 1;
    for (let i = 0; i < keysB.length; i += 1) {
      const key = keysB[i];
      if (!apply(isEnumerable, b, [key])) continue;
      sizeB += 1;
      if (!apply(isEnumerable, a, [key]) || !same(a[key], b[key], depth + 1)) return false;
    }
    return sizeA === sizeB;
  };

  const assert = (value) => { if (!value) fail(); count += 1; };
  const equal = (a, b) => { if (!same(a, b, 0)) fail(); count += 1; };
  const notEqual = (a, b) => { if (same(a, b, 0)) fail(); count += 1; };
  const near = (a, b, tolerance) => {
    if (typeof a !== 'number' || !(a === b || abs(a - b) <= (tolerance === undefined ? 1e-9 : tolerance))) fail();
    count += 1;
  };
  const throws = (work) => {
    let threw = false;
    try { work(); } catch { threw = true; }
    if (!threw) fail();
    count += 1;
  };
  const rejects = async (work) => {
    let threw = false;
    try { await (typeof work === 'function' ? work() : work); } catch { threw = true; }
    if (!threw) fail();
    count += 1;
  };
  for (const other of ['equal', 'deepEqual', 'strictEqual', 'deepStrictEqual']) assert[other] = equal;
  for (const other of ['notEqual', 'notDeepEqual', 'notStrictEqual', 'notDeepStrictEqual']) assert[other] = notEqual;
  assert.ok = assert; assert.throws = throws; assert.rejects = rejects;
  for (const helper of [assert, equal, notEqual, near, throws, rejects]) Object.freeze(helper);

  // Time does not pass in the sandbox: timers run in order of their delay once nothing else is left to do.
  let timers = null, timerId = 0;
  globalThis.setTimeout = (work, delay, ...values) => {
    timerId += 1;
    const at = +delay > 0 ? +delay : 0;
    const timer = { id: timerId, at, work, values, next: null };
    if (timers === null || timers.at > at) { timer.next = timers; timers = timer; return timerId; }
    let before = timers;
    while (before.next !== null && before.next.at <= at) before = before.next;
    timer.next = before.next;
    before.next = timer;
    return timerId;
  };
  globalThis.clearTimeout = (id) => {
    for (let timer = timers; timer !== null; timer = timer.next) if (timer.id === id) timer.work = undefined;
  };
  const runTimer = () => {
    if (timers === null) return false;
    const timer = timers;
    timers = timer.next;
    for (let later = timers; later !== null; later = later.next) later.at -= timer.at;
    if (typeof timer.work === 'function') try { apply(timer.work, undefined, timer.values); } catch {}
    return true;
  };
  globalThis.queueMicrotask = (work) => { apply(promiseThen, apply(promiseResolve, PromiseType, []), [() => work()]); };
  const silent = () => {};
  globalThis.console = { log: silent, error: silent, warn: silent, info: silent, debug: silent };

  return {
    assert, equal, notEqual, near, throws, rejects, runTimer,
    begin: () => { count = 0; },
    pass: (i) => { if (count > 0) report(i); },
  };
})`;
