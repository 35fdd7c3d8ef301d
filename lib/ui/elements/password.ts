import { h } from '../dom.ts';
import { FlowElement, type View } from '../element.ts';
import type { Context } from '../flows/context.ts';
import { type PasswordFlow, type PasswordState, passwordFlow } from '../flows/password.ts';

/** `<roaming-key-password>`: another password for the key that is here. */
export class PasswordElement extends FlowElement<PasswordState, PasswordFlow> {
  protected make(context: Context): PasswordFlow {
    this.loadKitView();
    return passwordFlow(context);
  }

  protected start(): Promise<void> {
    return this.flow.start();
  }

  protected override viewOf(state: PasswordState): string {
    const { step, isOldRetired } = state;
    return `${step}${isOldRetired}`;
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
        ...this.kitPart(state.sheet, (isKept) => this.flow.confirmKit(isKept)),
      ];
    if (state.step === 'done') {
      document.querySelector('body > .rk-sheet')?.remove();
      return [
        h('h1', {}, say('password.done')),
        h(
          'ul',
          { class: 'rk-facts' },
          state.isOldRetired
            ? this.fact('done', say('password.done.old'))
            : this.fact('warn', say('password.done.open')),
          state.isKitGood
            ? this.fact('done', say('password.done.kit'))
            : this.fact('warn', say('password.done.new-kit')),
          state.moved && this.fact('done', say('password.done.moved', { list: state.moved })),
          state.left && this.fact('info', say('password.done.left', { list: state.left })),
          this.fact('info', say('password.done.others')),
        ),
        !state.isOldRetired &&
          this.form(() => this.flow.retireOld(), this.submitButton(say('password.done.open.submit'))),
        h('p', {}, h('a', { class: 'rk-button', href: this.href('home') }, say('go.home'))),
      ];
    }
    if (state.step !== 'ask') return [h('h1', {}, say('password.title'))];
    return [
      h('h1', {}, say('password.title')),
      h('p', { class: 'rk-lead' }, say('password.lead')),
      this.form(
        (values) =>
          this.flow.submit({ password: values.text('password'), newPassword: values.text('newPassword') }),
        this.username(state.account),
        this.field({
          name: 'password',
          label: say('password.old'),
          type: 'password',
          autocomplete: 'current-password',
        }),
        this.newPassword('newPassword', say('password.new'), () => [state.account, context.site]),
        this.submitButton(say('password.submit')),
      ),
    ];
  }

  protected override detail({ step, isOldRetired, isKitGood }: PasswordState): object | undefined {
    return step === 'done' ? { isOldRetired, isKitGood } : undefined;
  }
}
