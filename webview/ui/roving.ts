/** Grids of buttons that are one stop of the Tab key: arrows move inside. */

/**
 * @param columns cells in a row
 * @returns what makes another cell the one that Tab reaches
 */
export function roveGrid(grid: HTMLElement, cells: readonly HTMLElement[], columns: number): (index: number) => void {
  let current = 0;
  const reach = (index: number) => {
    cells[current]?.setAttribute('tabindex', '-1');
    current = index;
    cells[current]?.setAttribute('tabindex', '0');
  };
  for (const cell of cells) cell.setAttribute('tabindex', '-1');
  reach(0);
  grid.addEventListener('keydown', (event) => {
    const moves: Record<string, number> = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -columns,
      ArrowDown: columns,
      Home: -current,
      End: cells.length - 1 - current,
    };
    const move = moves[event.key];
    if (move === undefined) return;
    event.preventDefault();
    const next = current + move;
    if (next < 0 || next >= cells.length) return;
    reach(next);
    cells[next].focus();
  });
  grid.addEventListener('focusin', ({ target }) => {
    const index = cells.indexOf(target as HTMLElement);
    if (index >= 0) reach(index);
  });
  return reach;
}
