/** The setting `env` of whatever is started as a process of its own. */
import { z } from 'zod';

export const visibleVariables = z
  .array(z.string().regex(/^[A-Za-z_]\w*$/, 'is no name of an environment variable'))
  .max(64)
  .default([])
  .meta({
    description: 'Environment variables that it may see; others than PATH, HOME and the like are kept from it.',
  });
