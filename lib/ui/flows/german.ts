import type { Words } from './words.ts';

/** The same texts in German. */
export const GERMAN: Words = {
  'wrong_password.title': 'Das Passwort stimmt nicht.',
  'wrong_password.text': 'Versuchen Sie es noch einmal.',
  'wrong_password.left':
    'Noch {n} Versuch, bevor Sie warten müssen. | Noch {n} Versuche, bevor Sie warten müssen.',
  'wrong_password.last': 'Das war vorerst der letzte Versuch. Der nächste ist möglich',
  'locked.title': 'Zu viele falsche Passwörter.',
  'locked.text': 'Dieses Passwort wurde nicht angesehen. Der nächste Versuch ist möglich',
  'locked.forever':
    'Der Assistent antwortet für diesen Schlüssel nicht mehr. Nur sein Betreiber kann das ändern. Haben Sie ein anderes Gerät oder Ihr Notfallblatt?',
  'busy.title': 'Einen Moment, bitte.',
  'busy.text': 'Es waren zu viele Anfragen. Nichts ging verloren. Versuchen Sie es wieder',
  'busy.changed': 'Ein anderer Tab war schneller.',
  'busy.changed.text':
    'Der Schlüssel wurde dort inzwischen geändert. Laden Sie diese Seite neu und sehen Sie nach, bevor Sie es noch einmal versuchen.',
  'disabled.title': 'Dieser Schlüssel ist abgeschaltet.',
  'disabled.text':
    'Sein Notfallblatt wurde benutzt, und er funktioniert nie wieder. Waren Sie es, legen Sie ein neues Konto an oder melden sich mit einem anderen Schlüssel an. Wenn nicht, hat jemand anderes Ihr Notfallblatt.',
  'retired.title': 'Das Passwort wurde auf einem anderen Gerät geändert.',
  'retired.text':
    'Ihrem Schlüssel fehlt nichts. Holen Sie ihn noch einmal auf dieses Gerät, dann gilt das neue Passwort.',
  'suspended.title': 'Dieser Schlüssel ist angehalten.',
  'suspended.text':
    'Er wurde mit einem Schlüssel hinzugefügt, der inzwischen abgeschaltet ist. {site} muss bestätigen, dass er Ihnen gehört.',
  'refused.title': '{site} kennt diesen Schlüssel nicht.',
  'refused.text':
    'Er wurde nie zu diesem Konto hinzugefügt, oder das Konto gibt es nicht mehr. Stimmt der Kontoname?',
  'refused.session': 'Sie sind abgemeldet.',
  'refused.session.text':
    'Sie haben sich anderswo abgemeldet, oder die Anmeldung war zu alt. Nichts ging verloren.',
  'network.title': 'Keine Antwort von {server}.',
  'network.text': 'Nichts ging verloren. Prüfen Sie die Verbindung und versuchen Sie es noch einmal.',
  'network.offline': 'Dieses Gerät ist offline.',
  'network.offline.text':
    'Nichts ging verloren. Diese Meldung verschwindet, wenn die Verbindung wieder da ist.',
  'network.policy': 'Diese Seite darf {server} nicht erreichen.',
  'network.policy.text': 'Der Betreiber von {site} muss es in der Sicherheitsrichtlinie der Seite erlauben.',
  'unavailable.title': '{server} kann gerade nicht antworten.',
  'unavailable.text':
    'Der Fehler liegt nicht bei Ihnen, und nichts ging verloren. Versuchen Sie es in einer Minute wieder.',
  'unavailable.storage': 'Dieser Browser konnte nicht speichern.',
  'unavailable.storage.text':
    'Vielleicht ist kein Platz mehr, oder ein anderer Tab ist im Weg. Schaffen Sie Platz oder schließen Sie andere Tabs, dann versuchen Sie es wieder.',
  'bad_response.title': 'Die Antwort war nicht echt.',
  'bad_response.text':
    'Etwas zwischen Ihnen und {server} hat geantwortet. Es hat nichts erfahren. Wechseln Sie das Netz, bevor Sie es wieder versuchen.',
  'bad_password.title': 'Dieses Passwort geht nicht.',
  'bad_password.text':
    'Es ist leer, zu lang oder enthält Zeichen, die nicht jede Tastatur hat. Wählen Sie ein anderes.',
  'bad_record.title': 'Diese Schlüsseldatei geht nicht.',
  'bad_record.text': 'Sie ist beschädigt oder für eine andere App.',
  'bad_kit.title': 'Das ist nicht der Code eines Notfallblatts.',
  'bad_kit.text':
    'Ein Zeichen fehlt oder ist falsch. Vergleichen Sie es mit Ihrem Blatt. Nichts wurde gesendet.',
  'wrong_assistant.title': 'Dieses Notfallblatt gehört zu einer anderen App.',
  'wrong_assistant.text':
    'Es schaltet einen Schlüssel ab, der bei {site} nicht benutzt wird. Benutzen Sie es dort, wo der Schlüssel benutzt wird. Nichts wurde gesendet.',
  'bad_key.title': 'Dieser Schlüssel kann nicht geschützt werden.',
  'bad_key.text': 'Seine Art wird nicht unterstützt, oder er ist beschädigt.',
  'not_unlocked.title': 'Der Schlüssel hat sich wieder verschlossen.',
  'not_unlocked.text': 'Er bleibt nur einige Minuten offen. Geben Sie Ihr Passwort noch einmal ein.',
  'stale_request.title': 'Die Uhr dieses Geräts geht falsch.',
  'stale_request.text': 'Stellen Sie Datum und Zeit, dann versuchen Sie es wieder.',
  'replayed.title': 'Das wurde schon einmal gesendet.',
  'replayed.text': 'Es gilt nur einmal. Versuchen Sie es wieder.',
  'unsupported.title': 'Das geht hier nicht.',
  'unsupported.text':
    'Dieser Browser oder {server} ist zu alt dafür. Versuchen Sie es mit einem anderen Browser oder später.',
  'unsupported.storage': 'Dieser Browser behält nichts für diese Seite.',
  'unsupported.storage.text':
    'Vielleicht ist es ein privates Fenster, oder Websitedaten sind gesperrt. Erlauben Sie der Seite, Daten zu behalten, oder benutzen Sie ein gewöhnliches Fenster.',
  'invalid_request.title': '{server} hat nicht verstanden.',
  'invalid_request.text':
    'Laden Sie die Seite neu und versuchen Sie es wieder. Bleibt es so, sagen Sie es dem Betreiber von {site}.',
  'unknown_key.title': '{server} hat andere Schlüssel als früher.',
  'unknown_key.text':
    'Holen Sie Ihren Schlüssel noch einmal auf dieses Gerät, mit einem Abholcode von einem anderen Gerät.',
  'bad_ticket.title': 'Der Assistent kann mit diesem Schlüssel nichts mehr anfangen.',
  'bad_ticket.text':
    'Was dieser Browser behalten hat, ist beschädigt oder zu alt. Holen Sie Ihren Schlüssel noch einmal von einem anderen Gerät.',
  'bad_mac.title': 'Der Assistent kann mit diesem Schlüssel nichts mehr anfangen.',
  'bad_mac.text':
    'Was dieser Browser behalten hat, ist beschädigt. Holen Sie Ihren Schlüssel noch einmal von einem anderen Gerät.',
  'broken.title': 'Auf dieser Seite ist etwas kaputtgegangen.',
  'broken.text': 'Nichts ging verloren. Laden Sie sie neu und versuchen Sie es wieder.',
  'missing-part.title': 'Ein Teil dieser Seite fehlt.',
  'missing-part.text':
    '{site} wurde wohl erneuert, während die Seite offen war. Laden Sie sie neu und versuchen Sie es wieder.',
  'clock.title': 'Die Uhr dieses Geräts geht {amount} vor. | Die Uhr dieses Geräts geht {amount} nach.',
  'clock.text':
    'Diese Seite funktioniert trotzdem. Andere Programme vielleicht nicht: Stellen Sie Datum und Zeit, wenn Sie können.',
  'server.assistant': 'der Assistent',
  'wait.now': 'jetzt.',
  'wait.in': 'in {time}.',
  'go.login': 'Anmelden',
  'go.create': 'Konto anlegen',
  'go.pickup': 'Schlüssel hierher holen',
  'go.lost': 'Notfallblatt benutzen',
  'go.devices': 'Abholcode machen',
  'go.password': 'Passwort ändern',
  'go.home': 'Weiter',
  'go.reload': 'Neu laden',
  'go.logout': 'Abmelden und anlegen',
  account: 'Kontoname',
  password: 'Passwort',
  'password.show': 'Zeigen',
  'password.hide': 'Verbergen',
  'password.show.label': 'Passwort zeigen',
  'password.new': 'Neues Passwort',
  'password.old': 'Jetziges Passwort',
  'password.again': 'Ihr Passwort, noch einmal',
  'account.missing': 'Geben Sie Ihren Kontonamen ein.',
  'account.choose': 'Wählen Sie einen Kontonamen.',
  'account.form': 'Nehmen Sie Buchstaben und Ziffern, ohne Leerzeichen an den Enden.',
  'account.mixed':
    'Dieser Name mischt Alphabete: „{name}“ hat Buchstaben, die nur lateinisch aussehen. Wählen Sie einen anderen.',
  'account.taken':
    '„{name}“ ist vergeben. Wählen Sie einen anderen Namen, oder melden Sie sich an, wenn Sie es sind.',
  'account.other': 'Anderer Kontoname',
  'password.missing': 'Geben Sie Ihr Passwort ein.',
  'password.choose': 'Wählen Sie ein Passwort.',
  'password.same': 'Das ist Ihr jetziges Passwort.',
  'password.short': 'Zu kurz: Nehmen Sie mindestens {n} Zeichen.',
  'password.common': 'Das ist eines der ersten Passwörter, die ein Dieb versucht.',
  'password.plain': 'Zu wenige verschiedene Zeichen.',
  'password.hint': 'Das Passwort enthält einen Namen, den ein Dieb zuerst versucht.',
  'password.names': 'Sehr schwach, Schwach, Mäßig, Gut, Stark',
  loading: 'Wird geladen …',
  'phase.generating': 'Ein Schlüssel entsteht …',
  'phase.stretching': 'Ihr Passwort wird geprüft …',
  'phase.asking': 'Der Assistent wird gefragt …',
  'phase.proving': 'Gespräch mit {site} …',
  'login.title': 'Anmelden',
  'login.submit': 'Anmelden',
  'login.create': 'Neu hier? Konto anlegen',
  'login.lost': 'Gerät verloren?',
  'login.already': 'Sie sind als {account} angemeldet.',
  'login.already.text': 'Oder melden Sie sich hier als jemand anderes an.',
  'login.no-key': 'Dieser Browser hat keinen Schlüssel für „{account}“.',
  'login.no-key.text':
    'Ist der Name richtig geschrieben? Wurde das Konto anderswo angelegt oder dieser Browser geleert, holen Sie den Schlüssel hierher.',
  'login.alike': 'Das ist nicht das Konto „{account}“, das hier einen Schlüssel hat.',
  'login.alike.text':
    'Die Namen sehen gleich aus, aber dieser hat Buchstaben eines anderen Alphabets. Nehmen Sie den Namen aus der Liste.',
  'login.strangers':
    'Seit Ihrer letzten Anmeldung wurde {n} falsches Passwort versucht. | Seit Ihrer letzten Anmeldung wurden {n} falsche Passwörter versucht.',
  'login.strangers.text':
    'Das letzte {when}. Waren Sie das nicht, hat jemand eine Kopie von dem, was dieses Gerät behält: Ändern Sie das Passwort, und sehen Sie nach, wo Ihre Geräte sind.',
  'login.reissued': 'Das Passwort wurde geändert, und dieses Gerät weiß nichts davon.',
  'login.reissued.text':
    'Waren Sie das nicht, hatte jemand Ihr Gerät und Ihr Passwort. Benutzen Sie Ihr Notfallblatt, dann machen Sie einen neuen Schlüssel.',
  'login.last-used': 'Zuletzt benutzt {when}.',
  'login.done': 'Willkommen zurück, {account}.',
  'logout.done': 'Sie sind abgemeldet.',
  'logout.done.text': 'Ihr Schlüssel bleibt verschlossen auf diesem Gerät.',
  'logout.elsewhere': 'Sie haben sich in einem anderen Tab abgemeldet.',
  'logout.elsewhere.text': 'Was Sie hier geschrieben haben, ist noch da.',
  'enroll.title': 'Konto anlegen',
  'enroll.lead':
    'Ihr Browser macht einen Schlüssel und verschließt ihn mit Ihrem Passwort. Beide werden niemandem gesendet.',
  'enroll.submit': 'Konto anlegen',
  'enroll.owner': 'Schlüssel erzeugen',
  'enroll.login': 'Sie haben ein Konto? Anmelden',
  'enroll.signed-in': 'Sie sind als {account} angemeldet.',
  'enroll.signed-in.text': 'Ein neues Konto ist für einen anderen Namen. Melden Sie sich erst ab.',
  'enroll.taken': '„{account}“ wurde inzwischen vergeben.',
  'enroll.taken.text': 'Wählen Sie einen anderen Namen: Schlüssel und Notfallblatt bleiben gut.',
  'enroll.again': 'Ihr Konto ist noch nicht angelegt.',
  'enroll.again.text':
    'Der Schlüssel ist gemacht, und sein Notfallblatt ist gut. Es geht weiter, wenn {site} wieder antwortet.',
  'enroll.again.submit': 'Weiter',
  'enroll.rename.submit': 'Diesen Namen nehmen',
  'enroll.left': 'Ihr Konto wurde noch nicht angelegt.',
  'enroll.left.text':
    'Die Seite wurde verlassen, bevor das Notfallblatt aufgehoben war. Es wurde nichts angelegt. Wählen Sie das Passwort noch einmal.',
  'enroll.exists': 'Dieser Browser hat einen anderen Schlüssel für „{account}“.',
  'enroll.exists.text':
    'Er wird nicht weggeworfen. Melden Sie sich mit ihm an, oder wählen Sie einen anderen Namen. Schlüssel hier: {old}.',
  'enroll.private': 'Dieser Browser behält nichts.',
  'enroll.private.text':
    'Vielleicht ist es ein privates Fenster, oder voll. Nehmen Sie Ihren Schlüssel mit, bevor Sie diese Seite verlassen, sonst können Sie sich nicht mehr anmelden.',
  'enroll.take.file': 'Meinen Schlüssel als Datei herunterladen',
  'enroll.done': 'Willkommen, {account}',
  'enroll.done.lead': 'Sie sind angemeldet, mit einem Schlüssel, den sonst niemand benutzen kann.',
  'kit.title': 'Heben Sie Ihr Notfallblatt auf',
  'kit.lead':
    'Wird dieses Gerät verloren oder gestohlen, schaltet dieses Blatt seinen Schlüssel ab. Es wird nur jetzt gezeigt, und niemand hat eine Kopie.',
  'kit.label': 'Code für {what}',
  'kit.number': 'Blatt {number}',
  'kit.what': 'Ihren Schlüssel',
  'kit.what.spare': 'Ihren Ersatzschlüssel',
  'kit.what.new': 'Ihren Schlüssel mit dem neuen Passwort',
  'kit.download': 'Als Datei herunterladen',
  'kit.print': 'Drucken',
  'kit.copy': 'Code kopieren',
  'kit.copied': 'Kopiert.',
  'kit.not-copied': 'Der Browser ließ die Seite nicht kopieren. Markieren Sie den Code selbst.',
  'kit.hint':
    'Auf Papier, auf einem USB-Stick oder bei jemandem, dem Sie vertrauen: überall außer auf diesem Gerät. Es öffnet nichts. Es kann nur diesen Schlüssel abschalten.',
  'kit.kept': 'Ich habe das Notfallblatt anderswo als auf diesem Gerät.',
  'kit.not-kept':
    'Ohne Notfallblatt hält niemand einen Dieb auf. Heben Sie es erst auf, dann setzen Sie das Häkchen.',
  'kit.submit': 'Weiter',
  'kit.pending': 'Heben Sie Ihr Notfallblatt auf',
  'kit.pending.text':
    'Das Notfallblatt von „{account}“ ist noch nicht aufgehoben. Ohne es hält niemand einen Dieb auf.',
  'kit.pending.submit': 'Notfallblatt zeigen',
  'kit.nothing': 'In diesem Browser wartet kein Notfallblatt darauf, aufgehoben zu werden.',
  'kit.none': 'Ihr Notfallblatt ist aufgehoben.',
  'kit.none.text': 'Es ist nicht auf diesem Gerät, und so soll es sein.',
  'sheet.title': 'Notfallblatt',
  'sheet.for': '{what} von „{account}“ bei {site}',
  'sheet.made': 'Gemacht am {date}',
  'sheet.step1': 'Öffnen Sie auf irgendeinem anderen Gerät {url}',
  'sheet.step2': 'Geben Sie den Code oben ein, oder fotografieren Sie das Bild.',
  'sheet.step3': 'Drücken Sie den roten Knopf. Von da an ist der Schlüssel auf jedem Gerät abgeschaltet.',
  'sheet.hint':
    'Sie brauchen dazu weder Gerät noch Passwort. Wer dieses Blatt findet, kann den Schlüssel abschalten und sonst nichts.',
  'sheet.notes': 'Wo die zweite Kopie ist:',
  'lost.title': 'Gerät verloren?',
  'lost.lead':
    'Ihr Notfallblatt schaltet seinen Schlüssel ab, endgültig und auf jedem Gerät. Sie brauchen weder Gerät noch Passwort und müssen nicht angemeldet sein.',
  'lost.code': 'Code von Ihrem Blatt',
  'lost.code.hint': '32 Buchstaben und Ziffern. Großschreibung, Leerzeichen und Striche sind gleich.',
  'lost.file': 'Datei des Notfallblatts, oder ein Bild seines QR-Codes',
  'lost.or': 'oder',
  'lost.look': 'Nachsehen, was es abschaltet',
  'lost.missing': 'Geben Sie den Code ein, oder wählen Sie die Datei.',
  'lost.pickup-code':
    'Das sieht wie ein Abholcode aus, der einen Schlüssel auf ein Gerät bringt. Der Code des Notfallblatts hat 32 Zeichen.',
  'lost.key-file':
    '„{name}“ ist eine Schlüsseldatei, die einen Schlüssel auf ein Gerät bringt. Das Notfallblatt ist eine andere Datei.',
  'lost.too-large': '„{name}“ ist zu groß für ein Notfallblatt.',
  'lost.no-qr':
    'In diesem Bild ist kein QR-Code zu lesen. Nehmen Sie ihn näher und gerade auf, oder geben Sie den Code ein.',
  'lost.other-qr': 'Dieser QR-Code gehört zu keinem Notfallblatt.',
  'lost.pickup-qr':
    'Dieser QR-Code bringt einen Schlüssel auf ein anderes Gerät. Der richtige steht auf dem Notfallblatt.',
  'lost.ours': 'Das schaltet den {purpose} von „{account}“ ab, auf jedem Gerät und endgültig.',
  'lost.anonymous': 'Das schaltet den Schlüssel mit diesem Code ab, auf jedem Gerät und endgültig.',
  'lost.off.anonymous':
    'Der Schlüssel mit diesem Code ist abgeschaltet, auf jedem Gerät. Der Assistent bei {assistant} hat es bestätigt.',
  'lost.unknown':
    '{site} hat keinen Schlüssel mit diesem Code. Ist es das Blatt einer abgebrochenen Anmeldung oder einer anderen App? Der Assistent kann ihn trotzdem vormerken.',
  'lost.unasked': '{site} antwortet gerade nicht. Der Assistent kann den Schlüssel trotzdem abschalten.',
  'lost.submit': 'Endgültig abschalten',
  'lost.back': 'Zurück',
  'lost.done': 'Der Schlüssel ist abgeschaltet',
  'lost.done.unknown': 'Beim Assistenten vorgemerkt',
  'lost.off':
    'Der {purpose} von „{account}“ ist abgeschaltet, auf jedem Gerät. | {purpose} von „{account}“ sind abgeschaltet, auf jedem Gerät.',
  'lost.off.text':
    'Der Assistent bei {assistant} hat es bestätigt. {site} hat die Anmeldungen mit ihm beendet.',
  'lost.off.later':
    'Der Assistent bei {assistant} hat es bestätigt. {site} hat noch nicht davon gehört und beendet die Anmeldungen mit ihm, sobald es davon hört.',
  'lost.noted':
    'Beim Assistenten bei {assistant} vorgemerkt, aber {site} hat keinen Schlüssel mit diesem Code.',
  'lost.noted.text':
    'Ist es das Blatt einer abgebrochenen Anmeldung oder einer anderen App? Der Schlüssel, den Sie meinen, funktioniert vielleicht noch.',
  'lost.untold':
    'Beim Assistenten bei {assistant} vorgemerkt, aber {site} konnte nicht sagen, ob es einen Schlüssel mit diesem Code hat.',
  'lost.untold.text': 'Wenn ja, ist er abgeschaltet, auf jedem Gerät.',
  'lost.already': 'Der Schlüssel war schon abgeschaltet.',
  'lost.already.text': 'Es war nichts mehr zu tun.',
  'lost.old-code':
    'Dieses Blatt ist von einer älteren Version: Sein Code sagt nicht, für welchen Assistenten er ist. Nur der des Schlüssels zählt, und gefragt wurde {assistant}.',
  'lost.spare': 'Ersatzschlüssel benutzen',
  'lost.next': 'Wenn Sie so weit sind, legen Sie ein neues Konto an.',
  'lost.next.held':
    'Ihr Ersatzschlüssel wurde vor Kurzem mit diesem Schlüssel hinzugefügt, darum muss {site} erst bestätigen, dass er Ihrer ist. Oder legen Sie ein neues Konto an.',
  'lost.next.spare': 'Melden Sie sich mit Ihrem Ersatzschlüssel an, oder legen Sie ein neues Konto an.',
  'purpose.login': 'Anmeldeschlüssel',
  'purpose.sign': 'Unterschriftsschlüssel',
  'purpose.notes': 'Schlüssel für Notizen',
  'pickup.title': 'Schlüssel auf dieses Gerät holen',
  'pickup.code.title': 'Mit einem Abholcode',
  'pickup.code': 'Abholcode',
  'pickup.code.hint': '8 Zeichen, auf dem anderen Gerät gemacht.',
  'pickup.code.missing': 'Geben Sie den Code ein, den Sie auf dem anderen Gerät gemacht haben.',
  'pickup.code.form': 'Ein Abholcode hat 8 Buchstaben und Ziffern.',
  'pickup.kit-code':
    'Das ist der Code eines Notfallblatts, der einen Schlüssel abschaltet. Der Abholcode hat 8 Zeichen.',
  'pickup.keep': 'Auf diesem Gerät behalten. Lassen Sie das weg, wo auch andere es benutzen.',
  'pickup.submit': 'Anmelden',
  'pickup.wrong': 'Eins von dreien stimmt nicht.',
  'pickup.wrong.text':
    'Kontoname, Abholcode oder Passwort. Niemand erfährt, welches, damit ein Dieb nicht merkt, dass er nahe dran ist. Ein neuer Code ersetzt den alten.',
  'pickup.file.title': 'Mit einer Schlüsseldatei',
  'pickup.file': 'Schlüsseldatei',
  'pickup.file.kit':
    'Das ist ein Notfallblatt: Es schaltet einen Schlüssel ab und gehört auf die Seite für verlorene Geräte.',
  'pickup.file.none': 'Das ist keine Schlüsseldatei.',
  'pickup.found': 'Der Schlüssel von {account}',
  'pickup.found.what': '{purpose}, Fingerabdruck {print}.',
  'pickup.found.same': 'Dieser Browser hat ihn schon.',
  'pickup.found.other': 'Dieser Browser hat schon einen anderen Schlüssel unter diesem Namen.',
  'pickup.found.other.text':
    'Schlüssel hier: {old}. Schlüssel in der Datei: {new}. Er wird nur ersetzt, wenn Sie es sagen, und erst, wenn der neue funktioniert hat.',
  'pickup.found.replace': 'Den Schlüssel hier ersetzen.',
  'pickup.found.choose': 'Sagen Sie, dass der Schlüssel hier ersetzt werden darf, oder lassen Sie es.',
  'pickup.stranger': '{site} kennt diesen Schlüssel nicht als einen von „{account}“.',
  'pickup.stranger.text':
    'Vielleicht hat jemand diese Datei gemacht, um Ihr Passwort zu erfahren. Sie wurde nicht behalten, und nach keinem Passwort wird gefragt.',
  'pickup.link': 'Dieser Link bringt keinen Schlüssel.',
  'pickup.link.text':
    'Fotografieren Sie den Code auf der Seite „Ihren Schlüssel auf einem anderen Gerät benutzen“ noch einmal.',
  'pickup.came': 'Mitgekommen: {list}.',
  'pickup.left':
    'Nicht mitgekommen: {list}. Machen Sie auf dem Gerät, das ihn hat, einen neuen Abholcode; hat er ein anderes Passwort, nehmen Sie ihn als Datei mit.',
  'pickup.kept': 'Ihr Schlüssel ist auf diesem Gerät.',
  'devices.title': 'Ihren Schlüssel auf einem anderen Gerät benutzen',
  'devices.lead':
    'Name, Passwort und ein kurzer Code genügen, für alle Ihre Schlüssel auf diesem Gerät. Der Code ist ohne Ihr Passwort nichts wert.',
  'devices.make': 'Abholcode machen',
  'devices.remake': 'Neuen Abholcode machen',
  'devices.code': 'Ihr Abholcode, nur jetzt gezeigt',
  'devices.code.hint':
    'Öffnen Sie {url} auf dem anderen Gerät, oder fotografieren Sie das Bild mit ihm. Ein neuer Code ersetzt diesen.',
  'devices.localhost':
    'Telefone können „localhost“ nicht öffnen: Versuchen Sie es mit einem anderen Browser dieses Computers.',
  'devices.stored': '{site} hält Ihren Schlüssel zum Abholen bereit seit: {when}.',
  'devices.not-stored': '{site} hält gerade nichts zum Abholen bereit.',
  'devices.remove': 'Von {site} entfernen',
  'devices.removed': 'Entfernt.',
  'devices.removed.text': 'Der Abholcode gilt nicht mehr.',
  'devices.none': 'Sie haben noch keinen Schlüssel.',
  'devices.none.text': 'Mit einem Schlüssel wird beim Anmelden kein Passwort gesendet.',
  'devices.none.make': 'Schlüssel erzeugen',
  'devices.elsewhere': 'Ihr Schlüssel ist nicht auf diesem Gerät.',
  'devices.elsewhere.text':
    'Machen Sie Abholcodes dort, wo er ist. Oder holen Sie ihn hierher und behalten ihn.',
  'devices.kind': '{site} hält Schlüssel dieser Art nicht zum Abholen bereit.',
  'devices.kind.text': 'Nehmen Sie Ihren als Datei mit.',
  'devices.left': 'Der Code bringt nicht mit: {list}.',
  'devices.left.text':
    'Alles andere bringt er mit. {site} nimmt keinen Schlüssel an, der abgeschaltet oder unbekannt ist.',
  'devices.keys': 'Ihre Schlüssel',
  'devices.here': 'auf diesem Gerät',
  'devices.this': 'diese Anmeldung',
  'devices.off': 'abgeschaltet',
  'devices.hold': 'angehalten',
  'devices.since': 'seit {when}',
  'devices.print': 'Fingerabdruck',
  'devices.file': 'Datei',
  'devices.file.label': '{purpose} als Datei',
  'devices.pickups': 'Abholungen',
  'devices.pickups.lead':
    'Jedes Mal, wenn Ihr Schlüssel mit dem richtigen Code abgeholt wurde. Waren es nicht alle Sie? Entfernen Sie ihn oben, und ändern Sie das Passwort.',
  'devices.spare': 'Ersatzschlüssel hinzufügen',
  'devices.spare.lead':
    'Ein zweiter Schlüssel mit eigenem Notfallblatt, als Datei für die Schublade. Geht dieses Gerät verloren, melden Sie sich mit ihm an.',
  'devices.spare.submit': 'Ersatzschlüssel machen',
  'devices.spare.done': 'Ihr Ersatzschlüssel ist hinzugefügt.',
  'devices.spare.done.text':
    'Seine Datei wurde heruntergeladen. Heben Sie sie nicht auf diesem Gerät auf, und melden Sie sich nach 30 Tagen einmal mit ihm an.',
  'devices.logout': 'Abmelden',
  'password.title': 'Passwort ändern',
  'password.lead': 'Der Schlüssel bleibt derselbe.',
  'password.submit': 'Passwort ändern',
  'password.done': 'Ihr Passwort ist geändert',
  'password.done.old': 'Das alte Passwort gilt nicht mehr.',
  'password.done.open':
    'Das alte Passwort gilt noch für Kopien von dem, was dieses Gerät vorher behielt: Der Assistent hat nicht geantwortet.',
  'password.done.open.submit': 'Noch einmal versuchen',
  'password.done.kit': 'Ihr Notfallblatt bleibt gut.',
  'password.done.new-kit':
    'Das alte Notfallblatt kann Ihren Schlüssel noch abschalten: Vernichten Sie es, und heben Sie das neue auf.',
  'password.done.moved': 'Das neue Passwort gilt auch für Ihre anderen Schlüssel hier: {list}.',
  'password.done.left': 'Noch mit eigenem Passwort: {list}.',
  'password.done.others':
    'Holen Sie den Schlüssel auf andere Geräte noch einmal. Ein Abholcode, den Sie gemacht haben, bleibt gut.',
  'password.elsewhere': 'Ihr Schlüssel ist nicht auf diesem Gerät.',
  'password.elsewhere.text':
    'Das Passwort wird dort geändert, wo der Schlüssel ist. Holen Sie ihn erst hierher und behalten ihn.',
  'password.unsupported': 'Das Passwort dieser Art von Schlüssel lässt sich noch nicht ändern.',
  'password.unsupported.text': 'Fügen Sie einen anderen Schlüssel hinzu, und entfernen Sie diesen später.',
};
