# SPDX-License-Identifier: LGPL-2.1-or-later
"""A revocation is seen at the socket within 5 s of its file changing, however it changes, while others ask."""
from harness import add_case, main
from respond import SOAK
from revoking import WAYS, Load, Scene

TIMES = 100 if SOAK else 2


def check(kind, way):
    scene = Scene(kind)
    with scene.running() as responder, Load(responder, scene) as load:
        took = sorted(scene.revoke_and_see(responder, way) for _ in range(TIMES))
    load.expect_all_right()
    print(f"#| seen after {took[len(took) // 2]:.3f} s in the median, {took[-1]:.3f} s at most; {load.asked} other answers", flush=True)


for each_kind, each_way in WAYS:
    add_case(f"an {each_kind} by {each_way}" if each_kind == "index" else f"a {each_kind} by {each_way}",
             lambda kind=each_kind, way=each_way: check(kind, way))


main()
