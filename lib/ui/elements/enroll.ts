import { h } from '../dom.ts';
import { FlowElement, tellTabs, type View } from '../element.ts';
import type { Context } from '../flows/context.ts';
import { type EnrollFlow, type EnrollState, enrollFlow } from '../flows/enroll.ts';
import { setUpMeter } from '../meter.ts';

/** `<roaming-key-enroll kit="first|later">`: a new account. */
export class EnrollElement extends FlowElement<EnrollState, EnrollFlow> {
  protected make(context: Context): EnrollFlow {
    this.loadKitView();
    return enrollFlow(context, { kit: this.getAttribute('kit') === 'later' ? 'later' : 'first' });
  }

  protected start(): Promise<void> {
    return this.flow.start();
  }

  protected override viewOf({ step }: EnrollState): string {
    return step === 'working' ? 'ask' : step;
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
          h('p', {}, h('a', { class: 'rk-button rk-primary', href: this.href('home') }, say('go.home'))),
        ];
      default:
        return this.#ask();
    }
  }

  protected override detail({ step, account, isKept }: EnrollState): object | undefined {
    return step === 'done' ? { account, isKept } : undefined;
  }

  protected override finish(detail: object): void {
    tellTabs('in');
    document.querySelector('body > .rk-sheet')?.remove();
    // With the kit kept later, the first page after the sign-up is the app's own.
    if (this.getAttribute('kit') === 'later' && (detail as EnrollState).isKept) this.leave();
  }

  #account(label: string): HTMLElement {
    return this.field({
      name: 'account',
      label,
      autocomplete: 'username',
      autocapitalize: 'none',
      spellcheck: 'false',
      maxlength: '256',
    });
  }

  #ask(): View {
    const { context } = this;
    const password = this.field({
      name: 'password',
      label: context.say('password'),
      type: 'password',
      autocomplete: 'new-password',
    });
    const account = this.#account(context.say('account'));
    setUpMeter(
      context,
      password.querySelector('input') as HTMLInputElement,
      password.querySelector('.rk-meter-place') as HTMLElement,
      () => [account.querySelector('input')?.value ?? '', context.site],
    );
    return [
      h('h1', {}, context.say('enroll.title')),
      h('p', { class: 'rk-lead' }, context.say('enroll.lead')),
      this.form(
        (values) => this.flow.submit({ account: values.text('account'), password: values.text('password') }),
        account,
        password,
        this.submitButton(context.say('enroll.submit')),
      ),
      this.link('login', context.say('enroll.login')),
    ];
  }
}
