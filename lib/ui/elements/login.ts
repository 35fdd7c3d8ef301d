import { h } from '../dom.ts';
import { FlowElement, tellTabs, type View } from '../element.ts';
import type { Context } from '../flows/context.ts';
import type { Entered } from '../flows/enter.ts';
import { type LoginFlow, type LoginState, loginFlow } from '../flows/login.ts';

/** `<roaming-key-login>`: name and password. */
export class LoginElement extends FlowElement<LoginState, LoginFlow> {
  protected make(context: Context): LoginFlow {
    return loginFlow(context);
  }

  protected async start(): Promise<void> {
    const asked = new URLSearchParams(location.search).get('account');
    await this.flow.start();
    const { accountsHere } = this.flow.state;
    const account = this.querySelector<HTMLInputElement>('[name=account]');
    if (!account) return;
    this.querySelector('datalist')?.append(...accountsHere.map((value) => h('option', { value })));
    if (account.value === '')
      account.value = asked ?? (accountsHere.length === 1 ? (accountsHere[0] as string) : '');
    if (document.activeElement === document.body)
      (account.value === '' ? account : this.querySelector<HTMLInputElement>('[name=password]'))?.focus();
  }

  protected override viewOf({ step }: LoginState): string {
    return step === 'done' ? 'done' : 'ask';
  }

  protected view(): View {
    const { context } = this;
    if (this.flow.state.step === 'done')
      return [
        h(
          'p',
          {},
          h('a', { class: 'rk-button rk-primary', href: this.href('home') }, context.say('go.home')),
        ),
      ];
    const list = `${this.tagName.toLowerCase()}-accounts`;
    return [
      h('h1', {}, context.say('login.title')),
      this.form(
        (values) => this.flow.submit({ account: values.text('account'), password: values.text('password') }),
        this.field({
          name: 'account',
          label: context.say('account'),
          autocomplete: 'username',
          autocapitalize: 'none',
          spellcheck: 'false',
          maxlength: '256',
          list,
        }),
        h('datalist', { id: list }),
        this.field({
          name: 'password',
          label: context.say('password'),
          type: 'password',
          autocomplete: 'current-password',
        }),
        this.submitButton(context.say('login.submit')),
      ),
      this.link('create', context.say('login.create')),
      this.link('lost', context.say('login.lost')),
    ];
  }

  protected override detail({ step, entered }: LoginState): object | undefined {
    return step === 'done' ? entered : undefined;
  }

  protected override finish(_entered: Entered | object): void {
    tellTabs('in');
    const { notice } = this.flow.state;
    // An alarm is read before the page is left.
    if (notice?.tone === 'done') this.leave(notice);
  }
}
