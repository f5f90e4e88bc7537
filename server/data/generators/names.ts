/** Data that is made up, by its name in a run spec. */
export const taskNames = ['countdown', 'arithmetic'] as const;
