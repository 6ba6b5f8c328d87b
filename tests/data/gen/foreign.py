# SPDX-License-Identifier: LGPL-2.1-or-later
"""Another reader's word on what was made: python3-cryptography reads the responses that should be readable."""

from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp

# These it may refuse, by its version, and has a reason of its own.
NOT_READ = {
    "version_1_written_out_is_good_and_said": "the default is written out, which DER forbids",
    "pss_with_a_salt_of_20_bytes_is_good": "the default salt length is written out, which DER forbids",
    "a_padded_serial_matches_as_it_stands": "the serial is not a minimal INTEGER",
}
STATUS = {"good": ocsp.OCSPCertStatus.GOOD, "revoked": ocsp.OCSPCertStatus.REVOKED, "unknown": ocsp.OCSPCertStatus.UNKNOWN}


def difference(case, encoded, serial):
    """What another reader sees that the case does not say; None: nothing."""
    if case["want"][0] not in STATUS or "status" in case["recipe"]["make"]:
        return None
    try:
        response = ocsp.load_der_ocsp_response(encoded)
        entries = list(response.responses)
    except ValueError as error:
        return None if case["name"] in NOT_READ else f"is not read: {error}"
    if len(entries) != len(case["recipe"]["entries"]):
        return f"has {len(entries)} entries"
    for entry, wanted in zip(entries, case["recipe"]["entries"]):
        found = entry_difference(entry, wanted, serial)
        if found:
            return found
    return None


def entry_difference(entry, wanted, serial):
    if entry.certificate_status != STATUS[wanted.get("status", "good")]:
        return f"says {entry.certificate_status}"
    if wanted.get("for", "subject") == "subject" and "serial" not in wanted and entry.serial_number != serial:
        return f"is for the serial {entry.serial_number:x}"
    if not isinstance(entry.hash_algorithm, getattr(hashes, wanted.get("hash", "sha1").upper())):
        return f"hashes with {entry.hash_algorithm.name}"
    if (entry.next_update is None) != (wanted.get("next") == "none"):
        return f"has nextUpdate {entry.next_update}"
    return None
