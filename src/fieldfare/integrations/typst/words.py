"""The words of a certificate in every language of an account.

What must hold: a language has every word or does not pass the type checker. `{…}` is filled in.
"""

import msgspec

from fieldfare.integrations.typst.model import Standing
from fieldfare.kernel.languages import Language


class CertificateWords(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a certificate says besides names and figures."""

    title: str
    certifies: str
    """Above the purchaser's name."""
    has_funded: str
    """Below it."""
    mass: str
    """What the tonnes are of."""
    tree: str
    trees: str
    """What the trees are, after their number."""
    projects: str
    standings: dict[Standing, str]
    uncertified: str
    """The heading of those that are listed apart."""
    uncertified_note: str
    retired: str
    vintage: str
    number: str
    issued_on: str
    issued_by: str
    verify: str
    page: str
    more_project: str
    more_projects: str
    more_retirements: str
    refunded: str
    refunded_note: str
    replaced: str
    replaced_note: str
    sample_note: str


_EN = CertificateWords(
    title="Climate certificate",
    certifies="This certifies that",
    has_funded="has funded climate impact through {seller}.",
    mass="under a certified or an external standard",
    tree="tree funded",
    trees="trees funded",
    projects="Projects",
    standings={
        "certified": "Certified",
        "external_standard": "External standard",
        "uncertified": "Not certified",
    },
    uncertified="Supported as well, not certified",
    uncertified_note="These are not part of the tonnes above.",
    retired="Retired in {registry}",
    vintage="vintage {vintage}",
    number="Certificate no.",
    issued_on="Issued on",
    issued_by="Issued by",
    verify="Scan to verify",
    page="Page {page} of {pages}",
    more_project="and 1 more project",
    more_projects="and {count} more projects",
    more_retirements="and {count} more serial numbers",
    refunded="REFUNDED",
    refunded_note="No longer valid: the order was refunded.",
    replaced="REPLACED",
    replaced_note="No longer valid: a newer certificate replaces this one.",
    sample_note="A sample from test mode. Nothing was bought, and no impact stands behind it.",
)

_DE = CertificateWords(
    title="Klimazertifikat",
    certifies="Hiermit wird bestätigt:",
    has_funded="hat über {seller} Klimawirkung finanziert.",
    mass="nach zertifiziertem oder externem Standard",
    tree="Baum finanziert",
    trees="Bäume finanziert",
    projects="Projekte",
    standings={
        "certified": "Zertifiziert",
        "external_standard": "Externer Standard",
        "uncertified": "Nicht zertifiziert",
    },
    uncertified="Ebenfalls unterstützt, nicht zertifiziert",
    uncertified_note="Diese zählen nicht zu den Tonnen oben.",
    retired="Stillgelegt in {registry}",
    vintage="Jahrgang {vintage}",
    number="Zertifikat Nr.",
    issued_on="Ausgestellt am",
    issued_by="Ausgestellt von",
    verify="Scannen und prüfen",
    page="Seite {page} von {pages}",
    more_project="und 1 weiteres Projekt",
    more_projects="und {count} weitere Projekte",
    more_retirements="und {count} weitere Seriennummern",
    refunded="ERSTATTET",
    refunded_note="Nicht mehr gültig: Die Bestellung wurde erstattet.",
    replaced="ERSETZT",
    replaced_note="Nicht mehr gültig: Ein neueres Zertifikat ersetzt dieses.",
    sample_note="Ein Muster aus dem Testbetrieb: Es wurde nichts gekauft, und nichts bewirkt.",
)

_FR = CertificateWords(
    title="Certificat climatique",
    certifies="Nous certifions que",
    has_funded="a financé un impact climatique par l’intermédiaire de {seller}.",
    mass="selon un standard certifié ou externe",
    tree="arbre financé",
    trees="arbres financés",
    projects="Projets",
    standings={
        "certified": "Certifié",
        "external_standard": "Standard externe",
        "uncertified": "Non certifié",
    },
    uncertified="Également soutenus, non certifiés",
    uncertified_note="Ils ne sont pas compris dans les tonnes ci-dessus.",
    retired="Retiré du registre {registry}",
    vintage="millésime {vintage}",
    number="Certificat n°",
    issued_on="Délivré le",
    issued_by="Délivré par",
    verify="Scannez pour vérifier",
    page="Page {page} sur {pages}",
    more_project="et 1 autre projet",
    more_projects="et {count} autres projets",
    more_retirements="et {count} autres numéros de série",
    refunded="REMBOURSÉ",
    refunded_note="N’est plus valable\u00a0: la commande a été remboursée.",
    replaced="REMPLACÉ",
    replaced_note="N’est plus valable\u00a0: un certificat plus récent le remplace.",
    sample_note="Spécimen du mode test. Rien n’a été acheté, aucun impact n’y correspond.",
)

_ES = CertificateWords(
    title="Certificado climático",
    certifies="Se certifica que",
    has_funded="ha financiado impacto climático a través de {seller}.",
    mass="según un estándar certificado o externo",
    tree="árbol financiado",
    trees="árboles financiados",
    projects="Proyectos",
    standings={
        "certified": "Certificado",
        "external_standard": "Estándar externo",
        "uncertified": "No certificado",
    },
    uncertified="También apoyados, no certificados",
    uncertified_note="No forman parte de las toneladas indicadas arriba.",
    retired="Retirado en {registry}",
    vintage="añada {vintage}",
    number="Certificado n.º",
    issued_on="Emitido el",
    issued_by="Emitido por",
    verify="Escanee para verificar",
    page="Página {page} de {pages}",
    more_project="y 1 proyecto más",
    more_projects="y {count} proyectos más",
    more_retirements="y {count} números de serie más",
    refunded="REEMBOLSADO",
    refunded_note="Ya no es válido: el pedido fue reembolsado.",
    replaced="SUSTITUIDO",
    replaced_note="Ya no es válido: un certificado más reciente lo sustituye.",
    sample_note="Una muestra del modo de prueba. No se compró nada ni hay impacto detrás.",
)

CERTIFICATE_WORDS: dict[Language, CertificateWords] = {
    "en": _EN,
    "de": _DE,
    "fr": _FR,
    "es": _ES,
}
