/* SPDX-License-Identifier: LGPL-2.1-or-later WRONG(registered): no meson.build runs it */
