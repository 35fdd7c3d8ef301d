/** The form in which a name is used everywhere: composed, without blanks around it. */
export function spellAccount(typed: string): string {
  return typed.trim().normalize('NFC');
}
