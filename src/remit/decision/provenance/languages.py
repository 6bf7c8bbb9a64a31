"""The words of requests in more languages than one, as data: German, French, Spanish, Italian.

Only forms by which something is *asked*: imperatives and infinitives, never a past or a first person. Words
of reading are left out on purpose: reading is free, and only English words make a tool a reading one. A word
that is missing here asks for nothing, and what asks for nothing is a question or a refusal; words that only
join others (`STOPS`) are listed so that two texts are not taken for kin because both say "de la".
"""

from typing import Final

ASKED: Final[dict[str, str]] = {
    "send": """
        sende senden schicke schicken maile mailen antworte antworten benachrichtige benachrichtigen
        weiterleiten poste posten veröffentliche veröffentlichen informiere informieren erinnere
        envoie envoyez envoyer réponds répondez répondre publie publiez publier transmets transmettez
        transmettre informe informez informer préviens prévenez prévenir
        envía enviar envíe manda mandar mande responde responder responda reenvía reenviar publicar
        notifica notificar informa avisa avisar
        invia inviare invii spedisci spedire rispondi rispondere inoltra inoltrare pubblica pubblicare
        avvisa avvisare""",
    "pay": """
        bezahle bezahlen zahle zahlen überweise überweisen erstatte erstatten begleiche begleichen
        kaufe kaufen
        paie paye payez payer vire virez virer rembourse remboursez rembourser règle réglez régler
        achète achetez acheter
        paga pagar pague transfiere transferir transfiera reembolsa reembolsar compra comprar
        pagare paghi bonifica bonificare rimborsa rimborsare acquista acquistare""",
    "share": """
        teile teilen freigeben gewähre gewähren lade einladen erlaube erlauben
        partage partagez partager invite invitez inviter autorise autorisez autoriser
        comparte compartir comparta invita invitar invite autoriza autorizar
        condividi condividere invitare autorizza autorizzare""",
    "delete": """
        lösche löschen entferne entfernen storniere stornieren widerrufe widerrufen kündige kündigen
        supprime supprimez supprimer efface effacez effacer annule annulez annuler révoque révoquer
        elimina eliminar elimine borra borrar borre cancela cancelar revoca revocar
        eliminare cancella cancellare annulla annullare revocare""",
    "update": """
        ändere ändern aktualisiere aktualisieren verschiebe verschieben ersetze ersetzen setze setzen
        erhöhe erhöhen senke senken
        modifie modifiez modifier change changez changer actualise actualiser remplace remplacez
        remplacer déplace déplacez déplacer augmente augmenter
        cambia cambiar cambie modifica modificar actualiza actualizar reemplaza mueve mover aumenta
        cambiare modificare aggiorna aggiornare sposta spostare sostituisci sostituire""",
    "create": """
        erstelle erstellen erzeuge erzeugen lege anlegen plane planen schreibe schreiben trage
        eintragen vereinbare vereinbaren
        crée créez créer ajoute ajoutez ajouter planifie planifier écris écrivez écrire prépare préparer
        crea crear cree añade añadir agrega agregar programa programar escribe escribir prepara
        creare aggiungi aggiungere pianifica pianificare scrivi scrivere preparare""",
    "reserve": """
        buche buchen reserviere reservieren bestelle bestellen
        réserve réservez réserver commande commandez commander
        reserva reservar reserve
        prenota prenotare ordina ordinare""",
    "execute": """
        starte starten installiere installieren
        exécute exécutez exécuter lance lancez lancer installe installer déploie déployer
        ejecuta ejecutar ejecute instala instalar
        esegui eseguire installa installare""",
}
"""Value of a `Doing` → what asks for it."""

NAMED: Final[dict[str, str]] = {
    "message": """
        nachricht nachrichten e-mail brief antwort courriel courriels lettre réponse correo correos
        mensaje mensajes carta respuesta messaggio messaggi lettera risposta""",
    "event": """
        termin termine kalender besprechung sitzung treffen réunion rendez-vous calendrier événement
        reunión cita calendario evento riunione appuntamento""",
    "file": """
        datei dateien ordner anhang dokument dokumente fichier fichiers dossier pièce archivo archivos
        carpeta documento documentos file cartella documenti allegato""",
    "money": """
        geld rechnung rechnungen miete betrag gebühr überweisung erstattung konto zahlung argent facture
        factures loyer montant virement remboursement compte paiement dinero factura facturas alquiler
        importe transferencia reembolso cuenta pago soldi denaro fattura fatture affitto importo
        bonifico rimborso conto pagamento""",
    "secret": """passwort kennwort geheimnis mot-de-passe contraseña clave parola chiave""",
    "profile": """
        profil adresse einstellungen anschrift telefonnummer coordonnées paramètres perfil dirección
        ajustes profilo indirizzo impostazioni""",
    "people": """
        benutzer mitglied mitglieder teilnehmer gast gäste kollege kollegin kollegen utilisateur
        membre membres invité collègue usuario usuarios miembro miembros colega utente utenti membro
        ospite collega""",
    "channel": """kanal gruppe canal groupe grupo canale gruppo""",
    "booking": """
        buchung reservierung flug zimmer réservation vol chambre hôtel vuelo habitación prenotazione
        volo camera""",
    "page": """seite webseite verweis lien página enlace sito pagina collegamento""",
    "ticket": """aufgabe vorgang tâche tarea incidencia compito""",
    "record": """eintrag datensatz kunde kunden enregistrement client registro cliente clienti""",
}
"""Value of a `Thing` → what names it."""

TELLS: Final = """
    ich wir er sie es man je j tu il elle nous on ils elles yo él ella nosotros ellos io lui lei noi loro"""
"""Right before a verb they make it something that is told."""

NAMES: Final = """
    der die das den dem des ein eine einen einem einer mein meine meinen meiner unser unsere diese dieser
    dieses jede jeder letzte nächste zu um von vom zur zum für mit bei
    le la les l un une des du de d mon ma mes notre nos ce cette ces chaque à au aux pour par avec sur
    el los las una unos unas mi mis nuestro nuestra este esta estos cada del al para por con en
    il lo gli i uno mio mia miei nostro questa questo ogni di da dal della per nel"""
"""After one of these a word names something; it asks for nothing."""

NEGATES: Final = """
    nicht kein keine keinen keinem niemals nie ohne ne pas jamais sans no nunca jamás sin ningún non senza"""
"""Anywhere in a sentence: no verb of these languages asks for anything in it, they negate after the verb."""

ANSWERING: Final = """
    antworte antworten antwort erstatte erstatten zurück réponds répondez répondre réponse rembourse
    remboursez rembourser responde responder responda respuesta reembolsa reembolsar rispondi rispondere
    risposta rimborsa rimborsare"""
"""Words by which the originator of a record becomes the recipient."""

OPENING: Final = """
    anweisung anweisungen schritte aufgaben instructions étapes tâches instrucciones pasos tareas istruzioni
    passi compiti"""
"""Words that hand over what is to be done."""

STOPS: Final = f"""{TELLS} {NAMES} {NEGATES}
    und oder aber ist sind war wird werden hat haben habe kann können bitte dass wenn wie was wer wo auch
    noch auf aus an in im am ihm ihr ihnen sich mir mich dir dich uns euch
    et ou mais est sont était être avoir a ai que qui quoi où comme si svp merci se son sa ses leur leurs
    y o pero es son era ser haber ha he que quien donde como si favor su sus lo le les nos te me
    e ma è sono era essere avere ha ho che chi dove come se ci vi suo sua loro mi ti grazie prego"""
"""Words that name nothing."""

MONTHS: Final = (
    "januar janvier enero gennaio", "februar février febrero febbraio", "märz mars marzo",
    "avril abril aprile", "mai mayo maggio", "juni juin junio giugno", "juli juillet julio luglio",
    "août agosto", "septembre septiembre settembre", "oktober octobre octubre ottobre",
    "novembre noviembre", "dezember décembre diciembre dicembre",
)  # fmt: skip
"""January first."""

MOST: Final = {
    ("size", "bytes", "length"): """
        largest biggest größte größten grösste grössten""",
    ("created", "modified", "updated", "date", "timestamp", "time"): """
        latest newest neueste neuesten jüngste""",
    ("price", "cost", "amount", "total", "fee"): """
        priciest teuerste teuersten""",
}
"""Names of a field → the words for the record that has the most of it. Where a language says it in two words
("la plus grande"), it is not here: an adjective alone is no superlative."""

LEAST: Final = {
    ("size", "bytes", "length"): """smallest kleinste kleinsten""",
    ("created", "modified", "updated", "date", "timestamp", "time"): """
        oldest earliest älteste ältesten früheste""",
    ("price", "cost", "amount", "total", "fee"): """cheapest günstigste billigste""",
}
"""Names of a field → the words for the record that has the least of it."""
