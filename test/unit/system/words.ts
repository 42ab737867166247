/**
 * Splits a line into words as a POSIX shell does (Shell Command Language, 2.2 Quoting), for lines without expansions:
 * an unquoted character that a shell would read as anything but itself is an error.
 */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (let i = 0; i < line.length; i++) {
    const character = line.charAt(i);
    if (character === "'") {
      const end = line.indexOf("'", i + 1);
      if (end < 0) throw new Error('a single quote is not closed');
      word = (word ?? '') + line.slice(i + 1, end);
      i = end;
    } else if (character === '\\') {
      i++;
      word = (word ?? '') + line.charAt(i);
    } else if (character === ' ') {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if ('|&;<>()$`"*?[]#~\t\n!{}^'.includes(character)) {
      throw new Error(`a shell reads an unquoted ${JSON.stringify(character)}`);
    } else word = (word ?? '') + character;
  }
  return word === undefined ? words : [...words, word];
}
