import { testMatrix } from './suite.ts';

testMatrix('trixie', ['nothing staged', 'host staged', 'host staged and locked']);
