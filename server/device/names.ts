/** The devices there can be. Apart from `device.ts`, so that a spec can be read without the runtime. */
export const deviceNames = ['webgpu', 'cuda', 'dml', 'coreml', 'cpu'] as const;
export type DeviceName = (typeof deviceNames)[number];
