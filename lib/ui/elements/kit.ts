import { h } from '../dom.ts';
import { FlowElement, type View } from '../element.ts';
import type { Context } from '../flows/context.ts';
import { type KitFlow, type KitState, kitFlow } from '../flows/kit.ts';

/** `<roaming-key-kit account="ada">`: a kit that waits to be kept; empty without one, unless it has the attribute `alone`. */
export class KitElement extends FlowElement<KitState, KitFlow> {
  protected make(context: Context): KitFlow {
    this.loadKitView();
    return kitFlow(context);
  }

  protected start(): Promise<void> {
    return this.flow.start(this.getAttribute('account') ?? undefined);
  }

  protected override get isFragile(): boolean {
    return this.flow.state.step === 'shown';
  }

  protected view(): View {
    const { context } = this;
    const { step, account = '', sheet } = this.flow.state;
    const say = context.say.bind(context);
    if (step === 'pending')
      return [
        h('h2', {}, say('kit.pending'), h('span', { class: 'rk-badge', 'data-tone': 'warn' }, '!')),
        h('p', {}, say('kit.pending.text', { account })),
        this.button(say('kit.pending.submit'), () => this.flow.show(), { class: 'rk-primary' }),
      ];
    if (step === 'shown' && sheet)
      return [h('h2', {}, say('kit.title')), ...this.kitPart(sheet, (isKept) => this.flow.confirm(isKept))];
    document.querySelector('body > .rk-sheet')?.remove();
    if (step === 'none' && this.hasAttribute('alone')) return [h('p', {}, say('kit.nothing'))];
    return step === 'kept' ? [h('h2', {}, say('kit.none')), h('p', {}, say('kit.none.text'))] : [];
  }

  protected override detail({ step, account }: KitState): object | undefined {
    return step === 'kept' ? { account } : undefined;
  }
}
