"""HL7 messages for the tests; made up."""

HEADER = "MSH|^~\\&|RIS|HOSPITAL|OVERREAD|HOSPITAL|20260301120000||ORU^R01|M1|P|2.5.1||||||{charset}"
PATIENT = "PID|1||{patient}^^^HOSPITAL^MR||Doe^Jane||19700101|F"


def oru(
    *lines: str,
    control: str = "M1",
    accession: str = "A1",
    patient: str = "P1",
    status: str = "F",
    charset: str = "UNICODE UTF-8",
    version: str = "2.5.1",
) -> str:
    """A report of these lines, one OBX each."""
    header = HEADER.format(charset=charset).replace("|M1|", f"|{control}|").replace("2.5.1", version)
    order = f"OBR|1|PLACER|FILLER|71020^CHEST^L|||20260301|||||||||||{accession}|||||||{status}"
    texts = lines or ("No mass is seen.",)
    observations = [
        f"OBX|{number}|TX|71020^CHEST^L||{line}||||||{status}" for number, line in enumerate(texts, 1)
    ]
    return segments(header, PATIENT.format(patient=patient), order, *observations)


def segments(*lines: str) -> str:
    return "".join(f"{line}\r" for line in lines)
