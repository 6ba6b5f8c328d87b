# SPDX-License-Identifier: LGPL-2.1-or-later
"""A revocation is seen at the socket within 5 s of its file changing, however it changes, while others ask."""
from harness import add_case, expect, main
from respond import SOAK
from revoking import SEEN_WITHIN_S, WAYS, Load, Scene

TIMES = 100 if SOAK else 2
OFTEN = TIMES if SOAK else 1  # that it has to be so: in `make check` other tests run beside this one


def check(kind, way):
    scene = Scene(kind)
    with scene.running() as responder, Load(responder, scene) as load:
        took = sorted(scene.revoke_and_see(responder, way) for _ in range(TIMES))
    load.expect_all_right()
    expect(took[OFTEN - 1] <= SEEN_WITHIN_S, f"it was seen only after {took} s")
    print(f"#| seen after {took[len(took) // 2]:.3f} s in the median, {took[-1]:.3f} s at most; {load.asked} other answers", flush=True)


for each_kind, each_way in WAYS:
    add_case(f"an {each_kind} by {each_way}" if each_kind == "index" else f"a {each_kind} by {each_way}",
             lambda kind=each_kind, way=each_way: check(kind, way))


main()
