#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
rm -r $1/x # WRONG(scripts): Double quote to prevent globbing
