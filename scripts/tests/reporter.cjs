// Mocha's spec reporter, which also says of tests that needed a second try, and writes how many tests passed and failed to the file named by COLA_TEST_COUNTS.
const { writeFileSync } = require('node:fs');
const { relative } = require('node:path');
const { reporters, Runner } = require('mocha');

module.exports = class TestReporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.on(Runner.constants.EVENT_TEST_RETRY, (test, error) => {
      console.log(`    ! ${test.title}: tried again after ${error.message}`);
    });
    // By file, with the hooks between its tests: what makes the suite long.
    const seconds = new Map();
    let last = Date.now();
    runner.on(Runner.constants.EVENT_TEST_END, (test) => {
      const now = Date.now();
      seconds.set(test.file, (seconds.get(test.file) ?? 0) + (now - last) / 1000);
      last = now;
    });
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures } = this.stats;
      const slowest = [...seconds].sort(([, a], [, b]) => b - a).slice(0, 10);
      console.log('  Longest files:');
      for (const [file, time] of slowest)
        console.log(`    ${time.toFixed(1).padStart(6)} s  ${relative(process.cwd(), file ?? '')}`);
      if (process.env.COLA_TEST_COUNTS)
        writeFileSync(process.env.COLA_TEST_COUNTS, JSON.stringify({ passes, failures }));
    });
  }
};
