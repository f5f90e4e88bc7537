/** Health of the codebook: how many codes live, and how evenly they are used (paper, appendix D.1). */

export interface CodeHealth {
  readonly counts: Int32Array;
  /** Codes used at least once. */
  readonly alive: number;
  /** Entropy of the usage in nats; ln N is an even use. */
  readonly entropy: number;
  /** Share of the most used code. */
  readonly maxShare: number;
}

/** @param actions argmax actions; sampled ones make dead codes look alive */
export function codeHealth(actions: ArrayLike<number>, numCodes: number): CodeHealth {
  const counts = new Int32Array(numCodes);
  for (let i = 0; i < actions.length; i++) counts[actions[i]]++;
  return healthOf(counts);
}

export function healthOf(counts: Int32Array): CodeHealth {
  const total = Math.max(
    1,
    counts.reduce((n, c) => n + c, 0),
  );
  let alive = 0;
  let entropy = 0;
  let maxShare = 0;
  for (const count of counts) {
    if (count === 0) continue;
    const share = count / total;
    alive++;
    entropy -= share * Math.log(share);
    maxShare = Math.max(maxShare, share);
  }
  return { counts, alive, entropy, maxShare };
}
