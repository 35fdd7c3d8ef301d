import { download, h } from '../dom.ts';
import { FlowElement, tellTabs, type View } from '../element.ts';
import type { Context } from '../flows/context.ts';
import { type DeviceKey, type DevicesFlow, type DevicesState, devicesFlow } from '../flows/devices.ts';

/** `<roaming-key-devices>`: the account's keys, pickup codes, a spare key. */
export class DevicesElement extends FlowElement<DevicesState, DevicesFlow> {
  #downloaded: unknown;

  protected make(context: Context): DevicesFlow {
    this.loadKitView();
    return devicesFlow(context, { pickupUrl: this.href('pickup') });
  }

  protected start(): Promise<void> {
    return this.flow.start();
  }

  protected override viewOf(state: DevicesState): string {
    const { step, storedAt, pickups, keys, code } = state;
    return [step, storedAt, pickups.length, keys.length, code].join();
  }

  protected override get needsSession(): boolean {
    return true;
  }

  protected override get isFragile(): boolean {
    return this.flow.state.step === 'kit';
  }

  protected view(): View {
    const { context } = this;
    const state = this.flow.state;
    const say = context.say.bind(context);
    if (state.step === 'kit' && state.sheet)
      return [
        h('h1', {}, say('kit.title')),
        h('p', { class: 'rk-lead' }, say('kit.lead')),
        ...this.kitPart(state.sheet, (isKept) => this.#confirm(isKept)),
      ];
    if (state.step !== 'ready' && state.step !== 'code') return [h('h1', {}, say('devices.title'))];
    document.querySelector('body > .rk-sheet')?.remove();
    const isStored = state.storedAt !== null;
    return [
      h('h1', {}, say('devices.title')),
      h('p', { class: 'rk-lead' }, say('devices.lead')),
      ...(context.has('records')
        ? [
            state.code && this.codePart(state.account, state.code),
            this.form(
              () => this.flow.makeCode(),
              h(
                'p',
                { class: 'rk-hint' },
                isStored
                  ? say('devices.stored', { when: context.when(state.storedAt ?? 0) })
                  : say('devices.not-stored'),
              ),
              h(
                'div',
                { class: 'rk-row' },
                state.isHere && this.submitButton(say(isStored ? 'devices.remake' : 'devices.make')),
                isStored && this.button(say('devices.remove'), () => this.flow.removeStored()),
              ),
            ),
          ]
        : []),
      h('h2', {}, say('devices.keys')),
      h('ul', { class: 'rk-list' }, ...state.keys.map((key) => this.#key(key))),
      state.pickups.length > 0 && h('h2', {}, say('devices.pickups')),
      state.pickups.length > 0 && h('p', { class: 'rk-hint' }, say('devices.pickups.lead')),
      state.pickups.length > 0 &&
        h(
          'ul',
          { class: 'rk-list' },
          ...state.pickups
            .slice(0, 5)
            .map(({ at, address, agent }) =>
              h(
                'li',
                {},
                h('span', {}, context.when(at)),
                h('span', { class: 'rk-hint' }, agent ?? ''),
                h('code', {}, address),
              ),
            ),
        ),
      h('h2', {}, say('devices.spare')),
      h('p', { class: 'rk-hint' }, say('devices.spare.lead')),
      this.form(
        (values) => this.flow.addSpare({ password: values.text('password') }),
        this.username(state.account),
        this.field({
          name: 'password',
          label: say('password'),
          type: 'password',
          autocomplete: 'current-password',
        }),
        this.submitButton(say('devices.spare.submit'), ''),
      ),
      h(
        'p',
        {},
        this.button(say('devices.logout'), () => this.#logOut(), { 'data-logout': '' }),
      ),
    ];
  }

  async #confirm(isKept: boolean): Promise<void> {
    await this.flow.confirmKit(isKept);
    const { file } = this.flow.state;
    if (isKept && file && file !== this.#downloaded) download(file);
    this.#downloaded = file;
  }

  async #logOut(): Promise<void> {
    await this.flow.logOut();
    if (this.flow.state.step === 'signed-out') tellTabs('out');
  }

  #key({
    purpose,
    kind,
    jkt,
    at,
    isHere,
    isThisLogin,
    isDisabled,
    isSuspended,
    kitNumber,
  }: DeviceKey): HTMLElement {
    const { context } = this;
    const name = context.say(`purpose.${purpose}`);
    const badges = [
      isDisabled && h('span', { class: 'rk-badge', 'data-tone': 'stop' }, context.say('devices.off')),
      isSuspended && h('span', { class: 'rk-badge', 'data-tone': 'warn' }, context.say('devices.hold')),
      isHere && h('span', { class: 'rk-badge' }, context.say('devices.here')),
      isThisLogin && h('span', { class: 'rk-badge', 'data-tone': 'done' }, context.say('devices.this')),
      kitNumber !== undefined &&
        h('span', { class: 'rk-badge' }, context.say('kit.number', { number: kitNumber })),
    ];
    return h(
      'li',
      { 'data-purpose': purpose, 'data-disabled': isDisabled },
      h(
        'span',
        {},
        h('strong', {}, name.charAt(0).toUpperCase() + name.slice(1)),
        ` ${kind}${at === undefined ? '' : `, ${context.say('devices.since', { when: context.when(at) })}`}`,
      ),
      h('span', { class: 'rk-badges' }, ...badges),
      h('code', { title: context.say('devices.print') }, jkt.slice(0, 8)),
      isHere &&
        this.button(context.say('devices.file'), () => this.#download(purpose), {
          'aria-label': context.say('devices.file.label', { purpose: name }),
          'data-file': purpose,
        }),
    );
  }

  async #download(purpose: DeviceKey['purpose']): Promise<void> {
    const file = await this.flow.file(purpose);
    if (file) download(file);
  }

  protected override detail({ step, code }: DevicesState): object | undefined {
    return step === 'code' ? { code } : step === 'signed-out' ? { signedOut: true } : undefined;
  }
}
