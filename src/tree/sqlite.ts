/**
 * Reads the rows of a table out of an SQLite 3 file, without SQLite: Node 20 has none, and what is read here comes from
 * trees that other people made. Only what rpm's database needs: ordinary tables, UTF-8 or binary values, no journal
 * (https://www.sqlite.org/fileformat2.html, the numbers in comments are its sections). Pure.
 *
 * @throws RangeError for a file that is no SQLite database, or is cut or damaged
 */
export function readTable(file: Buffer, name: string): Value[][] {
  const database = openDatabase(file);
  for (const [type, table, , root] of rowsBelow(database, 1)) {
    if (text(type) === 'table' && text(table) === name && typeof root === 'number')
      return rowsBelow(database, root);
  }
  throw new RangeError(`there is no table ${name}`);
}

/** Text is left as bytes. */
export type Value = Buffer | number | undefined;

interface Database {
  file: Buffer;
  pageSize: number;
  /** Page size without the reserved end of each page. */
  usable: number;
}

function openDatabase(file: Buffer): Database {
  if (file.toString('latin1', 0, 16) !== 'SQLite format 3\0') throw new RangeError('not an SQLite 3 file');
  const stored = file.readUInt16BE(16);
  const pageSize = stored === 1 ? 65_536 : stored;
  if (pageSize < 512) throw new RangeError(`a page size of ${pageSize}`);
  return { file, pageSize, usable: pageSize - file.readUInt8(20) };
}

/** 1.6: a table is a tree of pages; the rows are in its leaves, in the order of their ids. */
function rowsBelow(database: Database, root: number): Value[][] {
  const rows: Value[][] = [];
  const seen = new Set<number>();
  const visit = (number: number): void => {
    if (seen.has(number)) throw new RangeError(`page ${number} is part of a circle`);
    seen.add(number);
    const page = pageOf(database, number);
    const header = number === 1 ? 100 : 0;
    const type = page.readUInt8(header);
    const count = page.readUInt16BE(header + 3);
    const cells = Array.from({ length: count }, (_, index) =>
      page.readUInt16BE(header + (type === 5 ? 12 : 8) + 2 * index),
    );
    if (type === 5) {
      for (const cell of cells) visit(page.readUInt32BE(cell));
      visit(page.readUInt32BE(header + 8));
    } else if (type === 13) {
      for (const cell of cells) rows.push(parseRecord(payloadOf(database, page, cell)));
    } else {
      throw new RangeError(`page ${number} is no table page`);
    }
  };
  visit(root);
  return rows;
}

function pageOf(database: Database, number: number): Buffer {
  const { file, pageSize, usable } = database;
  const start = (number - 1) * pageSize;
  if (number < 1 || start + pageSize > file.length) throw new RangeError(`there is no page ${number}`);
  return file.subarray(start, start + usable);
}

/** 1.6 and 1.7: what does not fit into the leaf continues on a chain of overflow pages. */
function payloadOf(database: Database, page: Buffer, cell: number): Buffer {
  const size = readVarint(page, cell);
  const key = readVarint(page, size.end);
  const { usable } = database;
  const most = usable - 35;
  const least = Math.floor(((usable - 12) * 32) / 255) - 23;
  const wanted = least + ((size.value - least) % (usable - 4));
  const local = size.value <= most ? size.value : wanted <= most ? wanted : least;
  if (size.value > database.file.length) throw new RangeError('a row is longer than the file');
  const parts = [slice(page, key.end, local)];
  let left = size.value - local;
  for (let next = left > 0 ? page.readUInt32BE(key.end + local) : 0; left > 0;) {
    const overflow = pageOf(database, next);
    const length = Math.min(left, usable - 4);
    parts.push(slice(overflow, 4, length));
    left -= length;
    next = overflow.readUInt32BE(0);
  }
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}

/** 2.1: the types of the values, then the values. */
function parseRecord(record: Buffer): Value[] {
  const header = readVarint(record, 0);
  const values: Value[] = [];
  let body = header.value;
  for (let position = header.end; position < header.value;) {
    const type = readVarint(record, position);
    position = type.end;
    const length = lengthOf(type.value);
    values.push(valueOf(type.value, slice(record, body, length)));
    body += length;
  }
  return values;
}

const INTEGERS: readonly number[] = [0, 1, 2, 3, 4, 6, 8];

function lengthOf(type: number): number {
  if (type >= 12) return Math.floor((type - 12) / 2);
  return INTEGERS[type] ?? (type === 7 ? 8 : 0);
}

function valueOf(type: number, bytes: Buffer): Value {
  if (type >= 12) return bytes;
  if (type === 8 || type === 9) return type - 8;
  // Eight bytes and floating point: nothing that is read here has them.
  return type >= 1 && type <= 5 ? bytes.readIntBE(0, bytes.length) : undefined;
}

/** 1.6: seven bits a byte, the ninth byte has eight. Numbers beyond 2^53 do not occur in sizes and ids. */
function readVarint(bytes: Buffer, start: number): { value: number; end: number } {
  let value = 0;
  for (let index = 0; index < 8; index++) {
    const byte = bytes.readUInt8(start + index);
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) return { value, end: start + index + 1 };
  }
  return { value: value * 256 + bytes.readUInt8(start + 8), end: start + 9 };
}

function slice(bytes: Buffer, start: number, length: number): Buffer {
  if (start + length > bytes.length) throw new RangeError('a value goes beyond its page');
  return bytes.subarray(start, start + length);
}

function text(value: Value): string | undefined {
  return Buffer.isBuffer(value) ? value.toString('utf8') : undefined;
}
