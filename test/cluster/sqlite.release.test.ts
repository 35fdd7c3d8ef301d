import { clusterSuite } from './suite.ts';

clusterSuite('sqlite');
