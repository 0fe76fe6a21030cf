// Whether a page is usable for everybody, as far as a program can tell.
import AxeBuilder from '@axe-core/playwright';
import { expect } from '@playwright/test';

const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** Fails for everything that axe finds, after the test has gone on; `what`: where that was. */
export async function expectAccessible(page, what) {
  // GraphiQL's editor is not ours: its text areas have no labels and its tabs nest buttons (CodeMirror 5, graphiql 4).
  const { violations } = await new AxeBuilder({ page }).withTags(rules).exclude('#graphiql').analyze();
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' | ')}`);
  expect.soft(found, what).toEqual([]);
}
