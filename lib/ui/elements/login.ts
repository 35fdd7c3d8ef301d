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
    await this.flow.start();
    if (document.activeElement !== document.body) return;
    const fields = this.querySelectorAll<HTMLInputElement>('[name=account], [name=password]');
    [...fields].find(({ value }) => value === '')?.focus();
  }

  // The form comes with the name in it: nothing is filled in where somebody may be typing.
  protected override viewOf({ step }: LoginState): string {
    return step === 'done' || step === 'loading' ? step : 'ask';
  }

  protected view(): View {
    const { context } = this;
    const { step, accountsHere } = this.flow.state;
    if (step === 'loading') return [];
    if (step === 'done')
      return [
        h(
          'p',
          {},
          h('a', { class: 'rk-button rk-primary', href: this.href('home') }, context.say('go.home')),
        ),
      ];
    const list = `${this.tagName.toLowerCase()}-accounts`;
    const asked = new URLSearchParams(location.search).get('account');
    const [only, another] = accountsHere;
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
          value: asked ?? (another === undefined ? only : undefined),
        }),
        h('datalist', { id: list }, ...accountsHere.map((value) => h('option', { value }))),
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
