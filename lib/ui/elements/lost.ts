import { h } from '../dom.ts';
import { FlowElement, tellTabs, type View } from '../element.ts';
import type { Context } from '../flows/context.ts';
import { type LostFlow, type LostState, lostFlow } from '../flows/lost.ts';

/** `<roaming-key-lost>`: the code of a kit switches its key off. */
export class LostElement extends FlowElement<LostState, LostFlow> {
  protected make(context: Context): LostFlow {
    return lostFlow(context, { readPicture: async (file) => (await import('../qr.ts')).readQr(file) });
  }

  protected start(): void {
    // A link from a printed sheet has its code behind #, which no server sees.
    this.watchHash(/^(?:-?[0-9A-Za-z]){29,32}$/, (text) => {
      // What the red button is about stays what was shown.
      if (this.flow.state.step === 'check') return;
      this.flow.back();
      const area = this.querySelector<HTMLTextAreaElement>('[name=code]');
      if (area) area.value = text.slice(0, 64);
    });
  }

  protected view(): View {
    const { context } = this;
    const { step, verdicts, isOurs, hasSpare, isSpareHeld } = this.flow.state;
    const say = context.say.bind(context);
    const facts = h(
      'ul',
      { class: 'rk-facts' },
      ...verdicts.map(({ tone, title, text }) => this.fact(tone, title, text)),
    );
    if (step === 'check')
      return [
        h('h1', {}, say('lost.title')),
        facts,
        this.form(
          () => this.flow.confirm(),
          h(
            'div',
            { class: 'rk-row' },
            this.submitButton(say('lost.submit'), 'rk-danger'),
            this.button(say('lost.back'), () => this.flow.back()),
          ),
        ),
      ];
    if (step === 'done')
      return [
        h('h1', {}, say(isOurs ? 'lost.done' : 'lost.done.unknown')),
        facts,
        isOurs &&
          h('p', {}, say(hasSpare ? 'lost.next.spare' : isSpareHeld ? 'lost.next.held' : 'lost.next')),
        isOurs &&
          h(
            'p',
            { class: 'rk-row' },
            hasSpare &&
              h('a', { class: 'rk-button rk-primary', href: this.href('pickup') }, say('lost.spare')),
            h('a', { class: 'rk-button', href: this.href('create') }, say('go.create')),
          ),
      ];
    return [
      h('h1', {}, say('lost.title')),
      h('p', { class: 'rk-lead' }, say('lost.lead')),
      this.form(
        (values) => this.flow.look({ code: values.text('code'), files: values.files('file') }),
        this.field({
          name: 'code',
          label: say('lost.code'),
          hint: say('lost.code.hint'),
          type: 'area',
          class: 'rk-typed-code',
          rows: '2',
          autocomplete: 'off',
          autocapitalize: 'characters',
          spellcheck: 'false',
          maxlength: '1000',
        }),
        h('p', { class: 'rk-or' }, h('span', {}, say('lost.or'))),
        this.field({
          name: 'file',
          label: say('lost.file'),
          type: 'file',
          accept: '.json,application/json,image/*',
          multiple: true,
        }),
        this.submitButton(say('lost.look')),
      ),
    ];
  }

  protected override detail({ step, verdicts, isOurs }: LostState): object | undefined {
    return step === 'done' ? { verdicts, isOurs } : undefined;
  }

  protected override finish(): void {
    tellTabs('out');
  }
}
