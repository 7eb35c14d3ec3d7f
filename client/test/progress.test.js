/** Rates and times that a person can read while they change. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Meter } from '../src/progress.js';

test('a steady transfer shows its rate and the time left', () => {
  const meter = new Meter(10_000);
  meter.restart(0, 0);
  for (let second = 1; second <= 5; second++) meter.update(second * 1000, second * 1000);
  assert.deepEqual(meter.progress, { sent: 5000, total: 10_000, rate: 1000, secondsLeft: 5 });
});

test('nothing is said of a rate before there is one', () => {
  const meter = new Meter(1000);
  meter.restart(0, 0);
  meter.update(10, 100);
  assert.deepEqual(meter.progress, { sent: 10, total: 1000 });
});

test('what the store held before, and a pause, are no speed', () => {
  const meter = new Meter(10_000);
  meter.restart(8000, 60_000);
  meter.update(8100, 61_000);
  assert.equal(meter.progress.rate, 100);
});

test('a stall lowers the rate gradually, and bytes taken back never make it negative', () => {
  const meter = new Meter(10_000);
  meter.restart(0, 0);
  meter.update(5000, 1000);
  meter.update(4000, 2000);
  const { rate = 0 } = meter.progress;
  assert.ok(rate > 3000 && rate < 5000, `${rate}`);
});

test('the overhead of a form does not count as the file', () => {
  const meter = new Meter(100);
  meter.restart(0, 0);
  meter.update(450, 1000);
  assert.equal(meter.progress.sent, 100);
});
