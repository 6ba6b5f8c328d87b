/* SPDX-License-Identifier: LGPL-2.1-or-later */
static char path[] = "/tmp/clinch-XXXXXX"; /* WRONG(scratch): not in $TMPDIR */
