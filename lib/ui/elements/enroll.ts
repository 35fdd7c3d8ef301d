import { download, h } from '../dom.ts';
import { FlowElement, flash, tellTabs, type View } from '../element.ts';
import type { Context } from '../flows/context.ts';
import { type EnrollFlow, type EnrollState, enrollFlow } from '../flows/enroll.ts';

/** `<roaming-key-enroll kit="first|later">`: a new account, or the first key of the one that is logged in. */
export class EnrollElement extends FlowElement<EnrollState, EnrollFlow> {
  protected make(context: Context): EnrollFlow {
    this.loadKitView();
    return enrollFlow(context, { kit: this.getAttribute('kit') === 'later' ? 'later' : 'first' });
  }

  protected start(): Promise<void> {
    // The next page says what became of a sign-up that was left.
    addEventListener('pagehide', () => {
      const isLeft = this.isConnected && ['kit', 'taken', 'again'].includes(this.flow.state.step);
      if (isLeft) flash(this.context.notice('info', 'enroll.left', 'enroll.left.text'));
    });
    return this.flow.start();
  }

  protected override viewOf({ step, code, owner }: EnrollState): string {
    return step === 'working' || step === 'ask' ? `ask${owner ?? ''}` : `${step}${code ?? ''}`;
  }

  protected override get isFragile(): boolean {
    return this.flow.isFragile;
  }

  protected view(): View {
    const { context } = this;
    const state = this.flow.state;
    const say = context.say.bind(context);
    switch (state.step) {
      case 'signed-in':
        return [
          h('h1', {}, say('enroll.title')),
          h(
            'p',
            { class: 'rk-row' },
            this.button(say('go.logout'), () => this.flow.logOut().then(() => tellTabs('out')), {
              class: 'rk-primary',
            }),
            h('a', { class: 'rk-button', href: this.href('home') }, say('go.home')),
          ),
        ];
      case 'kit':
        return state.sheet
          ? [
              h('h1', {}, say('kit.title')),
              h('p', { class: 'rk-lead' }, say('kit.lead')),
              ...this.kitPart(state.sheet, (isKept) => this.flow.confirmKit(isKept)),
            ]
          : [];
      case 'taken':
        return [
          h('h1', {}, say('enroll.again')),
          this.form(
            (values) => this.flow.rename(values.text('account')),
            this.#account(say('account.other')),
            this.submitButton(say('enroll.rename.submit')),
          ),
        ];
      case 'again':
        return [
          h('h1', {}, say('enroll.again')),
          h('p', { class: 'rk-lead' }, say('enroll.again.text')),
          this.form(
            (values) => this.flow.again({ password: values.text('password') }),
            this.field({
              name: 'password',
              label: say('password.again'),
              type: 'password',
              autocomplete: 'current-password',
            }),
            this.submitButton(say('enroll.again.submit')),
          ),
        ];
      case 'done':
        return [
          h('h1', {}, say('enroll.done', { account: state.account })),
          h('p', { class: 'rk-lead' }, say('enroll.done.lead')),
          ...this.#carry(state),
          h('p', {}, h('a', { class: 'rk-button rk-primary', href: this.href('home') }, say('go.home'))),
        ];
      default:
        return this.#ask();
    }
  }

  protected override detail({ step, account, isKept, code }: EnrollState): object | undefined {
    return step === 'done' && code === undefined ? { account, isKept } : undefined;
  }

  protected override finish(detail: object): void {
    tellTabs('in');
    document.querySelector('body > .rk-sheet')?.remove();
    // With the kit kept later, the first page after the sign-up is the app's own.
    if (this.getAttribute('kit') === 'later' && (detail as EnrollState).isKept) this.leave();
  }

  /** How a key that the browser does not keep is taken along. */
  #carry({ account, isKept, code, file }: EnrollState): View {
    if (isKept !== false || !file) return [];
    const { context } = this;
    return [
      code !== undefined && this.codePart(account, code),
      this.form(
        () => this.flow.makeCode(),
        h(
          'div',
          { class: 'rk-row' },
          context.has('records') && code === undefined && this.submitButton(context.say('go.devices')),
          this.button(context.say('enroll.take.file'), () => {
            download(file);
            this.flow.carried();
          }),
        ),
      ),
    ];
  }

  #account(label: string, owner?: string): HTMLElement {
    return this.field({
      name: 'account',
      label,
      autocomplete: 'username',
      autocapitalize: 'none',
      spellcheck: 'false',
      maxlength: '256',
      ...(owner !== undefined && { value: owner, readonly: true }),
    });
  }

  #ask(): View {
    const { context } = this;
    const { owner } = this.flow.state;
    const account = this.#account(context.say('account'), owner);
    const password = this.newPassword('password', context.say('password'), () => [
      account.querySelector('input')?.value ?? '',
      context.site,
    ]);
    return [
      h('h1', {}, context.say(owner === undefined ? 'enroll.title' : 'enroll.owner')),
      h('p', { class: 'rk-lead' }, context.say('enroll.lead')),
      this.form(
        (values) => this.flow.submit({ account: values.text('account'), password: values.text('password') }),
        account,
        password,
        this.submitButton(context.say(owner === undefined ? 'enroll.submit' : 'enroll.owner')),
      ),
      owner === undefined && this.link('login', context.say('enroll.login')),
    ];
  }
}
