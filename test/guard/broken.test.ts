import { testMatrix } from './suite.ts';

testMatrix('bookworm', ['guest left staged', 'dangling staged file']);
