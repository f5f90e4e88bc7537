const patience = Number(process.env.COLA_PATIENCE ?? 1);

module.exports = {
  extension: ['e2e.ts'],
  recursive: true,
  require: ['test/e2e/support/session.ts'],
  'node-option': ['import=tsx/esm'],
  timeout: 180_000 * patience,
  slow: 20_000,
};
