import { clusterSuite } from './suite.ts';

clusterSuite('postgres');
