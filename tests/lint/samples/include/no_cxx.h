/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Wrong on purpose: a name that C++ keeps for itself. */
#ifndef NO_CXX_H
#define NO_CXX_H
int no_cxx(int new);
#endif
