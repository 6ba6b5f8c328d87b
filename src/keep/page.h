/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `clinch status` shows, as one HTML file for a browser: no script, nothing from elsewhere, light or dark. */
#ifndef KEEP_PAGE_H
#define KEEP_PAGE_H

#include "base/buf.h"
#include "keep/outlet.h"

#define PAGE_ROWS 1000 /* certificates at most: those in trouble, then the others */

extern const char page_style[]; /* what stands in its <style>, for a Content-Security-Policy */

/* `outlets` may be NULL. False: no memory. */
bool page_html(struct buf *out, const struct keeper *keeper, const struct outlets *outlets, int64_t now);

#endif
