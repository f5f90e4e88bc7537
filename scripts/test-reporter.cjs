// Mocha's spec reporter, which also writes how many tests passed and failed to the file named by COLA_TEST_COUNTS.
const { writeFileSync } = require('node:fs');
const { reporters, Runner } = require('mocha');

module.exports = class TestReporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures } = this.stats;
      if (process.env.COLA_TEST_COUNTS)
        writeFileSync(process.env.COLA_TEST_COUNTS, JSON.stringify({ passes, failures }));
    });
  }
};
