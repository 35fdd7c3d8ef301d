import { h } from '../dom.ts';
import { FlowElement, tellTabs, type View } from '../element.ts';
import type { Context } from '../flows/context.ts';
import { type PickupFlow, type PickupState, pickupFlow } from '../flows/pickup.ts';

/** `<roaming-key-pickup>`: a key comes to this device. */
export class PickupElement extends FlowElement<PickupState, PickupFlow> {
  protected make(context: Context): PickupFlow {
    return pickupFlow(context);
  }

  protected start(): void {
    const set = (name: string, value: string) => {
      const input = this.querySelector<HTMLInputElement>(`[name=${name}]`);
      if (input && value !== '') input.value = value;
    };
    set('account', new URLSearchParams(location.search).get('account')?.slice(0, 256) ?? '');
    this.watchHash(/^pickup=/, (text) => {
      this.flow.readLink(text);
      set('account', this.flow.state.account);
      set('code', this.flow.state.code);
    });
  }

  protected view(): View {
    const { context } = this;
    const { step, found } = this.flow.state;
    const say = context.say.bind(context);
    const password = () =>
      this.field({
        name: 'password',
        label: say('password'),
        type: 'password',
        autocomplete: 'current-password',
      });
    if (step === 'done')
      return [
        h('h1', {}, say('pickup.kept')),
        h('p', {}, h('a', { class: 'rk-button rk-primary', href: this.href('home') }, say('go.home'))),
      ];
    if (step === 'found' && found) {
      const what = { purpose: say(`purpose.${found.purpose}`), print: found.print };
      const capital = say('pickup.found.what', what);
      return [
        h('h1', {}, say('pickup.found', { account: found.account })),
        h(
          'p',
          { class: 'rk-lead' },
          `${capital.charAt(0).toUpperCase()}${capital.slice(1)} ${found.isHere ? say('pickup.found.same') : ''}`,
        ),
        this.form(
          (values) =>
            this.flow.take({
              password: values.text('password'),
              keep: values.isOn('keep'),
              replace: values.isOn('replace'),
            }),
          found.printHere !== undefined &&
            h(
              'ul',
              { class: 'rk-facts' },
              this.fact(
                'warn',
                say('pickup.found.other'),
                say('pickup.found.other.text', { old: found.printHere, new: found.print }),
              ),
            ),
          this.username(found.account),
          password(),
          this.check('keep', say('pickup.keep'), true),
          found.printHere !== undefined && this.check('replace', say('pickup.found.replace'), false),
          this.submitButton(say('pickup.submit')),
        ),
      ];
    }
    const file = this.field({
      name: 'file',
      label: say('pickup.file'),
      type: 'file',
      accept: '.json,application/json',
    });
    file.querySelector('input')?.addEventListener('change', ({ target }) => {
      const [chosen] = (target as HTMLInputElement).files ?? [];
      if (chosen) void this.flow.read(chosen);
    });
    return [
      h('h1', {}, say('pickup.title')),
      h('h2', {}, say('pickup.code.title')),
      this.form(
        (values) =>
          this.flow.submit({
            account: values.text('account'),
            code: values.text('code'),
            password: values.text('password'),
            keep: values.isOn('keep'),
          }),
        this.field({
          name: 'account',
          label: say('account'),
          autocomplete: 'username',
          autocapitalize: 'none',
          spellcheck: 'false',
          maxlength: '256',
        }),
        this.field({
          name: 'code',
          label: say('pickup.code'),
          hint: say('pickup.code.hint'),
          class: 'rk-typed-code',
          autocomplete: 'off',
          autocapitalize: 'characters',
          spellcheck: 'false',
          maxlength: '64',
        }),
        password(),
        this.check('keep', say('pickup.keep'), true),
        this.submitButton(say('pickup.submit')),
      ),
      h('h2', {}, say('pickup.file.title')),
      this.form(() => {}, file),
    ];
  }

  protected override detail({ step, account, entered }: PickupState): object | undefined {
    return step === 'done' ? { account, entered } : undefined;
  }

  protected override finish(): void {
    const { entered, notice } = this.flow.state;
    if (!entered) return;
    tellTabs('in');
    if (notice?.tone === 'done') this.leave(notice);
  }
}
