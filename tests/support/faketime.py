# SPDX-License-Identifier: LGPL-2.1-or-later
"""What libfaketime leaves behind: a semaphore and a shared memory by the number of each process that was killed, or became another
program. The next process of that number finds them there and does not start."""
import glob
import os
import re


def forget_the_dead():
    """To be called before a program is started under libfaketime."""
    for path in glob.glob("/dev/shm/sem.faketime_sem_*") + glob.glob("/dev/shm/faketime_shm_*"):
        pid = re.search(r"_(\d+)$", path)
        if pid and not os.path.exists(f"/proc/{pid.group(1)}"):
            try:
                os.unlink(path)
            except OSError:
                pass  # another user's, or another test was quicker
