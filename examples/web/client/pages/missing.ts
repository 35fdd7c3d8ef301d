import { startPage } from '../chrome.ts';

void startPage();
