#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes tests/data/cases/*.data from the table, or proves that they come from it.

	generate.py --write    what is there and would come out the same, but for what is random in signatures, stays as it is
	generate.py --check    TAP: everything stored is what would be made, byte for byte, and signed by the key it should be
"""

import os
import re
import sys

import der
import foreign
import ocsp
import table
import world as world_module

CASES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cases")
INCLUDE = os.path.join(CASES, "..", "..", "..", "include", "clinch")
# What a session says and clinch_verify() does not: tests/integration/cases/sessions*.c has these.
SESSION_REASONS = re.compile(
    r"^(path-.*|no-certificate|no-staple|missing-.*|issuer-unprepared|issuer-unknown|internal|unjudged)$")
SESSION_FINDINGS = {"session-resumed"}


def sized(recipe, world, size):
    """Padded to `size` bytes with an extension that means nothing. A case's length does not depend on the random in it."""
    padded = 0
    for _ in range(6):
        recipe["extensions"] = ["private:04" + der.length_of(padded).hex() + "00" * padded]
        have = len(ocsp.build(recipe, world))
        if have == size:
            return
        padded += size - have
    raise ValueError(f"no padding makes it {size} bytes")


def make_response(case, world):
    world.subject = case["leaf"]
    recipe = dict(case["recipe"], make=dict(case["recipe"]["make"]))
    if "size" in recipe["make"]:
        sized(recipe, world, int(recipe["make"]["size"]))

    def make(forced):
        made = ocsp.build(recipe, world, forced)
        return made, recipe["signed"]
    return world_module.kept(world.stored.get(("response", case["name"])), make)


def certificates_of(case, world):
    names = [case["leaf"], case["issuer"] or "issuer", "root"]
    if "trusted" in case["policy"]:
        names.append(case["policy"]["trusted"])
    for name in names:
        world.certificate(name)
    world.key(world_module.CERTIFICATES[case["leaf"]]["key"])


def session_certificates(world):
    """What tests/integration/cases/sessions*.c shakes hands with, beside the leaf."""
    for name in ("sibling", "cousin", "namesake", "stranger", "leaf-must-staple", "leaf-other-feature", "leaf-both-features",
                 "leaf-ended", "leaf-not-begun", "leaf-client-only", "issuer-must-staple", "leaf-of-must-staple-issuer",
                 "leaf-neighbour", "leaf-of-namesake", "leaf-of-leaf", "leaf-critical", "leaf-boolean-01", "issuer-not-begun",
                 "leaf-of-issuer-not-begun", "leaf-long-ended", "leaf-lasting", "leaf-far-off"):
        world.certificate(name)
    for name in ["leaf-of-deep15", "leaf-of-deep16"] + [f"deep{i}" for i in range(1, 17)]:
        world.certificate(name)
    for name in world_module.REVOCATION_LISTS:
        world.revocation_list(name)
    for name in ("root", "issuer", "leaf"):
        world.key(name)


def make_world(kind, cases, report):
    world = world_module.World(kind, CASES)
    if kind in ("ec", "rsa"):
        session_certificates(world)
    for case in cases:
        if kind not in case["keys"]:
            continue
        try:
            certificates_of(case, world)
            world.used["response", case["name"]] = make_response(case, world)
            report(True, f"{kind}_{case['name']}")
            read_by_another(case, world, report)
        except world_module.Differs as error:
            report(False, f"{kind}_{case['name']}", str(error))
        except Exception:
            print(f"# {case['place']}: {case['name']}", file=sys.stderr)
            raise
    return world


def read_by_another(case, world, report):
    serial = int.from_bytes(bytes.fromhex(world_module.CERTIFICATES[case["leaf"]]["serial"]), "big", signed=True)
    found = foreign.difference(case, world.used["response", case["name"]], serial)
    report(not found, f"another_reader_reads_{world.kind}_{case['name']}", found or "")


def rows(name):
    with open(os.path.join(INCLUDE, name), encoding="ascii") as text:
        return re.findall(r'^(?:REASON|FINDING)\(\w+, "([^"]+)"', text.read(), re.M)


def coverage(cases, report):
    """Each row of the two tables has a case that gives it, and one right beside it that does not."""
    wanted = {reason for case in cases for reason in case["want"][1].split("|")}
    near = {name for case in cases for name in case["near"]}
    for reason in rows("reasons.def"):
        if not SESSION_REASONS.match(reason):
            report(reason in wanted, f"a_case_gives_the_reason_{reason}")
            report(reason in near, f"a_case_stands_beside_the_reason_{reason}")
    said = {name.strip("=+") for case in cases if case["findings"] for name in case["findings"].split(",")}
    for finding in rows("findings.def"):
        if finding not in SESSION_FINDINGS:
            report(finding in said, f"a_case_gives_the_finding_{finding}")
            report(finding in near or "-" + finding in said, f"a_case_stands_beside_the_finding_{finding}")
    known = set(rows("reasons.def")) | set(rows("findings.def"))
    for name in sorted((wanted | near | {n.lstrip("-") for n in said}) - known):
        report(False, f"{name}_is_a_row_of_a_table")


def distinct(cases, report):
    report(len(cases) >= 100, "there_are_100_cases_and_more", str(len(cases)))
    both = [case for case in cases if case["keys"] == ["ec", "rsa"]]
    report(len(both) >= 100, "a_hundred_of_them_with_ec_and_rsa", str(len(both)))


class Tap:
    def __init__(self):
        self.count, self.failed = 0, 0

    def __call__(self, passed, name, why=""):
        self.count += 1
        self.failed += not passed
        print(f"{'ok' if passed else 'not ok'} {self.count} - {name}")
        if why and not passed:
            print(f"# {why}")


def main():
    if sys.argv[1:] not in (["--write"], ["--check"]):
        sys.exit(__doc__)
    check = sys.argv[1] == "--check"
    world_module.STRICT = check
    cases = table.read(CASES)
    tap = Tap() if check else (lambda *_: None)
    for kind in world_module.SORTS:
        world = make_world(kind, cases, tap)
        if check:
            tap(world.used == world.stored, f"{kind}_holds_nothing_else",
                " ".join(sorted(name for key in set(world.stored) ^ set(world.used) for name in [" ".join(key)])))
        else:
            world.save()
    if not check:
        return 0
    coverage(cases, tap)
    distinct(cases, tap)
    print(f"1..{tap.count}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
