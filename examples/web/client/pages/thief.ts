import { Device, type DisablingKit, disable, enroll, isRoamingKeyError } from 'passport-roaming-key/device';
import { startPage } from '../chrome.ts';
import { KDF } from '../config.ts';
import { byId, h } from '../dom.ts';
import { explain } from '../errors.ts';
import { DEVICE } from '../keys.ts';
import { showNotice, sign } from '../notice.ts';

/** What people choose. */
const WORDS = [
  'sunshine',
  'dragon',
  'monkey',
  'letmein',
  'football',
  'shadow',
  'master',
  'princess',
  'welcome',
  'charlie',
  'jordan',
  'superman',
  'batman',
  'flower',
  'summer',
  'cookie',
  'pepper',
  'ginger',
  'hunter',
  'silver',
];
const TAILS = ['', '1', '12', '123', '1234', '!', '2024', '2025', '99', '007'];
const GUESSES = WORDS.flatMap((word) => TAILS.map((tail) => word + tail));
const CHOICES = 16;

void startPage();
const pick = () => GUESSES[Math.floor(Math.random() * GUESSES.length)] as string;
const passwords = [...new Set(Array.from({ length: 60 }, pick))].slice(0, CHOICES);
const [secret = 'dragon1'] = passwords;
const shown = [...passwords].sort();
let device: Device | undefined;
let kit: DisablingKit | undefined;
let made = 0;
let isBusy = false;
let timer: ReturnType<typeof setInterval> | undefined;

byId('use-kit').addEventListener('click', () => void useKit());
byId('crack').addEventListener('click', () => void crack());
drawTable(await Promise.all(shown.map(async (password) => ({ hash: await hashOf(password), password: '' }))));
try {
  const enrolment = await enroll({ ...DEVICE, password: secret, kdf: { ...KDF } });
  kit = enrolment.kit;
  device = new Device(enrolment.record, DEVICE);
  byId('laptop').textContent = 'You have the whole disk. Each guess has to ask the assistant, and it counts.';
  byId<HTMLButtonElement>('use-kit').disabled = false;
  byId('guesses').append(
    ...shown.map((password) =>
      h('button', { type: 'button', class: 'small', click: () => void guess(password) }, password),
    ),
  );
} catch (error) {
  showNotice(explain(error));
}

async function guess(password: string): Promise<void> {
  if (!device || isBusy) return;
  isBusy = true;
  byId('guesses').setAttribute('aria-busy', 'true');
  try {
    if (device.record.scheme === 'retrieve') await device.unlock(password, { forSeconds: 1 });
    else
      await new Device(device.record, { ...DEVICE, purposes: ['sign'] }).sign(new Uint8Array(8), {
        password,
      });
    count();
    tell(
      'done',
      'You were lucky.',
      'That was the password. With longer ones, five guesses find nothing: this one was from a short list.',
    );
  } catch (error) {
    if (!isRoamingKeyError(error)) throw error;
    if (error.code !== 'locked') count();
    if (error.retryAt !== undefined) wait(error.retryAt);
    const { title, text = '' } = explain(error);
    if (error.code === 'wrong_password')
      tell(
        'wrong',
        `“${password}” is wrong.`,
        error.attemptsLeft
          ? `${error.attemptsLeft} left before you have to wait.`
          : 'From now on you wait, longer each time.',
      );
    else if (error.code === 'locked')
      tell('wait', 'The assistant does not even look.', 'Your guess was not compared with anything.');
    else if (error.code === 'disabled')
      tell(
        'stop',
        'Dead.',
        'The owner has used the kit. Not even the right password helps now: the laptop is a brick of aluminium.',
      );
    else tell('stop', title, text);
  } finally {
    isBusy = false;
    byId('guesses').removeAttribute('aria-busy');
  }
}

function count(): void {
  made += 1;
  byId('made').textContent = String(made);
}

function wait(until: number): void {
  clearInterval(timer);
  const tick = () => {
    const left = Math.ceil(until - Date.now() / 1000);
    byId('next').textContent = left > 0 ? `in ${left} s` : 'now';
    if (left <= 0) clearInterval(timer);
  };
  timer = setInterval(tick, 500);
  tick();
}

async function useKit(): Promise<void> {
  if (!kit) return;
  try {
    await disable(kit, DEVICE);
    clearInterval(timer);
    byId('next').textContent = 'never';
    tell('stop', 'The kit was used.', 'Try the right password now, if you can find it.');
  } catch (error) {
    showNotice(explain(error));
  }
}

function tell(tone: Parameters<typeof sign>[0], title: string, text: string): void {
  byId('verdict').replaceChildren(
    h(
      'div',
      { class: 'verdict', 'data-tone': tone },
      sign(tone),
      h('div', {}, h('strong', {}, title), h('p', {}, text)),
    ),
  );
}

/** Guesses at the table: nothing counts, nothing waits. */
async function crack(): Promise<void> {
  byId<HTMLButtonElement>('crack').disabled = true;
  const rows = await Promise.all(
    shown.map(async (password) => ({ hash: await hashOf(password), password: '' })),
  );
  const began = performance.now();
  let guessed = 0;
  for (const word of GUESSES) {
    const hash = await hashOf(word);
    guessed += 1;
    const row = rows.find((one) => one.hash === hash);
    if (row) row.password = word;
    // Slowed down, so that one can watch.
    if (guessed % 8 === 0) {
      drawTable(rows);
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
  }
  drawTable(rows);
  const speed = await measure();
  byId('speed').textContent =
    `${rows.length} of ${rows.length} in ${((performance.now() - began) / 1000).toFixed(1)} s; unslowed, this browser makes ${speed.toLocaleString('en')} guesses a second.`;
}

async function measure(): Promise<number> {
  const began = performance.now();
  let done = 0;
  while (performance.now() - began < 150) {
    await hashOf(`guess ${done}`);
    done += 1;
  }
  return Math.round((done / (performance.now() - began)) * 1000);
}

async function hashOf(text: string): Promise<string> {
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return Array.from(new Uint8Array(hash).subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join(
    '',
  );
}

function drawTable(rows: readonly { hash: string; password: string }[]): void {
  byId('table').replaceChildren(
    ...rows.map(({ hash, password }) =>
      h('li', { 'data-fallen': password !== '' }, h('code', {}, `${hash}…`), h('strong', {}, password)),
    ),
  );
}
