/** Conversations of agents, and playing one oneself. */
import type { Contribution } from './contribution.ts';

export const play = {
  commands: {
    'cola.play': { title: 'Play an Environment…', icon: '$(play-circle)' },
  },
} as const satisfies Contribution;
