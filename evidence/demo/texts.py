"""Texts as people write them, with invented health data in literals, comments, messages and binds.

Every invented value is remembered, so that a search of store, packet and logs can show that none of them got there.
"""

from dataclasses import dataclass, field
from random import Random

_GIVEN = (
    "Corvina",
    "Aldous",
    "Philippa",
    "Ignatius",
    "Rosamund",
    "Barnaby",
    "Seraphine",
    "Lysander",
    "Ottoline",
    "Percival",
)
_FAMILY = (
    "Ashgrove",
    "Fennimore",
    "Tidewell",
    "Brackenbury",
    "Larkspurre",
    "Quillfeather",
    "Underhillock",
    "Wychcombe",
)


@dataclass(frozen=True, slots=True)
class Patient:
    """Somebody who does not exist. Social security numbers that begin with 9 were never issued."""

    name: str
    ssn: str
    record: str
    born: str
    mail: str
    phone: str


@dataclass(slots=True)
class Phi:
    """Makes patients, and keeps the literals that were written anywhere."""

    random: Random
    planted: set[str] = field(default_factory=set)

    def patient(self) -> Patient:
        """Return a new patient."""
        dice = self.random
        given, family = dice.choice(_GIVEN), f"{dice.choice(_FAMILY)}-{dice.choice(_FAMILY)}"
        return Patient(
            name=f"{given} {family}",
            ssn=f"9{dice.randrange(100):02}-{dice.randrange(10, 100)}-{dice.randrange(1000, 10_000)}",
            record=f"MRN-{dice.randrange(10**7, 10**8)}",
            born=f"19{dice.randrange(30, 99)}-{dice.randrange(1, 13):02}-{dice.randrange(1, 29):02}",
            mail=f"{given}.{family}{dice.randrange(10, 100)}@mail.example".lower(),
            phone=f"({dice.randrange(200, 999)}) 555-01{dice.randrange(100):02}",
        )

    def plant(self, *literals: str) -> None:
        """Remember literals that are written somewhere."""
        self.planted.update(literals)


def lookup(phi: Phi, table: str, columns: list[str]) -> str:
    """Return a SELECT that names a patient, in one of the ways people do."""
    who, listed = phi.patient(), ", ".join(columns)
    text, *literals = phi.random.choice(
        (
            (f"SELECT {listed} FROM {table} WHERE SSN = '{who.ssn}'", who.ssn),
            (
                f"SELECT {listed} FROM {table} WHERE NAME ILIKE '{who.name}%' -- called from {who.phone}",
                who.name,
                who.phone,
            ),
            (f"/* case of {who.name}, {who.record} */ SELECT {listed} FROM {table} LIMIT 50", who.name, who.record),
            (f"select {listed.lower()}\nfrom {table.lower()}\nwhere email in ('{who.mail}', 'none')", who.mail),
            (
                f"SELECT {listed} FROM {table} WHERE BIRTH_DATE = '{who.born}'::DATE AND MRN = $${who.record}$$",
                who.born,
                who.record,
            ),
            (
                f"SELECT {listed} FROM {table} WHERE NOTE LIKE 'O''Hara says {who.name}%' // {who.mail}",
                who.name,
                who.mail,
            ),
        )
    )
    phi.plant(*literals)
    return text


def correction(phi: Phi, table: str) -> str:
    """Return an INSERT with a patient's values."""
    who = phi.patient()
    phi.plant(who.name, who.ssn, who.born, who.mail)
    return f"INSERT INTO {table} VALUES ('{who.name}', '{who.ssn}', '{who.born}', '{who.mail}', {phi.random.randrange(900)})"


def upload(phi: Phi, table: str) -> str:
    """Return a COPY whose file name names a patient."""
    who = phi.patient()
    file = who.name.replace(" ", "_").lower() + "_" + who.ssn.replace("-", "")
    phi.plant(file)
    return f"COPY INTO {table} FROM @{table.rsplit('.', 1)[0]}.INBOUND/{file}.csv FILE_FORMAT = (TYPE = CSV)"


def failure(phi: Phi) -> tuple[str, str]:
    """Return a statement that fails and an error message that quotes its value."""
    who = phi.patient()
    phi.plant(who.ssn, who.name)
    text = f"SELECT TO_NUMBER('{who.ssn}') /* {who.name} */"
    return text, f"Numeric value '{who.ssn}' is not recognized"


def binds(phi: Phi) -> str:
    """Return bind values as the view shows them."""
    who = phi.patient()
    phi.plant(who.ssn, who.mail)
    return f'{{"1":{{"type":"TEXT","value":"{who.ssn}"}},"2":{{"type":"TEXT","value":"{who.mail}"}}}}'


def note(phi: Phi) -> str:
    """Return a free comment as it stands on tables and users."""
    who = phi.patient()
    phi.plant(who.name, who.record)
    return f"asked for by {who.name} ({who.record})"
