// Checks the accessibility of a page, as far as a program can.
import AxeBuilder from '@axe-core/playwright';
import { expect } from '@playwright/test';

const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** Fails for every problem that axe finds, but lets the test continue; `what`: the name of the page. */
export async function expectAccessible(page, what) {
  // GraphiQL is third-party code: its text areas have no labels and its tabs nest buttons (CodeMirror 5, graphiql 4).
  const { violations } = await new AxeBuilder({ page }).withTags(rules).exclude('#graphiql').analyze();
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' | ')}`);
  expect.soft(found, what).toEqual([]);
}
