import { clusterSuite } from './suite.ts';

clusterSuite('redis');
