/** How long a test waits for what it expects, which costs nothing where it comes. `COLA_PATIENCE=5` suits a machine that is very busy. */
const factor = Number(process.env.COLA_PATIENCE ?? 1);

/** Milliseconds of a wait that is `seconds` long on a machine that is not busy. */
export const wait = (seconds: number): number => 1000 * seconds * factor;
