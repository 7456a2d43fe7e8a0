/**
 * A sentence with values in it, such as `must be at least {self.stock.totalUnits}`: one text, which we fill in here and
 * which the API server fills in there.
 */
export type Sentence = string;

const PLACE = /\{([\w.]+)\}/g;

/** The sentence with its values, each found by its path below one of the roots (`self`, `oldSelf`). */
export function fillIn(sentence: Sentence, roots: Record<string, unknown>): string {
  return sentence.replace(PLACE, (_place, path: string) => {
    let at: unknown = roots;
    for (const name of path.split('.')) at = (at as Record<string, unknown> | undefined)?.[name];
    return String(at);
  });
}

/**
 * The same as fields of a rule of CEL: an expression where there are values. The API server falls back to `message`
 * where it cannot use what the expression gives, as with a line break in a value.
 */
export function celMessage(sentence: Sentence): { message: string; messageExpression?: string } {
  const message = sentence.replace(PLACE, (_place, path: string) => path.replace(/^(self|oldSelf)\./, ''));
  if (message === sentence) return { message };
  // Not by `+`: the API server cannot tell how long a number becomes, and takes the sum for endless.
  const values = [...sentence.matchAll(PLACE)].map(([, path = '']) => path);
  const format = sentence.replaceAll('%', '%%').replace(PLACE, '%s');
  return { message, messageExpression: `${celText(format)}.format([${values.join(', ')}])` };
}

/** A text as CEL writes it. Its escapes are those of JSON. */
export function celText(text: string): string {
  return JSON.stringify(text);
}
