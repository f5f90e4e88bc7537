// Mocha's spec reporter, which also says of tests that needed a second try, and writes how many tests passed and failed to the file named by COLA_TEST_COUNTS.
const { writeFileSync } = require('node:fs');
const { reporters, Runner } = require('mocha');

module.exports = class TestReporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.on(Runner.constants.EVENT_TEST_RETRY, (test, error) => {
      console.log(`    ! ${test.title}: tried again after ${error.message}`);
    });
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures } = this.stats;
      if (process.env.COLA_TEST_COUNTS)
        writeFileSync(process.env.COLA_TEST_COUNTS, JSON.stringify({ passes, failures }));
    });
  }
};
