/* WRONG(licence): no SPDX line */
